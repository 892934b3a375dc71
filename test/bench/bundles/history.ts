/** A bundle with so many snapshots, a minute apart, in which the receive queues of a hundred sockets fill. */
import type { Made } from "./_archive.ts";
import { firstSnapshot, readSample, type Sample, scatter, textOf } from "./_sample.ts";

/** What the recorder keeps. */
const RECORDED =
  /^(?:proc\/(?:meminfo|zoneinfo|vmstat|buddyinfo|slabinfo|pressure\/.*|sys\/fs\/file-nr)|proc\/net\/(?:sockstat6?|udp6?|tcp6?|netlink|packet))$/;
const CAPTURED_AT = Date.parse("2026-11-23T08:13:42.662Z");
const MINUTE_MS = 60_000;
const LEAK_KB = 102_144 * 4;

/** How a file of the sample looks when a share of the leak is there. */
type Change = (text: string, share: number, step: number) => string;

const set = (text: string, name: string, kb: (now: number) => number): string =>
  text.replace(
    new RegExp(`^(${name}: +)(\\d+) kB$`, "m"),
    (_, head: string, now: string) => head + String(Math.round(kb(Number(now)))).padStart(now.length) + " kB",
  );

const changes: { readonly [path: string]: Change } = {
  "proc/meminfo": (text, share, step) => {
    const more = (kb: number) => kb + LEAK_KB * (1 - share) - scatter(step, 4096);
    return set(set(text, "MemFree", more), "MemAvailable", more);
  },
  // Counters have run for the whole time; the numbers of pages (nr_*) are what they are.
  "proc/vmstat": (text, share) =>
    text.replace(
      /^((?!nr_)\w+ )(\d{3,})$/gm,
      (_, name: string, count: string) => name + Math.round(Number(count) * share),
    ),
  "proc/net/sockstat": (text, share) =>
    text.replace(
      /(UDP: inuse \d+ mem )(\d+)/,
      (_, head: string, pages: string) => head + Math.round(Number(pages) * share),
    ),
  "proc/net/udp": (text, share) =>
    text.replace(
      / 00000000:([0-9A-F]{8}) /g,
      (_, queued: string) =>
        ` 00000000:${Math.round(parseInt(queued, 16) * share).toString(16).toUpperCase().padStart(8, "0")} `,
    ),
  "proc/slabinfo": (text, _share, step) =>
    text.replace(
      /^(\S+ +)(\d{3,}) +(\d+)/gm,
      (_, name: string, active: string, all: string) =>
        `${name}${
          String(Number(active) - scatter(step + Number(all), Math.ceil(Number(active) / 50))).padStart(active.length)
        } ${all}`,
    ),
};

function snapshot(sample: Sample, texts: ReadonlyMap<string, string>, step: number, steps: number): Made[] {
  const folder = `history/${new Date(CAPTURED_AT - (steps - step) * MINUTE_MS).toISOString()}`;
  const recorded = [...texts].map(([path, text]): Made => {
    const change = changes[path];
    return { path: `${folder}/${path}`, content: change === undefined ? text : change(text, step / steps, step) };
  });
  const processes = [...sample].filter(([path]) => /^proc\/\d+\/status$/.test(path)).slice(0, 48);
  return [
    ...recorded,
    ...processes.map(([path, entry]): Made => ({
      path: `${folder}/${path}`,
      content: (entry as { content: Uint8Array }).content,
    })),
  ];
}

/** The entries of a bundle with `count` snapshots, scaled from samples/friend-push.tgz. */
export async function* history(count: number): AsyncGenerator<Made> {
  const sample = await readSample("friend-push.tgz");
  const first = firstSnapshot(sample);
  const times = Array.from({ length: count - 1 }, (_, i) => new Date(CAPTURED_AT - (count - 1 - i) * MINUTE_MS));
  const [manifest, status] = ["nailhouse.json", "nailhouse-status.json"].map((path) => {
    const value = JSON.parse(textOf(first, path)) as { snapshots: number | string[] };
    value.snapshots = typeof value.snapshots === "number"
      ? count
      : [...value.snapshots, ...times.map((time) => time.toISOString())];
    return { path, content: JSON.stringify(value) };
  }) as [Made, Made];
  first.delete("nailhouse.json");
  first.delete("nailhouse-status.json");
  const texts = new Map(
    [...first.keys()].filter((path) => RECORDED.test(path)).map((path) => [path, textOf(first, path)]),
  );
  yield manifest;
  yield* first.values();
  for (let step = 1; step < count; step++) yield* snapshot(first, texts, step, count);
  yield status;
}
