/**
 * Collects: carries out what collectors declare, on whatever host, into whatever takes it. Knows no path and no program
 * itself.
 */
import type { Capture, Collector } from "../core/collector.ts";
import type { Host, Sink } from "../core/host.ts";
import type { CollectorStatus, Manifest, Status } from "../core/manifest.ts";
import { version } from "../core/version.ts";
import { captureCommand, captureFile, captureFolder, captureTree } from "./_files.ts";
import { captureNamespaces } from "./_namespaces.ts";
import { capturePageFlags } from "./_page_flags.ts";
import { captureProcesses, captureSocketOwners } from "./_processes.ts";
import { packRecorded, type RecordedHistory, type Unpack } from "./_recorded.ts";
import { Run, Stopped } from "./_run.ts";

export type { RecordedHistory, Unpack } from "./_recorded.ts";

/** How a bundle is collected; what is left out is `collectDefaults`. */
export interface CollectOptions {
  /** How often to look: growth needs more than one. */
  readonly snapshots?: number;
  /** From the start of one snapshot to the start of the next. */
  readonly intervalSeconds?: number;
  /** Ids of the collectors to run; all when left out. */
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  /** For the whole. */
  readonly timeoutSeconds?: number;
  /** For the whole, before compression. */
  readonly maxBytes?: number;
  /** What was recorded before, packed after everything else; `unpack` reads the files of a ring. */
  readonly recorded?: { readonly history: readonly RecordedHistory[]; readonly unpack: Unpack };
  /** Ends collecting early; what was captured is a complete bundle. */
  readonly signal?: AbortSignal;
}

/** Three points tell a trend from a step, and ten seconds are what somebody about to reboot waits for. */
export const collectDefaults: {
  readonly snapshots: number;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly maxBytes: number;
} = {
  snapshots: 3,
  intervalSeconds: 5,
  // Five minutes: a host on which much hangs still yields its bundle before somebody's patience ends.
  timeoutSeconds: 300,
  // Half of what analyzing accepts at most.
  maxBytes: 512 * 2 ** 20,
};

/** What collecting is doing. Snapshots count from 1. */
export type CollectEvent =
  | {
    readonly kind: "collector";
    readonly snapshot: number;
    readonly snapshots: number;
    readonly id: string;
    readonly index: number;
    readonly of: number;
  }
  | {
    readonly kind: "snapshot";
    readonly snapshot: number;
    readonly snapshots: number;
    readonly files: number;
    readonly bytes: number;
  }
  | { readonly kind: "recorded" }
  | { readonly kind: "waiting"; readonly snapshot: number; readonly snapshots: number; readonly seconds: number };

/** Thrown for an id in `only` or `skip` that no collector has. */
export class UnknownCollectorError extends RangeError {
  constructor(id: string, collectors: readonly Collector[]) {
    super(`there is no collector "${id}"; there are ${collectors.map((each) => each.id).join(", ")}`);
    this.name = "UnknownCollectorError";
  }
}

/**
 * The collectors that the options choose, in the order in which they run.
 *
 * @throws {UnknownCollectorError} If an id is none of theirs.
 */
export function chooseCollectors(collectors: readonly Collector[], { only, skip = [] }: CollectOptions): Collector[] {
  for (const id of [...(only ?? []), ...skip]) {
    if (!collectors.some((each) => each.id === id)) throw new UnknownCollectorError(id, collectors);
  }
  return collectors.filter(({ id }) => (only === undefined || only.includes(id)) && !skip.includes(id))
    .sort((a, b) => a.priority - b.priority);
}

/**
 * The bundle's root directory, from the host and the time: `nailhouse-HOST-20261123T060102Z`.
 *
 * @example
 * ```ts
 * import { bundleName, memoryHost } from "nailhouse/host";
 * import { equal } from "node:assert";
 *
 * const host = memoryHost({ files: {}, facts: { hostname: "web1" }, now: Date.UTC(2026, 10, 23, 6, 1, 2) });
 * equal(bundleName(host), "nailhouse-web1-20261123T060102Z");
 * ```
 */
export function bundleName(host: Host): string {
  const time = new Date(host.now()).toISOString().replace(/\.\d+|[-:]/g, "");
  return `nailhouse-${host.facts.hostname.replace(/[^\w.-]/g, "_").slice(0, 64)}-${time}`;
}

function isChanging(capture: Capture): boolean {
  return "changing" in capture && capture.changing !== undefined;
}

function minQueuedBytes(collectors: readonly Collector[]): number | undefined {
  const captures = collectors.flatMap((each) => each.captures).filter((each) => each.kind === "socket-owners");
  return captures.length === 0 ? undefined : Math.min(...captures.map((each) => each.minQueuedBytes));
}

/** Carries out one capture. */
export function runCapture(run: Run, capture: Capture): Promise<void> {
  switch (capture.kind) {
    case "file":
      return captureFile(run, capture);
    case "command":
      return captureCommand(run, capture);
    case "netns":
      return captureNamespaces(run, capture);
    case "process":
      return captureProcesses(run, capture);
    case "socket-owners":
      return captureSocketOwners(run, capture);
    case "page-flags":
      return capturePageFlags(run, capture);
    case "folder":
      return captureFolder(run, capture);
    case "tree":
      return captureTree(run, capture);
  }
}

