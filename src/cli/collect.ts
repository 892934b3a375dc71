import * as fs from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Redactor } from "../bundle/redact.ts";
import { readTar } from "../bundle/tar.ts";
import { tarSink } from "../bundle/tar_write.ts";
import type { Analyzer } from "../core/analyzer.ts";
import type { Entry } from "../core/bundle.ts";
import { fileEntries } from "../bundle/files.ts";
import type { Collector } from "../core/collector.ts";
import type { Sink } from "../core/host.ts";
import type { Status } from "../core/manifest.ts";
import { sumOf } from "../core/sums.ts";
import {
  bundleName,
  chooseCollectors,
  collect,
  collectDefaults,
  type CollectOptions,
  memorySink,
  type RecordedHistory,
  UnknownCollectorError,
} from "../engine/collect.ts";
import type { Plugins } from "../engine/plugins.ts";
import { emitScript } from "../engine/emit_script.ts";
import { type NodeHost, nodeHost } from "../host/node.ts";
import { nodeGunzip } from "../host/node_input.ts";
import { gzipOutput } from "../host/node_output.ts";
import { collectors } from "../preset_collectors.ts";
import { checkRoot, endDespiteStuckReads, positive, yieldToTheHost } from "./_live_host.ts";
import { openMapping, openPrivate } from "./_private_file.ts";
import { collectProgress } from "./_progress.ts";
import { type Command, UsageError } from "./_command.ts";
import { pluginFiles, pluginHelp, pluginOptions, withPlugins } from "./_plugins.ts";
import { print, say } from "./_say.ts";

/** Where the systemd unit and the DaemonSet in samples/deploy let the recorder write. */
const DEFAULT_RING = "/var/lib/nailhouse/ring";

const help = `nailhouse collect [-o FILE|-] [--snapshots N] [--interval SEC] [--root DIR] [--only IDS] [--skip IDS]
                  [--timeout SEC] [--max-size MB] [--history DIR|FILE]... [--redact] [--quiet]
                  [--plugin FILE]...
nailhouse collect --emit-script [--plugin FILE]...

Captures what tells where this host's memory is, into one .tgz file. Needs root for all of it; without, it captures what it may.

  -o, --output    the bundle; - for standard output (default: nailhouse-HOST-TIME.tgz in this directory)
  --snapshots     how often to look (default ${collectDefaults.snapshots}): growth shows only over more than one
  --interval      seconds from one snapshot to the next (default ${collectDefaults.intervalSeconds})
  --root          where the host's root directory is mounted, if this runs in a container
  --only, --skip  collectors to run or to leave out, separated by commas: ${
  collectors.map((each) => each.id).join(", ")
}
  --timeout       seconds for the whole (default ${collectDefaults.timeoutSeconds})
  --max-size      MB of captured files for the whole, before compression (default ${collectDefaults.maxBytes / 2 ** 20})
  --history       what was recorded before: a folder of nailhouse record (${DEFAULT_RING} is packed without being
                  asked for), or a file of sar, sadf, atop or a Prometheus range query
  --redact        with pseudonyms for hosts, users, addresses and arguments; what stands for what is written beside the bundle,
                  as FILE.map.json, and stays with you (see nailhouse redact --help)
${pluginHelp}
  --quiet         print nothing but errors
  --emit-script   print the same collectors as one POSIX sh script, for a host without a runtime

With Deno: -A, because it lets no program into /proc without. --emit-script: --allow-read.

  nailhouse collect --snapshots 6 --interval 10
  ssh host 'nailhouse collect -o -' > host.tgz
  nailhouse collect --emit-script | ssh host sh -s > host.tgz
`;

const commandOptions = {
  output: { type: "string", short: "o" },
  snapshots: { type: "string" },
  interval: { type: "string" },
  root: { type: "string", default: "/" },
  only: { type: "string" },
  skip: { type: "string" },
  timeout: { type: "string" },
  "max-size": { type: "string" },
  history: { type: "string", multiple: true, default: [] as string[] },
  redact: { type: "boolean", default: false },
  quiet: { type: "boolean", default: false },
  ...pluginOptions,
} as const;

type Recorded = NonNullable<CollectOptions["recorded"]>;

