import type { Decompress } from "../core/bundle.ts";
import { slices } from "../core/bytes.ts";
import { crc32 } from "./_crc32.ts";

/** At most a thousand times as much comes out at once. */
const SLICE_BYTES = 16 * 1024;

/** The last bytes of a stream that comes in pieces. */
function tail(previous: Uint8Array, chunk: Uint8Array, size: number): Uint8Array {
  if (chunk.length >= size) return chunk.slice(-size);
  return Uint8Array.from([...previous, ...chunk].slice(-size));
}

/**
 * The portable gzip reader, for where there is no native one. What can be read of a cut-off or damaged stream is given before `broken` is told.
 *
 * fflate does not look at the checksum: that of a stream of one member, which is what collectors write, is checked here.
 */
export const gunzip: Decompress = async function* (chunks, broken) {
  // Loaded only where there is no native one.
  const { Gunzip } = await import("fflate");
  let out: Uint8Array[] = [];
  let furtherMembers = 0;
  let crc = 0;
  let size = 0;
  let trailer: Uint8Array = new Uint8Array(0);
  const stream = new Gunzip((chunk) => out.push(chunk));
  stream.onmember = () => furtherMembers++;
  for await (const chunk of slices(chunks, SLICE_BYTES)) {
    try {
      stream.push(chunk);
    } catch (error) {
      yield* out;
      broken(`the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`);
      return;
    }
    for (const piece of out) {
      crc = crc32(piece, crc);
      size += piece.length;
    }
    trailer = tail(trailer, chunk, 8);
    yield* out;
    out = [];
  }
  // What Node's Buffer slices is a view of all that was read at once.
  const view = trailer.length === 8 ? new DataView(trailer.buffer, trailer.byteOffset) : undefined;
  if (furtherMembers === 0 && (view?.getUint32(0, true) !== crc || view.getUint32(4, true) !== size % 2 ** 32)) {
    broken("the compressed data is damaged or cut off (its checksum is wrong)");
  }
};
