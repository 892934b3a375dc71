/** What the commands that look at this host have in common. */
import * as fs from "node:fs";
import * as os from "node:os";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import type { NodeHost } from "../host/node.ts";
import { UsageError } from "./_command.ts";
import { say } from "./_say.ts";

/** The number of an option; undefined when it was not given. */
export function positive(option: string, value: string | undefined, integer: boolean): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!(number > 0) || !Number.isFinite(number) || (integer && !Number.isInteger(number))) {
    throw new UsageError(`${option} is a ${integer ? "whole " : ""}number above 0, not "${value}"`);
  }
  return number;
}

/** @throws {UsageError} If there is no such directory. */
export function checkRoot(root: string): void {
  if (fs.statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UsageError(`--root is a directory, and there is none at "${root}"`);
  }
}

/**
 * Of bytecode, before V8 optimizes a function: 30 times its own choice. In the half second that collecting takes, it would spend a fifth of
 * all CPU time on optimizing what hardly runs any more; on a host with tens of thousands of processes the loops still get there.
 */
const INTERRUPT_BUDGET = 4_000_000;

/** Not installed everywhere: then the default follows from the other priority (ioprio_set(2)). The shell that runs this one starts what is captured, too. */
const IONICE = 'exec ionice -c 3 -p "$PPID" "$@"';

/** Makes this process the first that the kernel kills and the last that it runs: the host is in trouble already. */
export async function yieldToTheHost(host: NodeHost): Promise<void> {
  // Bun has no V8.
  if (!("bun" in process.versions)) setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  try {
    fs.writeFileSync("/proc/self/oom_score_adj", "1000");
    // Priorities are a thread's own, and loading the program has started some that read, write and compress.
    const threads = fs.readdirSync("/proc/self/task");
    for (const thread of threads) os.setPriority(Number(thread), os.constants.priority.PRIORITY_LOW);
    await host.run(["sh", "-c", IONICE, "sh", ...threads], { maxBytes: 256, timeoutMs: 5000 });
  } catch (error) {
    // Some containers forbid it, and a thread may have ended: collecting is what matters.
    const { code } = error as { code?: string };
    if (!["EACCES", "EPERM", "EROFS", "ESRCH"].includes(code ?? "")) throw error;
  }
}

/** A read that an interruption gave up on may be one step from its answer, at the lowest priority of a busy host. */
const ANSWER_MS = 3000;
const LOOK_EVERY_MS = 20;

/** Ends this process although a thread of it is blocked in the kernel, where nothing else can. */
export async function endDespiteStuckReads(host: NodeHost, so: string): Promise<void> {
  // Counted, because the clock of a host may be set meanwhile.
  for (let looks = ANSWER_MS / LOOK_EVERY_MS; host.stuckReads() > 0 && looks > 0; looks--) {
    await host.sleep(LOOK_EVERY_MS);
  }
  if (host.stuckReads() === 0) return;
  say(
    `nailhouse: ${host.stuckReads()} reads of files never came back; ${so}. Killing myself.`,
  );
  process.kill(process.pid, "SIGKILL");
}
