import type { Decompress } from "../core/bundle.ts";
import { BundleError } from "../core/errors.ts";

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

/** What the decoder's numbers mean (xz_ret of XZ Embedded). */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["2", "its kind of checksum is not supported"],
  ["3", "out of memory"],
  ["4", "its dictionary is larger than 64 MiB: unpack it with xz"],
  ["6", "it was packed with options that are not supported: unpack it with xz"],
]);

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return REASONS.get(/error code (\d+)$/.exec(message)?.[1] ?? "") ?? message;
}

/** What the package keeps to itself. */
interface Internals {
  _getModuleInstance(): Promise<void>;
}

/** One stream is begun after the other, each in the WebAssembly that was made for it. */
let begun: Promise<void> = Promise.resolve();

/** Reads .xz (sosreport's default), by WebAssembly. It has no SHA-256 checks and no BCJ filters, which `tar` and `sos` do not use. */
export const unxz: Decompress = async function* (chunks, broken) {
  const { default: { XzReadableStream } } = await import("xz-decompress");
  const internals = XzReadableStream as unknown as Internals;
  // Its lock lets one stream be read at a time: an archive in an archive would wait for ever. In one memory they cannot be read either: when it grows for
  // the inner one, what was not yet read of the outer one's input is forgotten.
  const begin = (): Promise<void> => internals._getModuleInstance();
  // One that could not be begun is its own reader's failure.
  const acquire = (): Promise<void> => begun = begun.then(begin, begin);
  Object.assign(XzReadableStream, { _contextMutex: { acquire, release: () => {} } });
  const reader = new XzReadableStream(streamOf(chunks)).getReader();
  let ended = false;
  try {
    for (let next = await reader.read(); next.done !== true; next = await reader.read()) yield next.value;
    ended = true;
  } catch (error) {
    // A stream that has failed cannot be cancelled.
    ended = true;
    if (error instanceof BundleError) throw error;
    broken(`the compressed data is damaged or cut off (${reasonOf(error)})`);
  } finally {
    if (!ended) await reader.cancel();
  }
};
