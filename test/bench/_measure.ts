/** What a command costs: time, CPU and memory of all its processes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { formatBytes } from "../../src/core/format.ts";

/** A command line; what it writes goes into `scratch`, which is removed afterwards. */
export type Command = (scratch: string) => readonly string[];

/** One run. What cannot be measured is NaN: without root no cgroup can be made. */
export interface Cost {
  readonly wallSeconds: number;
  /** User and system time of all processes. */
  readonly cpuSeconds: number;
  /** The most that all processes had charged to them at one time: their own memory, the kernel's for them, page cache. */
  readonly treePeakBytes: number;
  /** Resident memory of the largest of the processes. */
  readonly processPeakBytes: number;
}

/** One line of the table. */
export interface Row {
  /** What is compared with what. */
  readonly name: string;
  readonly measure: string;
  /** As they were measured, ours first. */
  readonly figures: string;
  /** Ours by the other's, or what is limited itself. */
  readonly value: string;
  readonly limit?: string;
  /** Undefined where there is no limit, or nothing could be measured. */
  readonly met?: boolean;
}

/** How thorough a run is. */
export interface Settings {
  /** Each command is run so often. */
  readonly runs: number;
  /** The sizes of what is made are divided by this. */
  readonly divisor: number;
}

/** One file of this folder. */
export interface Family {
  /** Programs that are needed, and the Debian packages that have them. */
  readonly needs: { readonly [program: string]: string };
  /** What bounds its figures. */
  readonly about: string;
  rows(settings: Settings): AsyncIterable<Row>;
}

/** What may be limited of a comparison, each as ours by the other's. */
export interface Limits {
  readonly wall?: number;
  readonly cpu?: number;
  /** Of all processes of the command together. */
  readonly memory?: number;
}

const CGROUP_V1 = "/sys/fs/cgroup/memory";
const CPU_V1 = "/sys/fs/cgroup/cpuacct";
const CGROUP_V2 = "/sys/fs/cgroup";

/** Control groups in which a command is run: they count what its children used, too, and theirs, if it waited for them or not. */
interface Cgroups {
  /** One in version 2, two in version 1. */
  readonly folders: readonly string[];
  readonly peakBytes: () => number;
  /** To be asked when all processes have ended. */
  readonly cpuSeconds: () => number;
}

/** New ones, where this system has them (the peak in version 2: since Linux 5.19). */
function makeCgroups(): Cgroups | undefined {
  const v1 = existsSync(join(CGROUP_V1, "memory.max_usage_in_bytes"));
  const folders = (v1 ? [CGROUP_V1, CPU_V1] : [CGROUP_V2]).map((top) => join(top, `nailhouse-bench-${process.pid}`));
  const [memory, cpu = memory] = folders as [string, string?];
  try {
    for (const folder of folders) mkdirSync(folder);
  } catch (error) {
    console.error(`memory and CPU of all processes are not measured: ${(error as Error).message}`);
    return undefined;
  }
  const numberIn = (path: string, pattern: RegExp): number =>
    existsSync(path) ? Number(pattern.exec(readFileSync(path, "utf8"))?.[1]) : NaN;
  return {
    folders,
    peakBytes: () => numberIn(join(memory, v1 ? "memory.max_usage_in_bytes" : "memory.peak"), /^(\d+)/),
    cpuSeconds: () =>
      v1
        ? numberIn(join(cpu, "cpuacct.usage"), /^(\d+)/) / 1e9
        : numberIn(join(cpu, "cpu.stat"), /^usage_usec (\d+)/m) / 1e6,
  };
}

/** Waits for what the command left behind, such as a watchdog that is about to notice its end. */
function waitForRest({ folders: [folder = ""] }: Cgroups): void {
  for (let waits = 0; readFileSync(join(folder, "cgroup.procs"), "utf8") !== ""; waits++) {
    if (waits === 100) throw new Error(`${folder}: processes of the command are still running after 10 s: end them`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

/** Runs a command to its end. Its output is thrown away; an error when it fails. */
export function measure(command: Command): Cost {
  const scratch = mkdtempSync(join(tmpdir(), "nailhouse-bench-"));
  const cgroups = makeCgroups();
  try {
    const peak = join(scratch, "peak");
    const timed = ["/usr/bin/time", "-f", "%M", "-o", peak, ...command(scratch)];
    const enter = cgroups === undefined ? [] : [
      "sh",
      "-c",
      `set -e; for group in ${cgroups.folders.join(" ")}; do echo $$ > $group/cgroup.procs; done; exec "$@"`,
      "sh",
    ];
    const [program, ...args] = [...enter, ...timed] as [string, ...string[]];
    const start = performance.now();
    const { status, error, stderr } = spawnSync(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
    const wallSeconds = (performance.now() - start) / 1000;
    if (status !== 0) throw new Error(`Cannot measure ${timed.slice(5).join(" ")}: ${error?.message ?? stderr}`);
    if (cgroups !== undefined) waitForRest(cgroups);
    return {
      wallSeconds,
      cpuSeconds: cgroups?.cpuSeconds() ?? NaN,
      treePeakBytes: cgroups?.peakBytes() ?? NaN,
      processPeakBytes: Number(readFileSync(peak, "utf8")) * 1024,
    };
  } finally {
    for (const folder of cgroups?.folders ?? []) rmdirSync(folder);
    rmSync(scratch, { recursive: true });
  }
}

/** The median of each cost. */
export function median(costs: readonly Cost[]): Cost {
  const middle = (key: keyof Cost): number => {
    const sorted = costs.map((cost) => cost[key]).sort((a, b) => a - b);
    const half = (sorted.length - 1) / 2;
    return ((sorted[Math.floor(half)] as number) + (sorted[Math.ceil(half)] as number)) / 2;
  };
  return {
    wallSeconds: middle("wallSeconds"),
    cpuSeconds: middle("cpuSeconds"),
    treePeakBytes: middle("treePeakBytes"),
    processPeakBytes: middle("processPeakBytes"),
  };
}

/** Runs the commands by turns, so that all see the same machine. The first turn, which may find cold caches, is an outlier to the median. */
export function measureByTurns(commands: readonly Command[], runs: number): Cost[] {
  const costs = commands.map((): Cost[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, command] of commands.entries()) costs[index]?.push(measure(command));
  }
  return costs.map(median);
}

const seconds = (value: number): string => `${value.toFixed(2)} s`;

/** The row of a value that has a limit, or none. */
export function limited(
  row: Pick<Row, "name" | "measure" | "figures">,
  value: number,
  limit: number | undefined,
  format: (value: number) => string = (each) => each.toFixed(2),
): Row {
  if (Number.isNaN(value)) return { ...row, value: "not measured" };
  if (limit === undefined) return { ...row, value: format(value) };
  return { ...row, value: format(value), limit: format(limit), met: value <= limit };
}

/** The rows of two costs. */
export function ratios(name: string, ours: Cost, theirs: Cost, limits: Limits): Row[] {
  const row = (measure: string, key: keyof Cost, limit: number | undefined, format: (value: number) => string): Row =>
    limited(
      { name, measure, figures: `${format(ours[key])} : ${format(theirs[key])}` },
      ours[key] / theirs[key],
      limit,
    );
  return [
    row("wall time", "wallSeconds", limits.wall, seconds),
    row("CPU time", "cpuSeconds", limits.cpu, seconds),
    row("peak memory", "treePeakBytes", limits.memory, formatBytes),
  ];
}
