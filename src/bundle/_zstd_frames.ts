// https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1

/** zstd's own limit without --long. A decoder keeps the window in memory, whatever the archive then contains. */
export const MAX_WINDOW_BYTES: number = 128 * 2 ** 20;

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** Of a frame: magic number, descriptor, window, dictionary, size of the content. */
const MAX_HEADER_BYTES = 18;

/** A number of `size` bytes, the lowest first. */
function little(bytes: readonly number[], at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

interface FrameHeader {
  readonly size: number;
  readonly windowBytes: number;
  readonly hasChecksum: boolean;
}

/** Undefined while it is not whole. */
function frameHeader(bytes: readonly number[]): FrameHeader | undefined {
  const descriptor = bytes[4];
  if (descriptor === undefined) return undefined;
  const single = (descriptor & 0x20) !== 0;
  const windowSize = single ? 0 : 1;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3] as number;
  const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const size = 5 + windowSize + dictionarySize + contentSize;
  if (bytes.length < size) return undefined;
  const exponent = 2 ** (10 + ((bytes[5] as number) >> 3));
  const windowBytes = single
    ? little(bytes, 5 + dictionarySize, contentSize) + (contentSize === 2 ? 256 : 0)
    : exponent + (exponent / 8) * ((bytes[5] as number) & 7);
  return { size, windowBytes, hasChecksum: (descriptor & 4) !== 0 };
}

/** Watches a stream of frames go by, for the window that each of them asks for. */
export class FrameWatch {
  /** Of the header that is being gathered: a frame's or a block's. */
  #header: number[] = [];
  #inFrame = false;
  #hasChecksum = false;
  #skip = 0;
  #lost = false;

  /** The largest window that is asked for in these bytes. */
  next(bytes: Uint8Array): number {
    let largest = 0;
    for (let at = 0; at < bytes.length && !this.#lost;) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      this.#header.push(bytes[at++] as number);
      if (this.#inFrame) this.#block();
      else largest = Math.max(largest, this.#frame());
    }
    return largest;
  }

  #frame(): number {
    if (this.#header.length < 4) return 0;
    const magic = little(this.#header, 0, 4);
    if (magic - (magic % 16) === SKIPPABLE) {
      if (this.#header.length < 8) return 0;
      this.#skip = little(this.#header, 4, 4);
      this.#header = [];
      return 0;
    }
    // The decoder will say that this is no frame.
    this.#lost = magic !== MAGIC || this.#header.length > MAX_HEADER_BYTES;
    const header = frameHeader(this.#header);
    if (header === undefined) return 0;
    this.#header = [];
    this.#inFrame = true;
    this.#hasChecksum = header.hasChecksum;
    return header.windowBytes;
  }

  #block(): void {
    if (this.#header.length < 3) return;
    const block = little(this.#header, 0, 3);
    const isRun = ((block >> 1) & 3) === 1;
    this.#skip = isRun ? 1 : block >> 3;
    this.#header = [];
    if ((block & 1) === 0) return;
    this.#inFrame = false;
    if (this.#hasChecksum) this.#skip += 4;
  }
}
