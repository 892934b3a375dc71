/** Collecting against what a host usually has for it, and against the least that can be done: `cat` and `gzip` of the same files. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collectors } from "../../collectors/mod.ts";
import { formatBytes, formatCount } from "../../src/core/format.ts";
import { shellWord } from "../../src/core/shell.ts";
import { withFault } from "../lab/lab.ts";
import { type Command, type Cost, type Family, limited, measureByTurns, ratios, type Row } from "./_measure.ts";

const folder = fileURLToPath(new URL("../../out/bench", import.meta.url));
/** The compression level of nailhouse's own bundles. */
const LEVEL = 3;

/** A script that reads what collecting reads, runs what it runs, and compresses it as much. Where all pages are counted it only reads their file. */
function plainReading(census: boolean): string {
  const bundle = join(folder, "collected.tgz");
  execFileSync("node", ["dist/cli.js", "collect", "--snapshots", "1", "--quiet", "-o", bundle]);
  const files = execFileSync("tar", ["-tzf", bundle], { encoding: "utf8", maxBuffer: 2 ** 30 }).split("\n")
    .map((path) => path.replace(/^[^/]*/, "")).filter((path) => /^\/(?:proc|sys|etc)\//.test(path));
  const list = join(folder, "files");
  writeFileSync(list, files.join("\0"));
  const commands = collectors.flatMap(({ captures }) => captures).filter((capture) => capture.kind === "command")
    .map(({ argv }) => argv.map(shellWord).join(" "));
  const script = [
    `{ xargs -0 cat < ${shellWord(list)}`,
    ...commands,
    `} 2> /dev/null < /dev/null | gzip -${LEVEL} > "$1/bundle.gz"`,
    ...(census ? ["cat /proc/kpageflags > /dev/null"] : []),
    "",
  ].join("\n");
  const path = join(folder, census ? "plain_reading_and_pages.sh" : "plain_reading.sh");
  writeFileSync(path, script);
  return path;
}

const collect: Command = (to) => [
  ...["node", "dist/cli.js", "collect", "--snapshots", "1", "--quiet", "-o", `${to}/bundle.tgz`],
];
const sos: Command = (to) => [
  ...["sos", "report", "--batch", "--only-plugins", "memory,process,networking,kernel", "--tmp-dir", to],
];

const CROWD_PROCESSES = 20_000;
const CROWD_SOCKETS_EACH = 5;
const MAX_CROWD_BYTES = 200 * 2 ** 20;

/** The same on a host with many processes and sockets, once: both take a minute. */
async function crowdRows(divisor: number): Promise<Row[]> {
  const count = Math.round(CROWD_PROCESSES / divisor);
  const fault = { count, kb: 4, rate: 0, sockets: CROWD_SOCKETS_EACH, seconds: 600 };
  const [ours, least] = await withFault("many_processes", fault, () => {
    const plain = plainReading(false);
    return Promise.resolve(measureByTurns([collect, (to) => ["sh", plain, to]], 1) as [Cost, Cost]);
  }, { timeoutMs: 180_000 });
  const name = `collect, ${formatCount(count)} processes, ${formatCount(count * CROWD_SOCKETS_EACH)} sockets`;
  const { processPeakBytes } = ours;
  return [
    ...ratios(`${name} : cat and gzip -${LEVEL} of the same`, ours, least, { cpu: 2 }).slice(0, 2),
    limited({ name, measure: "peak memory", figures: "resident" }, processPeakBytes, MAX_CROWD_BYTES, formatBytes),
  ];
}

/** Collecting on this host as it is. */
function hostRows(where: string, runs: number): Row[] {
  const plain = plainReading(false);
  const [ours, script, least, theirs] = measureByTurns([
    collect,
    (to) => ["sh", "dist/collect.sh", "--snapshots", "1", "--quiet", "-o", `${to}/bundle.tgz`],
    (to) => ["sh", plain, to],
    sos,
  ], runs) as [Cost, Cost, Cost, Cost];
  const same = `cat and gzip -${LEVEL} of the same`;
  return [
    // Five times less time, and less memory.
    ...ratios(`collect${where} : sos report`, ours, theirs, { wall: 0.2, cpu: 0.2, memory: 1 }),
    ...ratios(`collect${where} : ${same}`, ours, least, { cpu: 2 }).slice(0, 2),
    ...ratios(`collect.sh${where} : ${same}`, script, least, { cpu: 2 }).slice(0, 2),
    ...ratios(`collect.sh${where} : sos report`, script, theirs, {}),
  ];
}

/** The same where pages have no owner, so that all are counted. */
async function ringRows(runs: number): Promise<Row[]> {
  const [ours, least, theirs] = await withFault("packet_ring", { seconds: 600 }, () => {
    const plain = plainReading(true);
    return Promise.resolve(measureByTurns([collect, (to) => ["sh", plain, to], sos], runs) as [Cost, Cost, Cost]);
  });
  const name = "collect, all pages counted";
  return [
    ...ratios(`${name} : sos report`, ours, theirs, {}),
    ...ratios(`${name} : cat and gzip -${LEVEL} of the same`, ours, least, { cpu: 2 }).slice(0, 2),
  ];
}

export const family: Family = {
  needs: { sos: "sosreport", gcc: "gcc", flock: "util-linux" },
  about:
    "On a host with some sixty processes a quarter of it is the start of the runtime with all that is loaded, 0.1 s of CPU time; the rest are files that are read, and programs whose output is captured. All pages (/proc/kpageflags) are counted only where a sample shows some that " +
    "nothing owns: a packet ring of 320 MiB here; the kernel's own time for that is 0.3 s for 24 GiB, and `sos report` takes no such census. What `cat` and `gzip` of the same files take " +
    "cannot be undercut in any language. With 100,000 sockets the kernel's own time for /proc/net/udp is most of it: it begins anew for every 4 KiB that are read, so that " +
    "it grows with the square.",
  async *rows({ runs, divisor }) {
    mkdirSync(folder, { recursive: true });
    yield* hostRows("", runs);
    const usual = { count: 500, kb: 1000, rate: 0, sockets: 2, seconds: 600 };
    yield* await withFault(
      "many_processes",
      usual,
      () => Promise.resolve(hostRows(", 500 processes, 1,000 sockets", runs)),
      { timeoutMs: 180_000 },
    );
    yield* await ringRows(runs);
    yield* await crowdRows(divisor);
  },
};
