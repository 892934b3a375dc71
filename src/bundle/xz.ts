import type { Decompress } from "../core/bundle.ts";

/** A web stream of chunks, read as fast as it is asked for. */
function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
}

/** Reads .xz (sosreport's default), by WebAssembly. It has no SHA-256 checks and no BCJ filters, which `tar` and `sos` do not use. */
export const unxz: Decompress = async function* (chunks, broken) {
  const { default: { XzReadableStream } } = await import("xz-decompress");
  const reader = new XzReadableStream(streamOf(chunks)).getReader();
  let ended = false;
  try {
    for (let next = await reader.read(); next.done !== true; next = await reader.read()) yield next.value;
    ended = true;
  } catch (error) {
    // A stream that has failed cannot be cancelled.
    ended = true;
    broken(`the compressed data is damaged or cut off (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    if (!ended) await reader.cancel();
  }
};
