/** What the bundle says of the machine it came from. A constant that is not in the bundle is undefined: this machine's own is never used. */
export interface HostFacts {
  readonly hostname?: string;
  readonly kernelRelease?: string;
  /** Machine type as `uname -m` prints it. */
  readonly machine?: string;
  readonly pageSizeBytes?: number;
  /** Clock ticks a second, the unit of times in /proc/PID/stat. */
  readonly userHz?: number;
  /** Those online; without a manifest those that there may be, where the log tells it. */
  readonly cpus?: number;
  /** Milliseconds since 1970, when the first snapshot was taken. */
  readonly capturedAt?: number;
  /** False when the collector ran without root: absent files may be denied ones. */
  readonly privileged?: boolean;
}

/** What a parser gets besides the text. */
export interface ParseContext {
  readonly facts: HostFacts;
  /** Reports a row that was skipped; the rows around it are kept. */
  readonly warn: (line: number, message: string) => void;
}

/** A parsed file and where in the bundle it stands. */
export interface Parsed<T> {
  readonly path: string;
  readonly value: T;
}

/** Something that was not captured, and what would have captured it. */
export interface Missing {
  readonly path: string;
  readonly howToCapture: string;
}

/** The three ends of reading something from a bundle. Absent is a state of its own, never a zero. */
export type Captured<T> =
  | { readonly status: "ok"; readonly value: T }
  | { readonly status: "missing"; readonly missing: readonly Missing[] }
  | { readonly status: "failed"; readonly path: string; readonly message: string };

/** One snapshot of a bundle, as sources read it. */
export interface Reader {
  readonly facts: HostFacts;
  /** Milliseconds since 1970; undefined where a foreign bundle does not tell. */
  readonly time: number | undefined;
  /** Every snapshot since the host was last started that can be put in time, the recorder's history first, in time order. */
  readonly timeline: readonly Reader[];
  /** Those from before that start: nothing in them can be compared with what is now. */
  readonly earlier: readonly Reader[];
  /** Existing paths that match; `*` stands for one path segment or a part of one. Sorted. */
  paths(pattern: string): readonly string[];
  /** Parses a file of this snapshot. What came of it is kept by the source that asks: see `read`. */
  parse<T>(path: string, parse: (text: string, context: ParseContext) => T): Captured<Parsed<T>>;
  /** Reads another source in this snapshot, once. */
  read<T>(source: Source<T>): Captured<T>;
}

/** Something an analyzer can ask for: a parsed file, several, a derivation, a series. */
export interface Source<T> {
  readonly name: string;
  /** File patterns that this source reads, so that a streamed bundle keeps those and no others. */
  readonly patterns: readonly string[];
  read(reader: Reader): Captured<T>;
}

/** A named set of sources, as in `needs` and `uses`. */
export type Sources = { readonly [name: string]: Source<unknown> };

/** The values of a set of sources that are all there. */
export type Values<S extends Sources> = { readonly [K in keyof S]: S[K] extends Source<infer T> ? T : never };

/** The values of a set of sources each of which may be absent. */
export type MaybeValues<S extends Sources> = {
  readonly [K in keyof S]: (S[K] extends Source<infer T> ? T : never) | undefined;
};

/** Declares one captured file. */
export interface ArtifactDeclaration<T> {
  /** The kernel's or the program's own name for it. */
  readonly name: string;
  /** Where bundles and sosreports keep it: patterns, the best first. */
  readonly paths: readonly string[];
  /** A command that shows it on a host. */
  readonly howToCapture: string;
  readonly parse: (text: string, context: ParseContext) => T;
}

function notCaptured(declaration: ArtifactDeclaration<unknown>): Captured<never> {
  return {
    status: "missing",
    missing: [{ path: declaration.paths[0] ?? declaration.name, howToCapture: declaration.howToCapture }],
  };
}

