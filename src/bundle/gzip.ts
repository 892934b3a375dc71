import { Gunzip } from "fflate";
import type { Decompress } from "../core/bundle.ts";

/**
 * The portable gzip reader. What can be read of a cut-off or damaged stream is given before `broken` is told.
 */
export const gunzip: Decompress = async function* (chunks, broken) {
  let out: Uint8Array[] = [];
  const stream = new Gunzip((chunk) => out.push(chunk));
  for await (const chunk of chunks) {
    try {
      stream.push(chunk);
    } catch (error) {
      yield* out;
      broken(`the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`);
      return;
    }
    yield* out;
    out = [];
  }
};
