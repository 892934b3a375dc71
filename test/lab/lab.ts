/**
 * Holds real faults on this machine: compiles the small C programs beside this file, runs one, and waits until it says what it
 * holds. One fault at a time on the whole machine, by a lock that all test processes share. Root only, Linux only.
 */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { readFile, rename, stat } from "node:fs/promises";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import process from "node:process";

export type FaultArgs = Readonly<Record<string, string | number>>;

export interface HoldOptions {
  /** How long the program may take until it holds; waiting for the lock is not counted. */
  readonly timeoutMs?: number;
  /** After how many seconds the program ends by itself, whatever becomes of this process. */
  readonly seconds?: number;
}

export interface HeldFault {
  /** The program's process: the owner of what is held, or the parent of the owners. */
  readonly pid: number;
  /** What the program knows that it holds, by now. */
  readonly heldBytes: number;
  readonly note: string;
  /** Ends the fault; done when the program is gone and its memory is back. May be called twice. */
  release(): Promise<void>;
}

const run = promisify(execFile);
const directory = fileURLToPath(new URL(".", import.meta.url));
const LOCK = "/tmp/nailhouse-lab.lock";
const LOCK_WAIT_SECONDS = 600;
const DEFAULT_TIMEOUT_MS = 60_000;
/** Counters are read one after the other and others work on this machine, too: this much is noise. */
const NOISE_BYTES = 16 * 2 ** 20;
const SETTLE_MS = 10_000;

/** True where faults can be held: Linux, root, a C compiler and flock. */
export async function labAvailable(): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  return await labHas("gcc", "flock");
}

/** Whether these programs are installed. */
export async function labHas(...programs: readonly string[]): Promise<boolean> {
  return await run("sh", ["-c", programs.map((name) => `command -v ${name}`).join(" && ")]).then(
    () => true,
    () => false,
  );
}

// The lock is held by `flock FILE cat`, which ends when its standard input is closed: also when this process dies.
let lockHolder: Promise<ChildProcessWithoutNullStreams> | undefined;
let lockUsers = 0;

function startLockHolder(): Promise<ChildProcessWithoutNullStreams> {
  return new Promise((resolve, reject) => {
    const child = spawn("flock", ["-w", String(LOCK_WAIT_SECONDS), LOCK, "sh", "-c", "echo locked; exec cat"]);
    child.stdout.once("data", () => resolve(child));
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`no lock on ${LOCK} within ${LOCK_WAIT_SECONDS} s`)));
  });
}

/** Takes the machine's lab lock (shared within this process) for as long as `work` runs: for measuring without a fault. */
export async function withLabLock<T>(work: () => Promise<T>): Promise<T> {
  lockUsers++;
  lockHolder ??= startLockHolder();
  try {
    await lockHolder;
    return await work();
  } finally {
    await leaveLock();
  }
}

async function leaveLock(): Promise<void> {
  if (--lockUsers > 0) return;
  const holder = lockHolder;
  lockHolder = undefined;
  const child = await holder?.catch(() => undefined);
  if (child === undefined || child.exitCode !== null) return;
  await new Promise((resolve) => {
    child.once("exit", resolve);
    child.stdin.end();
  });
}

/** The program's path, compiled if its source is newer. */
export async function compile(program: string): Promise<string> {
  const source = `${directory}${program}.c`;
  const binary = `${directory}bin/${program}`;
  const changed = async (path: string) => (await stat(path)).mtimeMs;
  const built = await changed(binary).catch(() => -Infinity);
  if (built > Math.max(await changed(source), await changed(`${directory}lab.h`))) return binary;
  mkdirSync(`${directory}bin`, { recursive: true });
  // Renamed into place: another test process may be about to run it.
  const fresh = `${binary}.${process.pid}`;
  await run("gcc", ["-O2", "-Wall", "-pthread", "-o", fresh, source]);
  await rename(fresh, binary);
  return binary;
}

