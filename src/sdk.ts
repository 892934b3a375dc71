/** The short way in: a bundle from whatever it is, and a report from it, with everything that is shipped and the plug-ins that are given. */
import { type BundleFiles, fileEntries } from "./bundle/files.ts";
import type { BundleLimits } from "./bundle/limits.ts";
import { type ArchiveOptions, openArchive, type OpenOptions, readEntries } from "./bundle/open.ts";
import { load } from "./computed/load.ts";
import type { Bundle, Entry } from "./core/bundle.ts";
import type { Load, Observed } from "./core/comparison.ts";
import { BundleError } from "./core/errors.ts";
import type { Report } from "./core/report.ts";
import { analyze as runAnalyzers, type Preset, presetSources } from "./engine/analyze.ts";
import { addPlugins, type Plugin } from "./engine/plugins.ts";
import { openSnapshots } from "./engine/reader.ts";
import { collectors, preset } from "./preset.ts";

/**
 * What a bundle is opened from: an archive as its bytes, as a file of a page, or as a stream; files in memory; or the path of an archive or a
 * directory, which only Node, Deno and Bun have.
 */
export type BundleInput =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | BundleFiles;

/** How a bundle is opened. */
export interface OpenBundleOptions {
  /** Analyzers besides the shipped ones. Collectors among them are passed over: they are for `collect`. */
  readonly plugins?: readonly Plugin[];
  /** Those that are not given are `defaultLimits`. */
  readonly limits?: Partial<BundleLimits>;
  /** Looked at before each piece that is read. */
  readonly signal?: AbortSignal;
  /** Told after each piece how many bytes were read so far, as they are stored: compressed, in an archive. */
  readonly onProgress?: (readBytes: number) => void;
}

/** A bundle with what it is to be analyzed by: the files that nobody of these reads are not in it. */
export interface PresetBundle extends Bundle {
  readonly preset: Preset;
}

/** How a bundle is analyzed. */
export interface AnalyzeOptions {
  /** Told the id of each analyzer before it runs. */
  readonly onAnalyzer?: (id: string) => void;
}

/** How a runtime reads what it is given. */
export type RuntimeOptions = Pick<ArchiveOptions, "clock" | "decompress">;

// Not every browser's streams can be iterated.
async function* streamChunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
    // Whoever gave it may call its cancel(), too.
    reader.releaseLock();
  }
}

/**
 * The bytes of an archive; undefined for files in memory.
 *
 * @throws {TypeError} If it is nothing that a bundle is opened from.
 */
function chunksOf(input: Exclude<BundleInput, string | URL>): AsyncIterable<Uint8Array> | undefined {
  if (typeof input !== "object" || input === null) {
    throw new TypeError(
      `a bundle is opened from a path, bytes, a Blob, a stream or files in memory, not from ${input}`,
    );
  }
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) {
    return streamChunks(new Blob([input as Uint8Array<ArrayBuffer>]).stream());
  }
  if (input instanceof Blob) return streamChunks(input.stream());
  if (input instanceof ReadableStream) return streamChunks(input);
  return Symbol.asyncIterator in input ? input as AsyncIterable<Uint8Array> : undefined;
}

class Watch {
  readonly #options: OpenBundleOptions;
  #readBytes = 0;

  constructor(options: OpenBundleOptions) {
    this.#options = options;
  }

  async *chunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#options.signal?.throwIfAborted();
    for await (const chunk of chunks) {
      yield chunk;
      this.#read(chunk.length);
    }
  }

  async *entries(entries: AsyncIterable<Entry> | Iterable<Entry>): AsyncGenerator<Entry> {
    this.#options.signal?.throwIfAborted();
    for await (const entry of entries) {
      yield {
        ...entry,
        read: async (maxBytes, condenser) => {
          const content = await entry.read(maxBytes, condenser);
          this.#read(content.bytes.length);
          return content;
        },
      };
    }
  }

  #read(bytes: number): void {
    this.#options.signal?.throwIfAborted();
    this.#readBytes += bytes;
    this.#options.onProgress?.(this.#readBytes);
  }
}

