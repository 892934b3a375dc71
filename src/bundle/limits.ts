import { LimitError } from "../core/errors.ts";

/**
 * What a bundle may at most be: it comes from a host that nobody vouches for. Errors, warnings and `analyze --limit NAME=VALUE` call a limit
 * by its name here.
 */
export interface BundleLimits {
  /** Files, folders and links; a bundle that has more is refused. A host with 100,000 processes yields under a million. */
  readonly maxEntries: number;
  /** An entry whose path is longer is passed over. Linux has no longer ones (PATH_MAX). */
  readonly maxPathBytes: number;
  /** Folders around a file; an entry that is deeper is passed over. The deepest ones of /sys are 20. */
  readonly maxDepth: number;
  /** Archives in archives; one that is deeper is passed over. A must-gather with what sos collect made of several hosts has two. */
  readonly maxNesting: number;
  /** A longer file is cut there. Of a table of sockets only the rows count that are kept, which are those that hold something. */
  readonly maxFileBytes: number;
  /** What is kept, together; files after that are left out. */
  readonly maxTotalBytes: number;
  /** The whole archive, unpacked; a larger one is refused. */
  readonly maxUnpackedBytes: number;
  /** Unpacked bytes for each packed one; an archive that is packed tighter is refused. Sosreports have 5 to 30, a bomb 1,000 and more. */
  readonly maxRatio: number;
  /** The time to read it all; a slower bundle is refused. Needs a clock (`ArchiveOptions.clock`). */
  readonly maxSeconds: number;
}

/** Room for the largest real bundle that is known (a must-gather, a million sockets), and an end to a bomb. */
export const defaultLimits: BundleLimits = {
  maxEntries: 2_000_000,
  maxPathBytes: 4096,
  maxDepth: 64,
  maxNesting: 2,
  maxFileBytes: 64 * 2 ** 20,
  maxTotalBytes: 256 * 2 ** 20,
  maxUnpackedBytes: 8 * 2 ** 30,
  maxRatio: 500,
  maxSeconds: 900,
};

/** Small files come by hundreds of thousands, and asking for the time of each was seen in profiles. */
const ENTRIES_A_CLOCK = 8;
/** A small archive may be packed as tightly as it likes. */
const RATIO_FROM_BYTES = 64 * 2 ** 20;

/**
 * All limits. One that is given as undefined is the default: nobody takes a limit away by that.
 *
 * @throws {RangeError} If one is no number, or there is none of that name.
 */
function limitsOf(given: Partial<BundleLimits>): BundleLimits {
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name, value] of named) {
    if (Object.hasOwn(defaultLimits, name) && typeof value === "number" && value >= 0) continue;
    throw new RangeError(`limits are numbers called ${Object.keys(defaultLimits).join(", ")}, not ${name}: ${value}`);
  }
  return { ...defaultLimits, ...Object.fromEntries(named) };
}

/** What has been read of a bundle so far, against its limits. */
export class Budget {
  readonly limits: BundleLimits;
  readonly #clock: (() => number) | undefined;
  readonly #end: number;
  #entries = 0;
  #packedBytes = 0;
  #unpackedBytes = 0;

  /** @param clock Milliseconds since any moment. */
  constructor(limits: Partial<BundleLimits> | undefined, clock: (() => number) | undefined) {
    this.limits = limitsOf(limits ?? {});
    this.#clock = clock;
    this.#end = clock === undefined ? Infinity : clock() + this.limits.maxSeconds * 1000;
  }

  #checkTime(): void {
    if (this.#clock !== undefined && this.#clock() > this.#end) {
      const { maxSeconds } = this.limits;
      throw new LimitError(`Cannot read the bundle: it takes longer than ${maxSeconds} seconds`, "maxSeconds");
    }
  }

  /** Counts one more entry. */
  entry(): void {
    const { maxEntries } = this.limits;
    if (this.#entries++ % ENTRIES_A_CLOCK === 0) this.#checkTime();
    if (this.#entries > maxEntries) {
      throw new LimitError(`Cannot read the bundle: it has more than ${maxEntries} entries`, "maxEntries");
    }
  }

  /** Passes compressed bytes on, and counts them. */
  async *packed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#packedBytes += chunk.length;
      this.#checkTime();
      yield chunk;
    }
  }

  /** Counts unpacked bytes. */
  unpack(bytes: number): void {
    const { maxUnpackedBytes, maxRatio } = this.limits;
    this.#unpackedBytes += bytes;
    this.#checkTime();
    if (this.#unpackedBytes > maxUnpackedBytes) {
      throw new LimitError(
        `Cannot read the bundle: unpacked it is larger than ${maxUnpackedBytes} bytes`,
        "maxUnpackedBytes",
      );
    }
    const tight = this.#packedBytes > 0 && this.#unpackedBytes > this.#packedBytes * maxRatio;
    if (tight && this.#unpackedBytes > RATIO_FROM_BYTES) {
      throw new LimitError(
        `Cannot read the bundle: unpacked it is more than ${maxRatio} times as large, as a decompression bomb is`,
        "maxRatio",
      );
    }
  }

  /** Passes unpacked bytes on, and counts them. */
  async *unpacked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.unpack(chunk.length);
      yield chunk;
    }
  }
}
