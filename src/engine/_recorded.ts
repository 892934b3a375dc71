import type { Entry } from "../core/bundle.ts";
import type { Host, ReadResult } from "../core/host.ts";
import type { Run } from "./_run.ts";

/** What was recorded before the capture, and is packed into the bundle. */
export interface RecordedHistory {
  readonly kind: "ring" | "file";
  /** A folder that `nailhouse record` writes into, or a file of another recorder. */
  readonly path: string;
  /** Where the path is. */
  readonly host: Host;
  /** Nobody asked for it: it may not be there. */
  readonly optional?: true;
}

/** Reads a file of a ring; tells what is damaged. */
export type Unpack = (bytes: Uint8Array, broken: (message: string) => void) => AsyncIterable<Entry>;

/** Files of a ring have their time in their names. */
const RING_FILE = /^ring-\d{8}T\d{6}Z(-\d+)?\.tar\.gz$/;
/** A file of a sample: when it was taken, and its path. */
export const SAMPLE: RegExp = /^[^/]+\/history\/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)\/(.+)$/;

/** A ring file is an hour, or an eighth of a ring; a hundred times what an ordinary host has. */
const MAX_RING_FILE_BYTES = 64 * 2 ** 20;
const READ_TIMEOUT_MS = 20_000;
/** Longer files of other recorders would be cut, and half a JSON is none. */
const MAX_IMPORTED_BYTES = 32 * 2 ** 20;
/** All samples together, before compression: a week of an ordinary host is 70 MB, and 5 MB in the bundle. */
export const MAX_HISTORY_BYTES: number = 128 * 2 ** 20;

/** One sample in so many seconds is packed, by how old it is: a week has as many as a trend needs, and a bundle stays small. */
export const SPACING: readonly { readonly upToSeconds: number; readonly everySeconds: number }[] = [
  { upToSeconds: 120, everySeconds: 1 },
  { upToSeconds: 600, everySeconds: 10 },
  { upToSeconds: 2 * 3600, everySeconds: 60 },
  { upToSeconds: 24 * 3600, everySeconds: 300 },
];
/** From this age on it is the first one of each file, which is an hour at most: the rest of it need not even be unpacked. */
export const ONE_A_FILE_SECONDS: number = 24 * 3600;
const FILE_SECONDS = 3600;

/** What samples of a file have in common of which one is enough. */
function slot(time: number, now: number): string {
  const spacing = SPACING.find(({ upToSeconds }) => now - time < upToSeconds * 1000);
  return spacing === undefined ? "old" : `${spacing.everySeconds} ${Math.floor(time / (spacing.everySeconds * 1000))}`;
}

interface Sample {
  readonly time: string;
  bytes: number;
  readonly files: { readonly path: string; readonly bytes: Uint8Array }[];
}

/** What became of a ring's samples. */
export interface Tally {
  /** Of those that were packed. One recorder may have ended, and the next one begun, in the same second. */
  readonly times: Set<string>;
  /** Whether there are others. */
  passedOver: boolean;
}

/** The samples of one file that are worth packing, in its order; the newest of them as far as there is room. */
export async function chooseSamples(
  entries: AsyncIterable<Entry>,
  now: number,
  room: number,
  tally: Tally,
): Promise<Sample[]> {
  const chosen: Sample[] = [];
  let bytes = 0;
  let time: string | undefined;
  let last: string | undefined;
  let sample: Sample | undefined;
  for await (const entry of entries) {
    const [, at, path] = SAMPLE.exec(entry.path) ?? [];
    if (at === undefined || path === undefined || Number.isNaN(Date.parse(at))) continue;
    if (at !== time) {
      if (time !== undefined && now - Date.parse(time) >= (ONE_A_FILE_SECONDS + FILE_SECONDS) * 1000) {
        tally.passedOver = true;
        break;
      }
      time = at;
      const taken = slot(Date.parse(at), now);
      sample = taken === last || tally.times.has(at) ? undefined : { time: at, bytes: 0, files: [] };
      last = taken;
      if (sample === undefined) tally.passedOver = true;
      else chosen.push(sample);
    }
    if (sample === undefined) continue;
    const content = await entry.read(room);
    // What a crash cut off: all before it is good.
    if (content.truncated) continue;
    sample.files.push({ path, bytes: content.bytes });
    sample.bytes += content.bytes.length;
    bytes += content.bytes.length;
    while (bytes > room) {
      bytes -= (chosen.shift() as Sample).bytes;
      tally.passedOver = true;
    }
  }
  return chosen;
}

async function packFile(run: Run, { path, host }: RecordedHistory): Promise<void> {
  const name = (path.split("/").at(-1) as string).replace(/[^\w.-]/g, "_");
  const result: ReadResult = await host.readFile(path, {
    ...run.limits(MAX_IMPORTED_BYTES),
    timeoutMs: READ_TIMEOUT_MS,
  });
  if (result.status === "missing") return run.problem(path, "there is no such file");
  if (result.status === "ok" && result.truncated) {
    return run.problem(
      path,
      `larger than ${MAX_IMPORTED_BYTES} bytes: not packed; a longer step or a shorter time has fewer points`,
    );
  }
  run.startSnapshot("history_imported/");
  await run.keep(name, result, path);
}

async function packRing(run: Run, { path, host, optional }: RecordedHistory, unpack: Unpack): Promise<void> {
  const list = await host.listNewest(path, run.limits());
  if (list.status === "missing") {
    if (optional === undefined) run.problem(path, "there is no such folder");
    return;
  }
  if (list.status === "hung") return run.problem(path, "did not answer in time");
  if (list.status !== "ok") return run.fail(path, list);
  const names = list.names.filter((name) => RING_FILE.test(name)).sort().reverse();
  if (names.length === 0) {
    return run.problem(path, "nothing is recorded there: it has no ring-*.tar.gz of nailhouse record");
  }

  const now = host.now();
  const tally: Tally = { times: new Set(), passedOver: false };
  let room = Math.min(MAX_HISTORY_BYTES, Math.floor(run.room / 2));
  let left = names.length;
  for (const name of names) {
    if (room <= 0) break;
    left--;
    const file = `${path}/${name}`;
    const result = await host.readFile(file, {
      ...run.limits(),
      maxBytes: MAX_RING_FILE_BYTES,
      timeoutMs: READ_TIMEOUT_MS,
    });
    if (result.status === "hung") run.problem(file, "did not answer in time");
    else if (result.status !== "ok") run.fail(file, result);
    else {
      const broken = (message: string) => run.problem(file, `${message}: what stands before that is packed`);
      const samples = await chooseSamples(unpack(result.bytes, broken), now, room, tally);
      for (const sample of samples) {
        run.startSnapshot(`history/${sample.time}/`);
        for (const each of sample.files) await run.store(each.path, each.bytes);
        room -= sample.bytes;
        tally.times.add(sample.time);
      }
      // The oldest samples of this file did not fit any more: no older file does.
      if (samples[0] !== undefined && room < samples[0].bytes) break;
      await run.flush();
    }
  }
  if (tally.passedOver || left > 0) {
    const older = left === 0 ? "" : `, and none of ${left} older files`;
    run.problem(path, `${tally.times.size} samples were packed, the older they are the fewer${older}`);
  }
}

/** Packs what was recorded, the newest first; whatever is wrong with it is noted. */
export async function packRecorded(run: Run, history: readonly RecordedHistory[], unpack: Unpack): Promise<void> {
  for (const each of history) {
    await run.as("recorded", () => each.kind === "file" ? packFile(run, each) : packRing(run, each, unpack));
  }
}
