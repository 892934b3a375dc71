/** What a command costs: time, CPU and memory of all its processes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

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

/** Two commands for the same task. */
export interface Comparison {
  readonly name: string;
  readonly ours: Command;
  readonly theirs: Command;
}

/** One file of this folder. */
export interface Family {
  /** Programs that are compared with, and the Debian packages that have them. */
  readonly needs: { readonly [program: string]: string };
  readonly comparisons: readonly Comparison[];
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
    if (cgroup !== undefined) rmdirSync(cgroup.folder);
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
