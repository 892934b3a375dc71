/** Reads what a recorder left without a capture after it: all there is of a host that did not come back. */
import type { Entry } from "../core/bundle.ts";
import type { Status } from "../core/manifest.ts";
import { chooseSamples, MAX_HISTORY_BYTES, SAMPLE, type Tally } from "./_recorded.ts";

/** Reads a file of a ring from its start. */
export type OpenRingFile = () => AsyncIterable<Entry>;

const MANIFEST = /^[^/]+\/nailhouse\.json$/;
/** It has the names and versions of one host. */
const MAX_MANIFEST_BYTES = 2 ** 20;

function file(path: string, bytes: Uint8Array): Entry {
  return {
    path,
    kind: "file",
    read: (maxBytes) => Promise.resolve({ bytes: bytes.subarray(0, maxBytes), truncated: bytes.length > maxBytes }),
  };
}

/** A file's manifest, and when its last sample was; undefined when it has none. */
async function lastOf(entries: AsyncIterable<Entry>): Promise<{ manifest: Uint8Array; time: number } | undefined> {
  let manifest: Uint8Array | undefined;
  let time: number | undefined;
  for await (const entry of entries) {
    if (MANIFEST.test(entry.path)) manifest = (await entry.read(MAX_MANIFEST_BYTES)).bytes;
    const at = Date.parse(SAMPLE.exec(entry.path)?.[1] ?? "");
    if (!Number.isNaN(at)) time = at;
  }
  return manifest === undefined || time === undefined ? undefined : { manifest, time };
}

/**
 * The samples of a ring as one bundle: of the last hours all of them, the older the fewer.
 *
 * @param newestFirst Its files.
 * @param warn Told how many samples were passed over.
 */
export async function* ringEntries(
  newestFirst: readonly OpenRingFile[],
  warn: (message: string) => void,
): AsyncGenerator<Entry, void, undefined> {
  const tally: Tally = { times: new Set(), passedOver: false };
  let end: number | undefined;
  let room = MAX_HISTORY_BYTES;
  let left = newestFirst.length;
  for (const open of newestFirst) {
    if (room <= 0) break;
    left--;
    if (end === undefined) {
      const last = await lastOf(open());
      if (last === undefined) continue;
      end = last.time;
      yield file("nailhouse.json", last.manifest);
    }
    for (const sample of await chooseSamples(open(), end, room, tally)) {
      for (const { path, bytes } of sample.files) yield file(`history/${sample.time}/${path}`, bytes);
      tally.times.add(sample.time);
      room -= sample.bytes;
    }
  }
  if (end === undefined) return;
  if (tally.passedOver || left > 0) {
    const older = left === 0 ? "" : `, and none of ${left} older files`;
    warn(`${tally.times.size} samples are used, the older they are the fewer${older}`);
  }
  const status: Status = {
    schemaVersion: 1,
    finishedAt: new Date(end).toISOString(),
    snapshots: [...tally.times].sort(),
    stopped: null,
    collectors: [],
  };
  yield file("nailhouse-status.json", new TextEncoder().encode(JSON.stringify(status)));
}
