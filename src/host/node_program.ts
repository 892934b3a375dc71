/**
 * Programs and what they print. A shell that stays runs them: to start one itself, the runtime is copied first (fork), which takes 2 ms, and memory that a
 * host in trouble may not have; a shell is small.
 */
import type { Socket } from "node:net";
import { constants } from "node:os";
import type { Limits, ReadResult } from "../core/host.ts";
import { shellWord } from "../core/shell.ts";
import { abandon, type Child, PROGRAM_PATH, saysDenied, start, unforeseeable } from "./node_child.ts";
import { failureOf, Gathered, whenOver } from "./node_read.ts";

/** Enough for the first lines of what a program complains of. */
const MAX_ERROR_BYTES = 4 * 1024;
/** What the shell prints behind a program's output, with its exit status: see unforeseeable(). */
const MARK_LENGTH = 32 + " 255\n".length;
/** What a shell adds to the number of a signal that ended a program. */
const SIGNALLED = 128;

/** What came of a program on one of its two outputs. */
class MarkedOutput {
  readonly content: Gathered;
  readonly #mark: RegExp;
  /** What may be the beginning of the mark. */
  #rest: Buffer = Buffer.alloc(0);
  /** Once the mark has come. */
  status: number | undefined;

  constructor(mark: string, maxBytes: number) {
    this.#mark = new RegExp(`${mark} (\\d{1,3})\\n$`);
    this.content = new Gathered(maxBytes);
  }

  add(chunk: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const sure = Math.max(0, this.#rest.length - MARK_LENGTH);
    const mark = this.#mark.exec(this.#rest.toString("latin1", sure));
    if (mark === null) return this.#keep(sure);
    this.#keep(this.#rest.length - mark[0].length);
    this.status = Number(mark[1]);
  }

  /** No mark comes any more. */
  end(): void {
    this.#keep(this.#rest.length);
  }

  #keep(size: number): void {
    this.content.add(this.#rest.subarray(0, size));
    this.#rest = this.#rest.subarray(size);
  }
}

/** A program that a shell runs now. */
interface Job {
  readonly output: MarkedOutput;
  readonly complaints: MarkedOutput;
  /** Something came, or the shell has ended. */
  readonly look: (isEnded: boolean) => void;
}

/** Runs one program after the other, until one is given up: it ends with that. */
class Shell {
  readonly #child: Child;
  readonly #mark: string;
  #job: Job | undefined;
  #error: Error | undefined;
  #end = "";
  /** As a child is at first. */
  #isHeld = true;
  isEnded = false;

  constructor(child: Child, mark: string) {
    this.#child = child;
    this.#mark = mark;
    child.stdout.on("data", (chunk: Uint8Array) => {
      this.#job?.output.add(chunk);
      this.#job?.look(false);
    });
    child.stderr.on("data", (chunk: Uint8Array) => {
      this.#job?.complaints.add(chunk);
      this.#job?.look(false);
    });
    // One that has ended reads nothing: what ended it is told by its own events.
    child.stdin.on("error", () => {});
    child.on("error", (error) => {
      this.#error = error;
      this.#ended();
    });
    // What it ran may go on, and keep the pipes open.
    child.on("exit", (code, signal) => {
      this.#end = signal === null ? `exit status ${code}` : `killed by ${signal}`;
      this.#ended();
    });
  }

  #ended(): void {
    this.isEnded = true;
    this.#job?.look(true);
  }

  run(argv: readonly string[], limits: Limits): Promise<ReadResult> {
    return new Promise((resolve) => {
      const output = new MarkedOutput(this.#mark, limits.maxBytes);
      const complaints = new MarkedOutput(this.#mark, MAX_ERROR_BYTES);
      const finish = (result: ReadResult) => {
        callOff();
        this.#job = undefined;
        this.#hold(false);
        resolve(result);
      };
      const stop = (result: ReadResult) => {
        this.isEnded = true;
        abandon(this.#child);
        finish(result);
      };
      const look = (isEnded: boolean) => {
        const { content, status } = output;
        if (content.truncated) stop({ status: "ok", bytes: content.bytes(), truncated: true });
        else if (status !== undefined && complaints.status !== undefined) finish(outcome(status, content, complaints));
        else if (isEnded) stop(this.#shellEnded());
      };
      const callOff = whenOver(limits, () => {
        output.end();
        stop({ status: "hung", bytes: output.content.bytes() });
      });
      this.#job = { output, complaints, look };
      this.#hold(true);
      const command = `${argv.map(shellWord).join(" ")} </dev/null`;
      this.#child.stdin.write(`${command}\necho ${this.#mark} $?\necho ${this.#mark} 0 >&2\n`);
    });
  }

  #shellEnded(): ReadResult {
    if (this.#error !== undefined) return failureOf(this.#error);
    return { status: "failed", message: `the shell that ran it ended: ${this.#end}` };
  }

  /** Whether this process goes on as long as the shell does. */
  #hold(isHeld: boolean): void {
    const { pid, stdin, stdout, stderr } = this.#child;
    // It could not be started: see abandon(). And Bun (1.4) counts: what is held twice is to be let go of twice.
    if (pid === undefined || isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    // Bun's stdin has no such methods, and keeps nothing from ending.
    for (const each of [this.#child, stdin, stdout, stderr] as Partial<Socket>[]) {
      if (isHeld) each.ref?.();
      else each.unref?.();
    }
  }
}

function outcome(status: number, output: Gathered, complaints: MarkedOutput): ReadResult {
  if (status === 0 || !output.empty) return { status: "ok", bytes: output.bytes(), truncated: false };
  // What shells, env and nsenter return for a program that is not installed.
  if (status === 127) return { status: "missing" };
  const complaint = new TextDecoder().decode(complaints.content.bytes()).trim();
  if (saysDenied(complaint)) return { status: "denied" };
  const signal = Object.entries(constants.signals).find(([, number]) => number === status - SIGNALLED)?.[0];
  // What stands there then says the shell.
  if (signal !== undefined) return { status: "failed", message: `killed by ${signal}` };
  const end = `exit status ${status}`;
  return { status: "failed", message: complaint === "" ? end : `${end}: ${complaint.split("\n")[0]}` };
}

/** Runs programs, several at once if that is asked for. */
export class Programs {
  readonly #idle: Shell[] = [];

  /** What the program prints, as the interface says. */
  async run(argv: readonly string[], limits: Limits): Promise<ReadResult> {
    if (limits.signal?.aborted === true) return { status: "hung", bytes: new Uint8Array(0) };
    const shell = this.#shell();
    if (shell instanceof Error) return failureOf(shell);
    const result = await shell.run(argv, limits);
    if (!shell.isEnded) this.#idle.push(shell);
    return result;
  }

  #shell(): Shell | Error {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle.isEnded ? this.#shell() : idle;
    const mark = unforeseeable();
    const child = start(["sh"], PROGRAM_PATH);
    return child instanceof Error ? child : new Shell(child, mark);
  }
}