/**
 * A file of which there is one in a snapshot: the first of its paths that exists.
 *
 * @example
 * ```ts
 * import { analyze, defineAnalyzer, defineArtifact, openBundle } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const count = defineArtifact({
 *   name: "count",
 *   paths: ["run/app/count"],
 *   howToCapture: "cat /run/app/count",
 *   parse: (text) => Number(text),
 * });
 * const cause = { id: "app-count", title: "The app counts", mechanism: "", lookAlikes: "", references: [] };
 * const analyzer = defineAnalyzer({
 *   ...cause,
 *   needs: { count },
 *   uses: {},
 *   analyze: ({ count: { path, value } }) => ({ ruledOut: `${path} says ${value}` }),
 * });
 * const report = analyze(await openBundle({ "run/app/count": "7" }, { plugins: [analyzer] }));
 * match(report.ruledOut.find(({ cause }) => cause === "app-count")?.because ?? "", /run\/app\/count says 7/);
 * ```
 */
export function defineArtifact<T>(declaration: ArtifactDeclaration<T>): Source<Parsed<T>> {
  return {
    name: declaration.name,
    patterns: declaration.paths,
    read(reader) {
      for (const pattern of declaration.paths) {
        const path = reader.paths(pattern)[0];
        if (path !== undefined) return reader.parse(path, declaration.parse);
      }
      return notCaptured(declaration);
    },
  };
}

/**
 * A file of which there are many in a snapshot (one a process, one a network namespace): all that match and parse.
 *
 * @example
 * ```ts
 * import { defineArtifacts } from "nailhouse";
 * import { deepEqual } from "node:assert";
 *
 * const counters = defineArtifacts({
 *   name: "counters of all workers",
 *   paths: ["run/app/counters.*"],
 *   howToCapture: "cat /run/app/counters.*",
 *   parse: (text) => Number(text),
 * });
 * // In an analyzer's needs it is a list: { path: "run/app/counters.1", value: 7 }, ...
 * deepEqual(counters.patterns, ["run/app/counters.*"]);
 * ```
 */
export function defineArtifacts<T>(declaration: ArtifactDeclaration<T>): Source<readonly Parsed<T>[]> {
  return {
    name: declaration.name,
    patterns: declaration.paths,
    read(reader) {
      const parsed: Parsed<T>[] = [];
      let failed: Captured<never> | undefined;
      for (const path of new Set(declaration.paths.flatMap((pattern) => reader.paths(pattern)))) {
        const captured = reader.parse(path, declaration.parse);
        if (captured.status === "ok") parsed.push(captured.value);
        else if (captured.status === "failed") failed ??= captured;
      }
      if (parsed.length > 0) return { status: "ok", value: parsed };
      return failed ?? notCaptured(declaration);
    },
  };
}

/**
 * Reads a set of sources of which every one must be there.
 *
 * @example
 * ```ts
 * import { analyze, defineAnalyzer, openBundle, readNeeds, type Source } from "nailhouse";
 * import { meminfo, vmstat } from "nailhouse/parsers";
 * import { deepEqual } from "node:assert";
 *
 * const both: Source<number> = {
 *   name: "free and used",
 *   patterns: [...meminfo.patterns, ...vmstat.patterns],
 *   read(reader) {
 *     const needed = readNeeds({ meminfo, vmstat }, reader);
 *     return needed.status === "ok" ? { status: "ok", value: needed.value.vmstat.value.size } : needed;
 *   },
 * };
 * const cause = { id: "my-cause", title: "Mine", mechanism: "", lookAlikes: "", references: [] };
 * const analyzer = defineAnalyzer({ ...cause, needs: { both }, uses: {}, analyze: ({ both }) => ({ ruledOut: `${both}` }) });
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1 kB\n" }, { plugins: [analyzer] }));
 * deepEqual(report.notAssessed.find(({ cause }) => cause === "my-cause")?.missing, ["proc/vmstat"]);
 * ```
 */
