/** `cat` as a reader of files that may never answer. */
import type { Limits, ReadResult } from "../core/host.ts";
import { abandon, type Child, PROGRAM_PATH, saysDenied, start, unforeseeable } from "./node_child.ts";
import { Gathered, whenOver } from "./node_read.ts";

/** Paths in one child's command line: far below the system's limit of 2 MB, with a separator before each. */
const BATCH = 2000;

/**
 * Reads files one after the other with `cat`, as the interface says.
 *
 * One `cat` reads all of them, with /proc/self/environ before, between and behind: its environment is one variable that
 * ends in a random number, so each file ends where that text comes. A process cannot forge it in its own command line,
 * since nobody else can read the environment of this child, and a child for every file would cost a hundred times as
 * much.
 *
 * @param onHung Told of a reader that is given up, and when it is gone: killed at once, but not if it is stuck in the kernel.
 */
export async function* readWithCat(
  paths: readonly string[],
  limits: Limits,
  via: readonly string[] = [],
  onHung: (gone: Promise<void>) => void = () => {},
): AsyncGenerator<{ path: string; result: ReadResult }> {
  for (let from = 0; from < paths.length;) {
    from += yield* readBatch(paths.slice(from, from + BATCH), limits, via, onHung);
  }
}

/** What the readers of one child share. */
class CatOutput {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #separator: Uint8Array;
  readonly #limits: Limits;
  #rest: Buffer = Buffer.alloc(0);

  constructor(child: Child, separator: Uint8Array, limits: Limits) {
    this.#chunks = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    this.#separator = separator;
    this.#limits = limits;
  }

  /** The text up to the next separator; `end` when the child ended before it, `hung` when nothing came for too long. */
  async next(): Promise<{ how: "whole" | "truncated" | "end" | "hung"; bytes: Uint8Array }> {
    const content = new Gathered(this.#limits.maxBytes);
    for (;;) {
      const at = this.#rest.indexOf(this.#separator);
      if (at !== -1) {
        content.add(this.#rest.subarray(0, at));
        this.#rest = this.#rest.subarray(at + this.#separator.length);
        return { how: content.truncated ? "truncated" : "whole", bytes: content.bytes() };
      }
      // The last bytes may be the beginning of a separator.
      const sure = Math.max(0, this.#rest.length - this.#separator.length + 1);
      content.add(this.#rest.subarray(0, sure));
      this.#rest = this.#rest.subarray(sure);
      if (content.truncated) return { how: "truncated", bytes: content.bytes() };
      const more = await this.#more();
      if (more === "end" || more === "hung") {
        content.add(this.#rest);
        return { how: more, bytes: content.bytes() };
      }
      this.#rest = Buffer.concat([this.#rest, more]);
    }
  }

  #more(): Promise<Uint8Array | "end" | "hung"> {
    const { signal, timeoutMs } = this.#limits;
    return new Promise((resolve, reject) => {
      const callOff = whenOver({ signal, timeoutMs: signal?.aborted === true ? 0 : timeoutMs }, () => resolve("hung"));
      this.#chunks.next().then((next) => resolve(next.done === true ? "end" : next.value), reject).finally(callOff);
    });
  }
}

/** Reads files with one child until one of them stops it; returns how many of them are done with. */
async function* readBatch(
  paths: readonly string[],
  limits: Limits,
  via: readonly string[],
  onHung: (gone: Promise<void>) => void,
): AsyncGenerator<{ path: string; result: ReadResult }, number> {
  const environment = `${PROGRAM_PATH}:/${unforeseeable()}`;
  const separator = Buffer.from(`PATH=${environment}\0`);
  const frame = "/proc/self/environ";
  const child = start([...via, "cat", ...paths.flatMap((path) => [frame, path]), frame], environment);
  if (child instanceof Error) {
    for (const path of paths) yield { path, result: notStarted("end", child, "") };
    return paths.length;
  }
  const complaints = new Gathered(2 ** 20);
  let startError: Error | undefined;
  child.on("error", (error) => startError = error);
  child.stderr.on("data", (chunk: Uint8Array) => complaints.add(chunk));
  const closed = new Promise<void>((resolve) => child.stderr.on("close", resolve));
  const output = new CatOutput(child, separator, limits);
  // Whether an empty file is empty or could not be opened is known when all the complaints have come.
  const empty: string[] = [];
  let done = 0;
  let how: Awaited<ReturnType<CatOutput["next"]>>["how"];
  let opened = false;
  try {
    how = (await output.next()).how;
    opened = how === "whole";
    while (opened && done < paths.length) {
      const path = paths[done++] as string;
      let bytes: Uint8Array;
      ({ how, bytes } = await output.next());
      if (how === "end") {
        yield { path, result: { status: "failed", message: "its reader ended too early" } };
        break;
      }
      if (how === "hung") {
        onHung(new Promise((resolve) => child.once("exit", () => resolve())));
        yield { path, result: { status: "hung", bytes } };
        break;
      }
      if (bytes.length === 0) empty.push(path);
      else yield { path, result: { status: "ok", bytes, truncated: how === "truncated" } };
      if (how === "truncated") break;
    }
    if (how !== "hung" && how !== "truncated") await closed;
  } finally {
    abandon(child);
  }
  const complaint = new TextDecoder().decode(complaints.bytes());
  if (!opened) {
    const result = notStarted(how, startError, complaint);
    for (const path of paths) yield { path, result };
    return paths.length;
  }
  const reasons = complaintsByPath(complaint);
  for (const path of empty) yield { path, result: emptyResult(reasons.get(path)) };
  return done;
}

function notStarted(how: string, error: Error | undefined, complaint: string): ReadResult {
  if (how === "hung") return { status: "hung", bytes: new Uint8Array(0) };
  const why = error?.message ?? complaint.split("\n")[0] ?? "";
  return saysDenied(why) ? { status: "denied" } : { status: "failed", message: `its reader could not start: ${why}` };
}

/**
 * `cat: /proc/1/smaps_rollup: Permission denied`, busybox: `cat: can't open '/proc/1/smaps_rollup': Permission denied`.
 */
function complaintsByPath(text: string): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const match of text.matchAll(/^cat: (?:can't open )?'?(\/.*?)'?: (.*)$/gm)) {
    reasons.set(match[1] as string, match[2] as string);
  }
  return reasons;
}

function emptyResult(reason: string | undefined): ReadResult {
  if (reason === undefined) return { status: "ok", bytes: new Uint8Array(0), truncated: false };
  if (/^No such/.test(reason)) return { status: "missing" };
  if (reason === "Is a directory") return { status: "not-regular" };
  return saysDenied(reason) ? { status: "denied" } : { status: "failed", message: reason };
}
