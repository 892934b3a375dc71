/** Child processes that can be given up on. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import * as fs from "node:fs";
import process from "node:process";

export type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export const PROGRAM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** 32 characters that no file and no program can contain. From the device, because loading node:crypto takes as long as reading a hundred files. */
export function unforeseeable(): string {
  const fd = fs.openSync("/dev/urandom", "r");
  try {
    const bytes = Buffer.alloc(16);
    fs.readSync(fd, bytes);
    return bytes.toString("hex");
  } finally {
    fs.closeSync(fd);
  }
}

/** A child in a process group of its own, so that what it started is killed with it. */
export function start(argv: readonly string[], path: string): Child | Error {
  const [program = "", ...args] = argv;
  try {
    // No other variable: programs print in the C locale, and readWithCat knows what its child's /proc/self/environ
    // says.
    const child = spawn(program, args, { stdio: "pipe", detached: true, env: { PATH: path } });
    // Without a free descriptor there are no pipes; the error event that follows says the same.
    if ((child.stdout as Readable | undefined) !== undefined) return child;
    child.on("error", () => {});
    return new Error(`Cannot start ${program}: too many open files`);
  } catch (error) {
    // No memory for another process, arguments too long: thrown here, other errors come as an event.
    if (error instanceof Error && "syscall" in error) return error;
    throw error;
  }
}

/**
 * Kills the child's process group; does not wait, because a process stuck in the kernel dies only when it gets unstuck.
 */
export function abandon(child: Child): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if ((error as { code?: string }).code !== "ESRCH") throw error;
    }
  }
  child.stdin.destroy();
  child.stdout.destroy();
  child.stderr.destroy();
  // A program that could not be started is no process; Deno (2.9) throws when told to let go of one.
  if (child.pid !== undefined) child.unref();
}

/** Whether this errno text, as the C library words it, says that rights were missing. */
export function saysDenied(text: string): boolean {
  return /permission denied|operation not permitted|must be root|are you root/i.test(text);
}