export function readNeeds<N extends Sources>(needs: N, reader: Reader): Captured<Values<N>> {
  const values: Record<string, unknown> = {};
  const missing: Missing[] = [];
  for (const [name, source] of Object.entries(needs)) {
    const captured = reader.read(source);
    if (captured.status === "failed") return captured;
    if (captured.status === "missing") missing.push(...captured.missing);
    else values[name] = captured.value;
  }
  return missing.length > 0 ? { status: "missing", missing } : { status: "ok", value: values as Values<N> };
}

/**
 * Reads a set of sources, each of which may be absent. A file that is broken counts as absent here; the reader has warned of it.
 *
 * @example
 * ```ts
 * import { analyze, defineAnalyzer, openBundle, readUses, type Source } from "nailhouse";
 * import { meminfo, vmstat } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * const both: Source<string> = {
 *   name: "what is there",
 *   patterns: [...meminfo.patterns, ...vmstat.patterns],
 *   read(reader) {
 *     const found = readUses({ meminfo, vmstat }, reader);
 *     return { status: "ok", value: Object.keys(found).filter((name) => found[name as "meminfo"] !== undefined).join() };
 *   },
 * };
 * const cause = { id: "my-cause", title: "Mine", mechanism: "", lookAlikes: "", references: [] };
 * const analyzer = defineAnalyzer({ ...cause, needs: { both }, uses: {}, analyze: ({ both }) => ({ ruledOut: `${both}` }) });
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1 kB\n" }, { plugins: [analyzer] }));
 * equal(report.ruledOut.find(({ cause }) => cause === "my-cause")?.because, "meminfo");
 * ```
 */
export function readUses<U extends Sources>(uses: U, reader: Reader): MaybeValues<U> {
  const values: Record<string, unknown> = {};
  for (const [name, source] of Object.entries(uses)) {
    const captured = reader.read(source);
    values[name] = captured.status === "ok" ? captured.value : undefined;
  }
  return values as MaybeValues<U>;
}

/**
 * Declares a value that is derived once and shared by analyzers.
 *
 * @example
 * ```ts
 * import { analyze, defineAnalyzer, defineComputed, formatBytes, openBundle } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * const dirty = defineComputed({
 *   name: "dirty pages",
 *   needs: { meminfo },
 *   uses: {},
 *   compute: ({ meminfo: { value } }) => value.bytes.get("Dirty")?.bytes,
 * });
 * const cause = { id: "my-cause", title: "Mine", mechanism: "", lookAlikes: "", references: [] };
 * const analyzer = defineAnalyzer({
 *   ...cause,
 *   needs: { dirty },
 *   uses: {},
 *   analyze: ({ dirty }) => ({ ruledOut: dirty === undefined ? "not told" : formatBytes(dirty) }),
 * });
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 9 kB\nDirty: 4 kB\n" }, { plugins: [analyzer] }));
 * equal(report.ruledOut.find(({ cause }) => cause === "my-cause")?.because, "4.00 KiB");
 * ```
 */
export function defineComputed<T, N extends Sources, U extends Sources>(declaration: {
  readonly name: string;
  readonly needs: N;
  readonly uses: U;
  readonly compute: (values: Values<N> & MaybeValues<U>, facts: HostFacts) => T;
}): Source<T> {
  const { name, needs, uses, compute } = declaration;
  return {
    name,
    patterns: [...Object.values(needs), ...Object.values(uses)].flatMap((source) => source.patterns),
    read(reader) {
      const needed = readNeeds(needs, reader);
      if (needed.status !== "ok") return needed;
      return { status: "ok", value: compute({ ...readUses(uses, reader), ...needed.value }, reader.facts) };
    },
  };
}

/** One value of a series. */
export interface TimePoint<T> {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly value: T;
}

function points<T>(source: Source<T>, snapshots: readonly Reader[]): Captured<readonly TimePoint<T>[]> {
  const found: TimePoint<T>[] = [];
  for (const snapshot of snapshots) {
    const captured = snapshot.read(source);
    if (captured.status === "ok" && snapshot.time !== undefined) {
      found.push({ time: snapshot.time, value: captured.value });
    }
  }
  return { status: "ok", value: found };
}