function openingOf(
  options: OpenBundleOptions,
  runtime: RuntimeOptions,
): { readonly mine: Preset; readonly open: OpenOptions } {
  const { analyzers } = addPlugins({ analyzers: preset.analyzers, collectors }, options.plugins ?? []);
  const mine = { ...preset, analyzers };
  const sources = [...presetSources(mine), load];
  return { mine, open: { ...runtime, sources, ...(options.limits && { limits: options.limits }) } };
}

/** Opens an archive that comes in pieces. */
export async function openChunks(
  chunks: AsyncIterable<Uint8Array>,
  options: OpenBundleOptions,
  runtime: RuntimeOptions = {},
): Promise<PresetBundle> {
  const { mine, open } = openingOf(options, runtime);
  return { ...await openArchive(new Watch(options).chunks(chunks), open), preset: mine };
}

/** Opens files that stand on their own. `warnings` are taken over. */
export async function openFiles(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: OpenBundleOptions,
  runtime: RuntimeOptions = {},
  warnings: string[] = [],
): Promise<PresetBundle> {
  const { mine, open } = openingOf(options, runtime);
  const bundle = await readEntries(new Watch(options).entries(entries), open, warnings);
  if (bundle.files.size === 0) {
    throw new BundleError(
      "Cannot read the bundle: it has no file that a bundle or sosreport has (such as proc/meminfo)",
    );
  }
  return { ...bundle, preset: mine };
}

/**
 * Opens one bundle, sosreport, supportconfig, insights archive or kernel log, whatever it comes as. Nothing is extracted, and only what the
 * analyzers read is kept.
 *
 * @example
 * ```ts
 * import { analyze, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const bundle = await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" });
 * equal(analyze(bundle).host.totalBytes, 1_024_000);
 * ```
 *
 * @throws {BundleError} If it cannot be read, or holds several bundles (see `openArchives`); a `LimitError` if it is larger than it may be.
 * @throws {PluginError} If a plug-in is none.
 * @throws {TypeError} If it is a path, and this runtime has no files.
 */
export async function openBundle(input: BundleInput, options: OpenBundleOptions = {}): Promise<PresetBundle> {
  if (typeof input === "string" || input instanceof URL) {
    throw new TypeError(`Cannot open "${input}": there are no files here; give its bytes, a Blob or a stream`);
  }
  const chunks = chunksOf(input);
  return chunks === undefined
    ? await openFiles(fileEntries(input as BundleFiles), options)
    : await openChunks(chunks, options);
}

/**
 * From a bundle to a report. Pure: the same bundle gives the same report, byte for byte, and what an analyzer does wrong costs only itself.
 *
 * @param bundle From `openBundle`; one from `openArchives` or `readEntries` as `{ ...bundle, preset }`.
 *
 * @example
 * ```ts
 * import { analyze, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const report = analyze(await openBundle("samples/friend-push.tgz"));
 * equal(report.findings[0]?.cause, "socket-backlog-udp");
 * ```
 */
export function analyze(bundle: PresetBundle, options: AnalyzeOptions = {}): Report {
  return runAnalyzers(bundle, bundle.preset, options.onAnalyzer);
}

/**
 * The report of a bundle and the load that its host was under: one side for `compare`.
 *
 * @example
 * ```ts
 * import { compare, observe, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const before = observe(await openBundle("samples/friend-push.tgz"));
 * const after = observe(await openBundle("samples/friend-push-wudp.tgz"));
 * equal(compare(before, after).outcome, "fixed");
 * ```
 */
export function observe(bundle: PresetBundle, options: AnalyzeOptions = {}): Observed {
  return { report: analyze(bundle, options), load: loadOf(bundle) };
}

/** The load that a bundle's host was under; undefined where it does not tell. */
export function loadOf(bundle: Bundle): Load | undefined {
  const measured = openSnapshots(bundle).base.read(load);
  return measured.status === "ok" ? measured.value : undefined;
}
