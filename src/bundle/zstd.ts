import type { Decompress } from "../core/bundle.ts";
import { slices } from "../core/bytes.ts";
import { FrameWatch, MAX_WINDOW_BYTES } from "./_zstd_frames.ts";

/** A block of four bytes can stand for 128 KiB: at most 16 MiB come out at once. */
const SLICE_BYTES = 512;

/** Reads .zst. Its checksum is not looked at: fzstd does not. */
export const unzstd: Decompress = async function* (chunks, broken) {
  const { Decompress: Stream } = await import("fzstd");
  const out: Uint8Array[] = [];
  const stream = new Stream((chunk) => void out.push(chunk));
  const frames = new FrameWatch();
  const fail = (error: unknown): void =>
    broken(`the compressed data is damaged or cut off (${error instanceof Error ? error.message : String(error)})`);
  for await (const chunk of slices(chunks, SLICE_BYTES)) {
    if (frames.next(chunk) > MAX_WINDOW_BYTES) {
      yield* out;
      return broken("the compressed data needs a window of more than 128 MiB: unpack it with zstd --long=31");
    }
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