/**
 * The same source in every snapshot since the host was started that has it, in time order.
 *
 * @example
 * ```ts
 * import { defineAnalyzer, overTime } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { deepEqual } from "node:assert";
 *
 * const analyzer = defineAnalyzer({
 *   id: "my-cause",
 *   title: "Mine",
 *   mechanism: "",
 *   lookAlikes: "",
 *   references: [],
 *   needs: { series: overTime(meminfo) },
 *   uses: {},
 *   analyze: ({ series }) => ({ ruledOut: `${series.length} snapshots, the first at ${series[0]?.time}` }),
 * });
 * deepEqual(analyzer.needs["series"]?.patterns, ["proc/meminfo"]);
 * ```
 */
export function overTime<T>(source: Source<T>): Source<readonly TimePoint<T>[]> {
  const { name, patterns } = source;
  return { name: `${name} over time`, patterns, read: ({ timeline }) => points(source, timeline) };
}

/**
 * The same from before the host was started.
 *
 * @example
 * ```ts
 * import { defineAnalyzer, beforeStart } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { deepEqual } from "node:assert";
 *
 * const analyzer = defineAnalyzer({
 *   id: "my-cause",
 *   title: "Mine",
 *   mechanism: "",
 *   lookAlikes: "",
 *   references: [],
 *   needs: { series: beforeStart(meminfo) },
 *   uses: {},
 *   analyze: ({ series }) => ({ ruledOut: `${series.length} snapshots, the first at ${series[0]?.time}` }),
 * });
 * deepEqual(analyzer.needs["series"]?.patterns, ["proc/meminfo"]);
 * ```
 */
export function beforeStart<T>(source: Source<T>): Source<readonly TimePoint<T>[]> {
  const { name, patterns } = source;
  return { name: `${name} before the start`, patterns, read: ({ earlier }) => points(source, earlier) };
}

/** What goes on, and not what went on some day: a recorder's history may be of days. */
const LATELY_MS = 600_000;

/**
 * The snapshots of the last minutes.
 *
 * @example
 * ```ts
 * import { latest, type Reader } from "nailhouse";
 * import { deepEqual } from "node:assert";
 *
 * const at = (time: number): Reader => ({
 *   facts: {},
 *   time,
 *   timeline: [],
 *   earlier: [],
 *   paths: () => [],
 *   parse: (path) => ({ status: "missing", missing: [{ path, howToCapture: "" }] }),
 *   read: ({ name }) => ({ status: "missing", missing: [{ path: name, howToCapture: "" }] }),
 * });
 * const minutes = [0, 60, 61, 62].map((minute) => at(minute * 60_000));
 * deepEqual(latest(minutes), minutes.slice(1));
 * ```
 */
export function latest(timeline: readonly Reader[]): readonly Reader[] {
  const end = timeline.at(-1)?.time;
  return end === undefined ? [] : timeline.filter(({ time }) => time !== undefined && time >= end - LATELY_MS);
}

/**
 * The same source in the snapshots of the last minutes.
 *
 * @example
 * ```ts
 * import { defineAnalyzer, lately } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { deepEqual } from "node:assert";
 *
 * const analyzer = defineAnalyzer({
 *   id: "my-cause",
 *   title: "Mine",
 *   mechanism: "",
 *   lookAlikes: "",
 *   references: [],
 *   needs: { series: lately(meminfo) },
 *   uses: {},
 *   analyze: ({ series }) => ({ ruledOut: `${series.length} snapshots, the first at ${series[0]?.time}` }),
 * });
 * deepEqual(analyzer.needs["series"]?.patterns, ["proc/meminfo"]);
 * ```
 */
export function lately<T>(source: Source<T>): Source<readonly TimePoint<T>[]> {
  const { name, patterns } = source;
  return { name: `${name} lately`, patterns, read: ({ timeline }) => points(source, latest(timeline)) };
}
