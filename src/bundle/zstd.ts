import type { Decompress } from "../core/bundle.ts";

/** Reads .zst. Its checksum is not looked at: fzstd does not. */
export const unzstd: Decompress = async function* (chunks, broken) {
  const { Decompress: Stream } = await import("fzstd");
  const out: Uint8Array[] = [];
  const stream = new Stream((chunk) => void out.push(chunk));
  const fail = (error: unknown): void =>
    broken(`the compressed data is damaged or cut off (${error instanceof Error ? error.message : String(error)})`);
  for await (const chunk of chunks) {
    try {
      // What is given out is read into later: fzstd keeps its window in place.
      stream.push(chunk.slice());
    } catch (error) {
      yield* out;
      return fail(error);
    }
    yield* out.splice(0);
  }
  try {
    stream.push(new Uint8Array(0), true);
  } catch (error) {
    fail(error);
  }
  yield* out;
};
