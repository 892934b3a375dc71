import type { Condenser, Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";

/** A line of the kernel's log as dmesg, journalctl, syslog or a serial console show it. */
const KERNEL_LINE =
  /^(?:<\d+>|[a-z]{2,8} *:[a-z]{3,6} *: )?\[ *\d+\.\d+\]|^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\]|^\d{4}-\d\d-\d\dT[\d:]{8},\d{6}\S{6} |\bkernel: |invoked oom-killer|Out of memory: |oom-kill:|Memory cgroup out of memory|^Mem-Info:/m;

const utf8 = new TextDecoder();

/** Whether a file that is no archive is a kernel log in plain text; `head` is its beginning. */
export function isKernelLog(head: Uint8Array): boolean {
  return !head.includes(0) && KERNEL_LINE.test(utf8.decode(head));
}

/** Where a kernel log stands in a bundle. */
const LOG_PATH = /^(?:sos_commands\/kernel\/dmesg[^/]*|var\/log\/dmesg)$/;
const NEWLINE = 10;

/** Keeps the end of a log, from the beginning of a line on: what happened last is what matters. */
class NewestLines implements Condenser {
  readonly #maxBytes: number;
  readonly #left: () => void;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(maxBytes: number, left: () => void) {
    this.#maxBytes = maxBytes;
    this.#left = left;
  }

  push(piece: Uint8Array): Uint8Array {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    for (let first = this.#pieces[0]; first !== undefined && this.#bytes - first.length >= this.#maxBytes;) {
      this.#bytes -= first.length;
      this.#pieces.shift();
      this.#isCut = true;
      first = this.#pieces[0];
    }
    return new Uint8Array(0);
  }

  end(): Uint8Array {
    const bytes = concatBytes(this.#pieces);
    this.#pieces = [];
    if (!this.#isCut && bytes.length <= this.#maxBytes) return bytes;
    this.#left();
    const newest = bytes.subarray(Math.max(0, bytes.length - this.#maxBytes));
    return newest.subarray(newest.indexOf(NEWLINE) + 1);
  }
}

/**
 * Keeps the newest part of a kernel log that is too long; undefined for a file that is none.
 *
 * @param left Told when something was left out.
 */
export function newestOf(path: string, maxBytes: number, left: () => void): Condenser | undefined {
  return LOG_PATH.test(path) ? new NewestLines(maxBytes, left) : undefined;
}

/** A bundle that has nothing but a kernel log. */
export async function* kernelLogEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const read = async (maxBytes: number, condenser?: Condenser): Promise<{ bytes: Uint8Array; truncated: boolean }> => {
    if (condenser !== undefined) {
      for await (const chunk of chunks) condenser.push(chunk);
      return { bytes: condenser.end(), truncated: false };
    }
    const parts: Uint8Array[] = [];
    let room = maxBytes;
    for await (const chunk of chunks) {
      parts.push(chunk.subarray(0, room));
      if (chunk.length > room) return { bytes: concatBytes(parts), truncated: true };
      room -= chunk.length;
    }
    return { bytes: concatBytes(parts), truncated: false };
  };
  yield { path: "sos_commands/kernel/dmesg", kind: "file", read };
}