/** Free memory that counters can tell: MemFree and the per-CPU free lists. */
async function freeBytes(): Promise<number> {
  const [meminfo, zoneinfo] = await Promise.all([
    readFile("/proc/meminfo", "utf8"),
    readFile("/proc/zoneinfo", "utf8"),
  ]);
  const free = Number(/^MemFree:\s+(\d+)/m.exec(meminfo)?.[1]) * 1024;
  const pages = [...zoneinfo.matchAll(/^\s+count:\s+(\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  return free + pages * 4096;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits until free memory is where it was, or has not risen any more for two seconds, because others use memory meanwhile:
 * some of it, such as a network namespace, is given back only after a while.
 */
async function settled(before: number): Promise<void> {
  const start = Date.now();
  for (let last = -Infinity, idle = 0; idle < 4 && Date.now() - start < SETTLE_MS; await sleep(500)) {
    const now = await freeBytes();
    if (now >= before - NOISE_BYTES) return;
    idle = now > last + NOISE_BYTES / 16 ? 0 : idle + 1;
    last = now;
  }
}

const holding = new Set<HeldFault>();
const running = new Set<ChildProcessWithoutNullStreams>();
// A program also ends when its standard input is closed, which the kernel does if this process is killed.
process.on("exit", () => running.forEach((child) => child.kill("SIGTERM")));

/**
 * Builds up the fault `program` and resolves when it is held. Rejects with the program's own words when it cannot be.
 * Always release it (`withFault` does), or call `releaseAll` in `afterAll`.
 */
export async function holdFault(program: string, args: FaultArgs = {}, options: HoldOptions = {}): Promise<HeldFault> {
  const binary = await compile(program);
  let leave = () => {};
  const held = new Promise<void>((resolve) => leave = resolve);
  return await new Promise<HeldFault>((resolve, reject) => {
    const locked = withLabLock(async () => {
      const before = await freeBytes();
      const child = start(binary, args, options);
      const gone = new Promise<void>((done) => child.once("close", () => done()));
      const end = async () => {
        child.stdin.end();
        await gone;
        running.delete(child);
        await settled(before);
      };
      try {
        const words = await heldWords(child, program, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
        const fault: HeldFault = {
          pid: child.pid!,
          get heldBytes() {
            return words.heldBytes;
          },
          note: words.note,
          release: async () => {
            holding.delete(fault);
            leave();
            await locked;
          },
        };
        holding.add(fault);
        resolve(fault);
        await held;
      } finally {
        await end();
      }
    });
    locked.catch(reject);
  });
}

function start(binary: string, args: FaultArgs, options: HoldOptions): ChildProcessWithoutNullStreams {
  const words = Object.entries({ ...args, ...(options.seconds === undefined ? {} : { seconds: options.seconds }) });
  const child = spawn(binary, words.map(([key, value]) => `${key}=${value}`));
  child.stdin.on("error", () => {}); // it may be gone before we close its input
  running.add(child);
  return child;
}

/** What a program said last. */
interface Words {
  heldBytes: number;
  readonly note: string;
}

/** Resolves with the program's first `held BYTES note`; those that follow are put into the same object. */
function heldWords(child: ChildProcessWithoutNullStreams, program: string, timeoutMs: number): Promise<Words> {
  return new Promise((resolve, reject) => {
    let words: Words | undefined;
    let errors = "";
    const timer = setTimeout(() => {
      reject(new Error(`${program} held nothing within ${timeoutMs} ms ${errors}`));
      child.kill("SIGTERM");
    }, timeoutMs);
    child.stderr.on("data", (chunk) => errors += chunk);
    createInterface(child.stdout).on("line", (line) => {
      // What a near miss holds may drown in what the kernel gives back meanwhile.
      const match = /^held (-?\d+) (.*)/.exec(line);
      if (match === null) return;
      const heldBytes = Number(match[1]);
      if (words === undefined) {
        clearTimeout(timer);
        resolve(words = { heldBytes, note: match[2]! });
      } else words.heldBytes = heldBytes;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`${program} ended (${code ?? signal}): ${errors.trim()}`));
    });
  });
}

/** Holds a fault for as long as `work` runs. */
export async function withFault<T>(
  program: string,
  args: FaultArgs,
  work: (held: HeldFault) => Promise<T>,
  options: HoldOptions = {},
): Promise<T> {
  const held = await holdFault(program, args, options);
  try {
    return await work(held);
  } finally {
    await held.release();
  }
}

/** For `afterAll`: ends whatever a failed test left behind. */
export async function releaseAll(): Promise<void> {
  await Promise.all([...holding].map((held) => held.release()));
}