interface Settings {
  /** "-" for standard output; undefined for a new file in the current directory. */
  readonly output: string | undefined;
  readonly root: string;
  readonly history: readonly string[];
  readonly redact: boolean;
  readonly quiet: boolean;
  readonly options: CollectOptions;
  /** All collectors, and the analyzers that are not shipped. */
  readonly plugins: Plugins;
}

function ids(value: string | undefined): string[] | undefined {
  return value?.split(",").map((id) => id.trim()).filter((id) => id !== "");
}

/** Leaves out what was not given, so that the defaults hold. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >;
}

async function readSettings(args: string[]): Promise<Settings> {
  const { values } = parseArgs({ args, options: commandOptions });
  const maxMegabytes = positive("--max-size", values["max-size"], false);
  const options = given({
    snapshots: positive("--snapshots", values.snapshots, true),
    intervalSeconds: positive("--interval", values.interval, false),
    timeoutSeconds: positive("--timeout", values.timeout, false),
    maxBytes: maxMegabytes === undefined ? undefined : maxMegabytes * 2 ** 20,
    only: ids(values.only),
    skip: ids(values.skip),
  });
  const plugins = await withPlugins(pluginFiles(values), { analyzers: [], collectors });
  try {
    if (chooseCollectors(plugins.collectors, options).length === 0) {
      throw new UsageError("--only and --skip leave no collector to run");
    }
  } catch (error) {
    if (error instanceof UnknownCollectorError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
  checkRoot(values.root);
  if (values.redact && values.output === "-") {
    throw new UsageError("--redact writes a second file beside the bundle: -o names a file, not standard output");
  }
  const { output, root, history, redact, quiet } = values;
  return { output, root, history, redact, quiet, options, plugins };
}

/** Opens the bundle so that only its owner can read it: it tells command lines and addresses. */
function openOutput(output: string | undefined, name: string): { fd: number; path: string } {
  if (output === "-") return { fd: process.stdout.fd, path: "-" };
  if (output !== undefined) return { fd: openPrivate(output), path: output };
  for (let i = 1;; i++) {
    const path = `${name}${i === 1 ? "" : `-${i}`}.tgz`;
    try {
      return { fd: fs.openSync(path, "wx", 0o600), path };
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
  }
}

function snapshotsText({ snapshots }: Status): string {
  return snapshots.length === 1 ? "1 snapshot" : `${snapshots.length} snapshots`;
}

/** "3 not captured (not root)" */
function problemsText(status: Status, privileged: boolean): string {
  const count = sumOf(status.collectors, (each) => each.problems.length);
  const why = privileged ? "see nailhouse-status.json in it" : "not root";
  return `${count === 0 ? "" : `, ${count} not captured (${why})`}${
    status.stopped === null ? "" : `; ended early: ${status.stopped}`
  }`;
}

/** What `--history` named, and was expected to be in the bundle. */
function sayNotPacked({ collectors }: Status): void {
  for (const { path, reason } of collectors.find(({ id }) => id === "recorded")?.problems ?? []) {
    say(`nailhouse: not packed: ${path}: ${reason}`);
  }
}

/** What `--history` names, as this process sees it, and the usual ring of the host when no other one is named. */
async function recordedHistory(host: NodeHost, root: string, paths: readonly string[]): Promise<Recorded> {
  const here = root === "/" ? host : await nodeHost();
  const named = paths.map((path): RecordedHistory => ({
    kind: fs.statSync(path, { throwIfNoEntry: false })?.isFile() === true ? "file" : "ring",
    path: resolve(path),
    host: here,
  }));
  const usual: RecordedHistory = { kind: "ring", path: DEFAULT_RING, host, optional: true };
  return {
    history: named.some(({ kind }) => kind === "ring") ? named : [...named, usual],
    // Files of a ring are archives without an end: only what the compression says tells whether one is whole.
    unpack: (bytes, broken) => readTar(nodeGunzip(once(bytes), broken), () => {}),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Prints the shell collector; its own options are given to the script, not here. */
async function printScript(args: string[]): Promise<number> {
  const options = { "emit-script": { type: "boolean" }, ...pluginOptions } as const;
  if (
    parseArgs({ args, strict: false, options, tokens: true }).tokens.some(({ kind, ...each }) =>
      kind !== "option" || !("name" in each && each.name in options)
    )
  ) {
    throw new UsageError("--emit-script stands alone: the script has options of its own (sh collect.sh --help)");
  }
  const { values } = parseArgs({ args, options });
  const plugins = await withPlugins(pluginFiles(values), { analyzers: [], collectors });
  await print(emitScript(plugins.collectors));
  return 0;
}

/** What `--redact` needs; a host that is not redacted does not load it. */
interface Redaction {
  readonly redactor: Redactor;
  /** Redacts what goes into the sink. */
  readonly before: (sink: Sink) => Sink;
}

/** Only what analysis reads is passed on, so it takes the analyzers. */
async function loadRedaction(host: NodeHost, added: readonly Analyzer[]): Promise<Redaction> {
  const { redactingSink, Redactor } = await import("../bundle/redact.ts");
  const { presetSources } = await import("../engine/analyze.ts");
  const { preset } = await import("../preset.ts");
  const redactor = new Redactor(host.facts, presetSources({ ...preset, analyzers: [...preset.analyzers, ...added] }));
  return { redactor, before: (sink) => redactingSink(redactor, sink) };
}

/** Carries out `nailhouse collect`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  if (args.includes("--emit-script")) return await printScript(args);
  const { output, root, history, redact, quiet, options, plugins } = await readSettings(args);
  const host = await nodeHost({ root });
  await yieldToTheHost(host);
  const redaction = redact ? await loadRedaction(host, plugins.analyzers) : undefined;
  const name = redaction === undefined ? bundleName(host) : redaction.redactor.root(bundleName(host));
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  const progress = collectProgress(quiet);
  let path = output ?? `${name}.tgz`;
  try {
    const opened = openOutput(output, name);
    path = opened.path;
    const map = redaction === undefined ? undefined : openMapping(path);
    const gzip = gzipOutput(opened.fd);
    const tar = tarSink(name, gzip);
    const sink = redaction === undefined ? tar : redaction.before(tar);
    const recorded = await recordedHistory(host, root, history);
    const status = await collect(
      host,
      plugins.collectors,
      sink,
      { ...options, recorded, signal: interruption.signal },
      progress.show,
    );
    await tar.end();
    await gzip.close();
    if (redaction !== undefined) map?.write(redaction.redactor.mapping());
    progress.end();
    if (!quiet) {
      sayNotPacked(status);
      const where = path === "-" ? "the bundle is on standard output" : path;
      const next = path === "-" ? "nailhouse analyze FILE" : `nailhouse analyze ${path}`;
      const problems = problemsText(status, host.facts.euid === 0);
      say(
        `${where}: ${(gzip.size() / 2 ** 20).toFixed(1)} MiB, ${snapshotsText(status)}${problems}; next: ${next}`,
      );
    }
    await endDespiteStuckReads(host, "the bundle is complete without them");
    return interruption.signal.aborted ? 130 : 0;
  } catch (error) {
    progress.end();
    if (!(error instanceof Error && "syscall" in error)) throw error;
    // 1 would say that something was found.
    say(`nailhouse: Cannot write the bundle ${path}: ${error.message}`);
    return 2;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
  }
}

/** Collects this host into memory, for `nailhouse analyze /`. */
export async function collectHere(collectors: readonly Collector[]): Promise<Iterable<Entry>> {
  const host = await nodeHost();
  const sink = memorySink();
  const progress = collectProgress(false);
  const recorded = await recordedHistory(host, "/", []);
  const status = await collect(host, collectors, sink, { recorded }, progress.show);
  progress.end();
  const problems = problemsText(status, host.facts.euid === 0);
  if (problems !== "") say(`collected this host${problems}`);
  return fileEntries(sink.files);
}

export const collectCommand: Command = {
  run,
  help,
  options: { ...commandOptions, "emit-script": { type: "boolean" } },
  optionWords: {
    output: "paths",
    root: "paths",
    only: collectors.map(({ id }) => id),
    skip: collectors.map(({ id }) => id),
    history: "paths",
    plugin: "paths",
  },
  words: [],
};
