/** Real captures, to be scaled. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { readTar } from "../../../src/bundle/tar.ts";
import type { Made } from "./_archive.ts";

/** The files and links of a real capture, by path below its root directory. */
export type Sample = ReadonlyMap<string, Made>;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Reads a file of samples/. */
export async function readSample(name: string): Promise<Sample> {
  const bytes = gunzipSync(readFileSync(new URL(`../../../samples/${name}`, import.meta.url)));
  const entries = new Map<string, Made>();
  const broken = (message: string) => {
    throw new Error(`samples/${name}: ${message}`);
  };
  for await (const entry of readTar(once(bytes), broken)) {
    const path = entry.path.slice(entry.path.indexOf("/") + 1);
    if (entry.kind === "link") entries.set(path, { path, linkTarget: entry.linkTarget as string });
    else if (entry.kind === "file") {
      const { bytes: content } = await entry.read(Infinity);
      entries.set(path, { path, content: content.slice() });
    }
  }
  return entries;
}

/** A sample's file as text. */
export function textOf(sample: Sample, path: string): string {
  const entry = sample.get(path);
  if (entry === undefined || !("content" in entry)) throw new Error(`the sample has no ${path}`);
  return typeof entry.content === "string" ? entry.content : new TextDecoder().decode(entry.content as Uint8Array);
}

/** A sample's first snapshot alone, as if no other had been taken. */
export function firstSnapshot(sample: Sample): Map<string, Made> {
  const first = new Map([...sample].filter(([path]) => !path.startsWith("history/")));
  for (const path of ["nailhouse.json", "nailhouse-status.json"]) {
    const value = JSON.parse(textOf(sample, path)) as { snapshots: number | string[] };
    value.snapshots = typeof value.snapshots === "number" ? 1 : value.snapshots.slice(0, 1);
    first.set(path, { path, content: `${JSON.stringify(value, undefined, 2)}\n` });
  }
  return first;
}

/** A number below `below`, as good as random and always the same for the same `seed`. */
export function scatter(seed: number, below: number): number {
  let x = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) % below;
}

/** Joins many short texts into pieces that are worth writing. */
export function* inPieces(count: number, text: (index: number) => string): Generator<string> {
  let piece = "";
  for (let i = 0; i < count; i++) {
    piece += text(i);
    if (piece.length > 2 ** 18) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}
