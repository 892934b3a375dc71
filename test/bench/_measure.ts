/** What a command costs: time, CPU and memory of all its processes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { formatBytes } from "../../src/core/format.ts";

/** A command line; what it writes goes into `scratch`, which is removed afterwards. */
export type Command = (scratch: string) => readonly string[];

/** One run. What cannot be measured is NaN: without root no memory cgroup can be made. */
export interface Cost {
  readonly wallSeconds: number;
  /** User and system time of the command and all its children. */
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
const CGROUP_V2 = "/sys/fs/cgroup";

/** A new cgroup's folder and the file with its peak, where this system has them (version 2: since Linux 5.19). */
function memoryCgroup(): { readonly folder: string; readonly peakFile: string } | undefined {
  const v1 = existsSync(join(CGROUP_V1, "memory.max_usage_in_bytes"));
  const folder = join(v1 ? CGROUP_V1 : CGROUP_V2, `nailhouse-bench-${process.pid}`);
  const peakFile = join(folder, v1 ? "memory.max_usage_in_bytes" : "memory.peak");
  try {
    mkdirSync(folder);
  } catch (error) {
    console.error(`the memory of all processes is not measured: ${(error as Error).message}`);
    return undefined;
  }
  if (existsSync(peakFile)) return { folder, peakFile };
  rmdirSync(folder);
  return undefined;
}

/** Waits for what the command left behind, such as a watchdog that is about to notice its end. */
function removeCgroup(folder: string): void {
  for (let waits = 0; readFileSync(join(folder, "cgroup.procs"), "utf8") !== ""; waits++) {
    if (waits === 100) throw new Error(`${folder}: processes of the command are still running after 10 s: end them`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  rmdirSync(folder);
}

/** Runs a command to its end. Its output is thrown away; an error when it fails. */
export function measure(command: Command): Cost {
  const scratch = mkdtempSync(join(tmpdir(), "nailhouse-bench-"));
  const cgroup = memoryCgroup();
  try {
    const times = join(scratch, "times");
    const timed = ["/usr/bin/time", "-f", "%U %S %M", "-o", times, ...command(scratch)];
    const enter = cgroup === undefined
      ? []
      : ["sh", "-c", 'echo $$ > "$0" && exec "$@"', `${cgroup.folder}/cgroup.procs`];
    const [program, ...args] = [...enter, ...timed] as [string, ...string[]];
    const start = performance.now();
    const { status, error, stderr } = spawnSync(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
    const wallSeconds = (performance.now() - start) / 1000;
    if (status !== 0) throw new Error(`Cannot measure ${timed.slice(5).join(" ")}: ${error?.message ?? stderr}`);
    const [user, system, kilobytes] = readFileSync(times, "utf8").split(" ").map(Number) as [number, number, number];
    return {
      wallSeconds,
      cpuSeconds: user + system,
      treePeakBytes: cgroup === undefined ? NaN : Number(readFileSync(cgroup.peakFile, "utf8")),
      processPeakBytes: kilobytes * 1024,
    };
  } finally {
    if (cgroup !== undefined) removeCgroup(cgroup.folder);
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