/** What is said of the host and of how it was captured, from now on. */
export function manifestOf(
  { facts, now }: Host,
  collectors: readonly Collector[],
  snapshots: number,
  intervalSeconds: number,
): Manifest {
  return {
    schemaVersion: 1,
    tool: { name: "nailhouse", version },
    host: {
      hostname: facts.hostname,
      kernelRelease: facts.kernelRelease,
      machine: facts.machine,
      pageSizeBytes: facts.pageSizeBytes,
      userHz: facts.userHz,
      cpus: facts.cpus,
    },
    capturedAt: iso(now()),
    privileged: facts.euid === 0,
    snapshots,
    intervalSeconds,
    collectors: collectors.map((each) => each.id),
  };
}

/**
 * Collects a bundle.
 *
 * Only a sink that fails makes this fail. Whatever a file, a program or a limit does is noted in the status that it
 * returns, which is also the last entry of the bundle.
 *
 * @example
 * ```ts
 * import { collectors } from "nailhouse";
 * import { collect, memoryHost, memorySink } from "nailhouse/host";
 * import { ok, equal } from "node:assert";
 *
 * // await nodeHost() is this machine.
 * const host = memoryHost({ files: { "/proc/meminfo": "MemTotal: 1000 kB\n" } });
 * const sink = memorySink();
 * const status = await collect(host, collectors, sink, { snapshots: 2, intervalSeconds: 1 });
 * equal(status.stopped, null);
 * ok(sink.files.has(`history/${status.snapshots[1]}/proc/meminfo`));
 * ```
 *
 * @throws {UnknownCollectorError} If `only` or `skip` name a collector that is not there.
 */
export async function collect(
  host: Host,
  collectors: readonly Collector[],
  sink: Sink,
  options: CollectOptions = {},
  onEvent: (event: CollectEvent) => void = () => {},
): Promise<Status> {
  const { snapshots, intervalSeconds, ...whole } = { ...collectDefaults, ...options };
  const chosen = chooseCollectors(collectors, options);
  const run = new Run(host, sink, whole, minQueuedBytes(chosen));
  const start = host.now();
  await writeJson(host, sink, "nailhouse.json", manifestOf(host, chosen, snapshots, intervalSeconds));
  const times: string[] = [];
  const stopped = await untilStopped(async () => {
    let due = start;
    for (let snapshot = 1; snapshot <= snapshots; snapshot++) {
      if (snapshot > 1) {
        // After a slow one, of a host that hardly runs, the rest keep their distance: it is what tells growth.
        due = Math.max(due + intervalSeconds * 1000, host.now());
        onEvent({ kind: "waiting", snapshot, snapshots, seconds: Math.max(0, due - host.now()) / 1000 });
        await run.sleepUntil(due);
      }
      times.push(iso(snapshot === 1 ? start : host.now()));
      run.startSnapshot(snapshot === 1 ? "" : `history/${times.at(-1)}/`);
      await takeSnapshot(
        run,
        chosen,
        (id, index) => onEvent({ kind: "collector", snapshot, snapshots, id, index, of: chosen.length }),
      );
      onEvent({ kind: "snapshot", snapshot, snapshots, ...run.captured });
    }
    const { recorded } = options;
    if (recorded !== undefined && recorded.history.length > 0) {
      onEvent({ kind: "recorded" });
      await packRecorded(run, recorded.history, recorded.unpack);
    }
  });
  const status: Status = {
    schemaVersion: 1,
    finishedAt: iso(host.now()),
    snapshots: times,
    stopped,
    collectors: run.statuses() satisfies CollectorStatus[],
  };
  await writeJson(host, sink, "nailhouse-status.json", status);
  await sink.flush();
  return status;
}

async function takeSnapshot(
  run: Run,
  collectors: readonly Collector[],
  onCollector: (id: string, index: number) => void,
): Promise<void> {
  for (const [index, { id, captures }] of collectors.entries()) {
    const due = run.first ? captures : captures.filter(isChanging);
    if (due.length === 0) continue;
    onCollector(id, index);
    await run.as(id, async () => {
      for (const capture of due) {
        run.checkpoint();
        await runCapture(run, capture);
      }
    });
    await run.flush();
  }
}

/** Why the work was stopped by a limit or an interruption; null when it came to its end. */
async function untilStopped(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof Stopped) return error.message;
    throw error;
  }
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Writes one of the two files in which a bundle describes itself. */
export async function writeJson(host: Host, sink: Sink, path: string, value: Manifest | Status): Promise<void> {
  await sink.file(path, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`), host.now());
}

/** A sink that keeps the files in memory, to analyze a live host without an archive. */
export interface MemorySink extends Sink {
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Makes an empty {@linkcode MemorySink}.
 *
 * @example
 * ```ts
 * import { memorySink } from "nailhouse/host";
 * import { deepEqual } from "node:assert";
 *
 * const sink = memorySink();
 * await sink.file("proc/uptime", new TextEncoder().encode("1.00 2.00\n"), 0);
 * deepEqual([...sink.files.keys()], ["proc/uptime"]);
 * ```
 */
export function memorySink(): MemorySink {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    file(path, bytes) {
      files.set(path, bytes.slice());
      return Promise.resolve();
    },
    flush: () => Promise.resolve(),
  };
}
