import type { Condenser, Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { readStream } from "./_streams.ts";

/** What a line of the kernel's log has, or one of those who look after memory. */
const KERNEL_LINES: readonly RegExp[] = [
  // /dev/kmsg.
  /^\d{1,4},\d{1,16},\d{1,16},[-c+][^;]{0,80};/,
  // dmesg, coloured or not, or a serial console, quoted by mail or indented by Markdown; some Android kernels put the CPU behind the time.
  // deno-lint-ignore no-control-regex
  /^(?:> ?){0,5}[ \t]{0,8}(?:\u001b\[[\d;]{0,32}[a-zA-Z]){0,4}(?:<\d+>|[a-z]{2,8} *:[a-z]{3,6} *: )?\[ *\d+\.\d+(?:[@,]\d+)?\]/,
  // dmesg -x with --time-format iso.
  /^(?:\S{1,255}: | )?(?:kern|user): {1,8}[a-z]{3,8}: \[\d{4}-\d\d-\d\dT/,
  /^Linux version \d/,
  // dmesg -T.
  /^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\]/,
  // dmesg --time-format iso.
  /^\d{4}-\d\d-\d\dT[\d:]{8},\d{6}\S{6} /,
  // journalctl -o json, and others that keep JSON.
  /"_TRANSPORT" ?: ?"kernel"/,
  /^ *"dmesg": \[$/,
  // syslog. What people say of it is none: "kernel: 5.15.0".
  /\bkernel: (?!(?:[Ll]inux )?v?\d+\.\d)/,
  // Who kills before the kernel does.
  /\bsystemd-oomd\[\d+\]: /,
  /\bearlyoom\[\d+\]: /,
  /^(?:Low memory! )?mem avail: +\d+ (?:of +\d+ )?MiB/,
  /\bOut of memory! avail: \d+ MiB < min: /,
  /\bnohang(?:-desktop)?\[\d+\]: /,
  /\b(?:lowmemorykiller|lmkd) *: Kill/,
  /viction manager: /,
  /The node was low on resource: memory/,
  /^Killed \/\S+ due to (?:memory|swap) /,
  /System OOM encountered/,
  /: A process of this unit has been killed by the OOM killer\.$/,
  // The kernel's words without anything before them; not people's: "no longer invoked oom-killer".
  /invoked oom-killer: /,
  /: page allocation failure[.:] order:/,
  /[Oo]ut of [Mm]emory(?: \(oom_kill_allocating_task\))?: (?:[Kk]ill|system-wide|compulsory)/,
  /oom-kill:/,
  /^(?:> ?){0,5}[ \t]{0,8}Mem-[Ii]nfo:/,
];
const KERNEL_LINE = new RegExp(KERNEL_LINES.map(({ source }) => source).join("|"), "m");

const utf8 = new TextDecoder();

/** Whether a file that is no archive is a kernel log in plain text; `head` is its beginning. */
export function isKernelLog(head: Uint8Array): boolean {
  return !head.includes(0) && KERNEL_LINE.test(utf8.decode(head));
}

/** Whether any line of a text is one of an OOM's. */
export function tellsOfOom(text: string): boolean {
  return /invoked oom-killer: |[Oo]ut of [Mm]emory: [Kk]ill|oom-kill:constraint=/.test(text);
}

/** Whether a text begins with a line of the kernel's. */
export function beginsAsKernelLog(text: string): boolean {
  return KERNEL_LINE.test(text.split("\n", 1)[0] as string);
}

/** Where a kernel log stands in a bundle. */
const LOG_PATH = /^(?:sos_commands\/kernel\/dmesg[^/]*|var\/log\/dmesg|var\/crash\/[^/]*\/(?:vmcore-)?dmesg\.[^/]*)$/;
/** Where the system's logs stand, which other programs write to as well. */
const SYSTEM_LOG_PATH =
  /^(?:var\/log\/(?:messages|syslog|kern\.log)[^/]*|sos_commands\/logs\/journalctl_[^/]*|sos_strings\/logs\/[^/]*)$/;
/** Of a longer log the newest part is enough: the kernel's own buffer has 16 MiB at most on all but the largest hosts, and an OOM's dump 1 MiB. */
const MOST_LOG_BYTES = 16 * 2 ** 20;
const NEWLINE = 10;
const SPACE = 32;
/** Time, host and program come first: at most 64 bytes of a host's name. */
const HEAD_BYTES = 160;

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
 * Of a log that all programs write to, keeps the lines of the kernel, and of those that kill before it must; the others become empty, so that every line keeps
 * its number. The kernel logs some lines of an OOM's dump as one message: journalctl shows the second and later ones below the first, indented.
 */
class KernelLines implements Condenser {
  readonly #kept: Condenser;
  /** The line's beginning, until it is known whose it is. */
  #head: Uint8Array = new Uint8Array(0);
  #isKept: boolean | undefined;
  #wasKept = false;
  #lines: Uint8Array = new Uint8Array(0);

  /** @param kept What takes the kernel's lines. */
  constructor(kept: Condenser) {
    this.#kept = kept;
  }

  push(piece: Uint8Array): Uint8Array {
    const mostBytes = this.#head.length + piece.length;
    if (this.#lines.length < mostBytes) this.#lines = new Uint8Array(mostBytes);
    let used = 0;
    const keep = (bytes: Uint8Array): void => {
      this.#lines.set(bytes, used);
      used += bytes.length;
    };
    // A character a byte. Looking for a word in a string is ten times as fast as in bytes, and logs have gigabytes.
    const text = latin1.decode(piece);
    const markFrom = (from: number): number => {
      MARK.lastIndex = from;
      return MARK.exec(text)?.index ?? Infinity;
    };
    let mark = markFrom(0);
    for (let at = 0; at < piece.length;) {
      const newline = text.indexOf("\n", at);
      const end = newline === -1 ? piece.length : newline + 1;
      if (mark < at) mark = markFrom(at);
      const isFirst = this.#isKept === undefined && this.#head.length === 0;
      if (isFirst && this.#wasKept && piece[at] === SPACE) this.#isKept = true;
      const isWhole = newline !== -1 && this.#isKept === undefined && this.#head.length === 0;
      // Nearly all lines are whole and somebody else's: no part of the piece is made for those.
      if (isWhole && mark >= Math.min(end, at + HEAD_BYTES + LONGEST_WRITER)) {
        this.#lines[used++] = NEWLINE;
        this.#wasKept = false;
        at = end;
        continue;
      }
      let part = piece.subarray(at, end);
      at = end;
      if (this.#isKept === undefined) {
        if (this.#head.length > 0) part = concatBytes([this.#head, part]);
        this.#head = new Uint8Array(0);
        if (newline === -1 && part.length < HEAD_BYTES + LONGEST_WRITER) {
          this.#head = part.slice();
          break;
        }
        this.#isKept = isKept(part);
      }
      if (this.#isKept) keep(part);
      else if (newline !== -1) keep(part.subarray(part.length - 1));
      if (newline === -1) continue;
      this.#wasKept = this.#isKept;
      this.#isKept = undefined;
    }
    return this.#kept.push(this.#lines.slice(0, used));
  }

  end(): Uint8Array {
    if (isKept(this.#head)) this.#kept.push(this.#head);
    return this.#kept.end();
  }
}

const latin1 = new TextDecoder("latin1");
/** Of the kubelet's lines those are kept that tell of evictions. */
const WRITERS = [" kernel: ", " systemd-oomd[", " earlyoom[", " nohang[", " nohang-desktop[", "viction manager: "];
/** Each of them has one of these. Looking for all at once takes less than for one word after the other (measured: V8), for these less than for the whole words. */
const MARK = /kernel: |oomd\[|nohang|oom\[|viction m/g;
const LONGEST_WRITER = Math.max(...WRITERS.map(({ length }) => length));

/** Whether a line is of one of these: its beginning says so. */
function isKept(line: Uint8Array): boolean {
  const head = latin1.decode(line.subarray(0, HEAD_BYTES + LONGEST_WRITER));
  return WRITERS.some((writer) => {
    const mark = head.indexOf(writer);
    return mark !== -1 && mark < HEAD_BYTES;
  });
}

/**
 * Keeps the newest part of a kernel log that is too long, and of one that all programs write to the kernel's lines; undefined for a file that is none.
 *
 * @param left Told of how much is kept at most, when something was left out.
 */
export function newestOf(path: string, maxBytes: number, left: (keptBytes: number) => void): Condenser | undefined {
  const isSystems = SYSTEM_LOG_PATH.test(path);
  if (!isSystems && !LOG_PATH.test(path)) return undefined;
  const keptBytes = Math.min(maxBytes, MOST_LOG_BYTES);
  const newest = new NewestLines(keptBytes, () => left(keptBytes));
  return isSystems ? new KernelLines(newest) : newest;
}

/** A bundle that has nothing but one file, such as a kernel log. */
export async function* oneFile(path: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  yield { path, kind: "file", read: (maxBytes, condenser) => readStream(chunks, maxBytes, condenser) };
}
