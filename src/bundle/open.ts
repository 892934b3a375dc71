import { type Bundle, CONDENSE_FROM_BYTES, type Decompress, type Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { BundleError, LimitError } from "../core/errors.ts";
import type { Manifest } from "../core/manifest.ts";
import { matcher } from "../core/patterns.ts";
import type { HostFacts, Source } from "../core/source.ts";
import { FewWarnings, shortName } from "./_few.ts";
import { belowSnapshot, HistoryThinner, snapshotOf } from "./_history.ts";
import { IdleSockets } from "./_idle_sockets.ts";
import { insightsPath, SUPPORTCONFIG_FILES, supportconfigSections } from "./_layouts.ts";
import { bunzip2 } from "./bzip2.ts";
import { factsPaths, factsWithoutManifest } from "./facts.ts";
import { gunzip } from "./gzip.ts";
import { Budget, type BundleLimits } from "./limits.ts";
import { isKernelLog, kernelLogEntries, newestOf } from "./log.ts";
import { parseManifest, parseStatus } from "./manifest.ts";
import { isTar, readTar, type TarEntries } from "./tar.ts";
import { unxz } from "./xz.ts";
import { unzstd } from "./zstd.ts";

/** How an archive is read. */
export interface ArchiveOptions {
  /** Those that are not given are `defaultLimits`. */
  readonly limits?: Partial<BundleLimits>;
  /** Milliseconds since any moment, such as `performance.now`: without it time has no limit. */
  readonly clock?: () => number;
  /** Reads gzip, instead of the portable one. */
  readonly decompress?: Decompress;
}

/** How a bundle is opened, and which of its files are kept. */
export interface OpenOptions extends ArchiveOptions {
  /** Sources that will be read: files that none of them wants are passed over. */
  readonly sources: readonly Source<unknown>[];
}

/** The folder of a snapshot after the first. */
export const HISTORY: RegExp = /^history\/([^/]+)\//;
const MANIFEST = "nailhouse.json";
const STATUS = "nailhouse-status.json";
/** Folders that stand at the top of a bundle itself: a path that starts so has no root directory before it. */
const TOP_FOLDERS: ReadonlySet<string> = new Set([
  "proc",
  "sys",
  "sos_commands",
  "history",
  "history_imported",
  "insights_commands",
  "etc",
  "var",
  "run",
]);
/** The folder of an insights archive's files. */
const INSIGHTS_DATA = "data";

const utf8 = new TextDecoder();
const encoder = new TextEncoder();

function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** Splits a path; undefined when it tries to leave the bundle. */
function segments(path: string): string[] | undefined {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? undefined : parts;
}

/**
 * Where a link points, seen from the bundle's root; undefined when that is outside.
 *
 * @example
 * ```ts
 * import { linkDestination } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(linkDestination("proc/net", "self/net"), "proc/self/net");
 * equal(linkDestination("etc/passwd", "../../etc/passwd"), undefined);
 * ```
 */
export function linkDestination(path: string, target: string): string | undefined {
  const stack = target.startsWith("/") ? [] : path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") {
      if (stack.pop() === undefined) return undefined;
    } else if (part !== "" && part !== ".") stack.push(part);
  }
  return stack.join("/");
}

/** An entry, and its path without the one root directory of its bundle. A hard link is a symbolic one here. */
export interface PlacedEntry {
  readonly path: string;
  readonly entry: Entry;
}

/** Takes the folders away that stand around a bundle's own: the first entry that is no file at the top tells what they are called. */
class Root {
  #name: string | undefined;

  inside(parts: readonly string[], kind: Entry["kind"]): readonly string[] {
    const [first] = parts;
    if (this.#name === undefined && (kind !== "file" || parts.length !== 1)) {
      this.#name = first === undefined || TOP_FOLDERS.has(first) ? "" : first;
    }
    const below = first === this.#name ? parts.slice(1) : parts;
    return below[0] === INSIGHTS_DATA && TOP_FOLDERS.has(below[1] ?? "") ? below.slice(1) : below;
  }

  /** The same without taking the path apart, for one that has nothing special: almost all are so. */
  insidePlain(path: string, { maxDepth, maxPathBytes }: BundleLimits): string | undefined {
    const name = this.#name;
    if (name === undefined || name === "" || !path.startsWith(name) || path[name.length] !== "/") return undefined;
    // A folder takes two characters or more, and a character up to three bytes.
    const isShort = path.length <= 2 * maxDepth && 3 * path.length <= maxPathBytes;
    const isPlain = isShort && !path.includes("/.") && !path.includes("//") && !path.endsWith("/");
    return isPlain && !path.startsWith(INSIGHTS_DATA, name.length + 1) ? path.slice(name.length + 1) : undefined;
  }
}

/** A link from one path of the bundle to another, as it would be written there. */
function relativeTarget(path: string, target: string): string {
  return "../".repeat(path.split("/").length - 1) + target;
}

function sectionEntry(path: string, bytes: Uint8Array): Entry {
  return {
    path,
    kind: "file",
    read: (maxBytes) => Promise.resolve({ bytes: bytes.subarray(0, maxBytes), truncated: bytes.length > maxBytes }),
  };
}

/** Why an entry is passed over; undefined when it is not. */
function objection(parts: readonly string[] | undefined, path: string, limits: BundleLimits): string | undefined {
  if (parts === undefined) return "points outside the bundle";
  if (parts.length > limits.maxDepth + 1) return `is deeper than ${limits.maxDepth} folders (limit maxDepth)`;
  if (path.length > limits.maxPathBytes || utf8Length(path) > limits.maxPathBytes) {
    return `has a name of more than ${limits.maxPathBytes} bytes (limit maxPathBytes)`;
  }
  return undefined;
}

/** Finds the place of a bundle's entries. */
class Places {
  readonly #budget: Budget;
  readonly #warnings: string[];
  readonly #few: FewWarnings;
  readonly #root: Root = new Root();
  readonly #sections: Set<string> = new Set();

  constructor(budget: Budget, warnings: string[]) {
    this.#budget = budget;
    this.#warnings = warnings;
    this.#few = new FewWarnings(warnings);
  }

  /** Undefined for an entry that is passed over. */
  of(entry: Entry): PlacedEntry | undefined {
    const { limits } = this.#budget;
    this.#budget.entry();
    const plain = this.#root.insidePlain(entry.path, limits);
    if (plain !== undefined && entry.kind !== "hard-link") return { path: insightsPath(plain), entry };
    const parts = segments(entry.path);
    const problem = objection(parts, entry.path, limits);
    if (parts === undefined || problem !== undefined) {
      this.#few.add(String(problem), `the entry "${shortName(entry.path)}" ${problem}: passed over`);
      return undefined;
    }
    const path = insightsPath(this.#root.inside(parts, entry.kind).join("/"));
    if (entry.kind !== "hard-link") return { path, entry };
    const target = this.#root.inside(segments(entry.linkTarget ?? "") ?? [], entry.kind).join("/");
    return { path, entry: { ...entry, kind: "link", linkTarget: relativeTarget(path, target) } };
  }

  /** The files that stand in one of a supportconfig. */
  async sections({ path, entry }: PlacedEntry): Promise<readonly PlacedEntry[]> {
    const { bytes, truncated } = await entry.read(this.#budget.limits.maxFileBytes);
    if (truncated) this.#warnings.push(incomplete(path, bytes));
    const found: PlacedEntry[] = [];
    for (const section of supportconfigSections(bytes)) {
      // Some commands are run for several of the files.
      if (this.#sections.has(section.path)) continue;
      if (this.#sections.size === 0) {
        this.#warnings.push("a supportconfig: what is cited by path and line stands in the sections of its .txt files");
      }
      this.#sections.add(section.path);
      found.push({ path: section.path, entry: sectionEntry(section.path, section.bytes) });
    }
    return found;
  }

  end(): void {
    this.#few.end();
  }
}

function hasSections({ path, entry }: PlacedEntry): boolean {
  return entry.kind === "file" && SUPPORTCONFIG_FILES.has(path);
}

type Entries = AsyncIterable<Entry> | Iterable<Entry> | TarEntries;

async function* batchesOf(entries: Entries): AsyncGenerator<readonly Entry[]> {
  if ("batches" in entries) yield* entries.batches();
  else for await (const entry of entries) yield [entry];
}

/**
 * Finds each entry's place. What points outside the bundle is passed over with a warning.
 *
 * @example
 * ```ts
 * import { type Entry, placeEntries } from "nailhouse";
 * import { deepEqual } from "node:assert";
 *
 * const entry = (path: string): Entry => ({
 *   path,
 *   kind: "file",
 *   read: () => Promise.resolve({ bytes: new Uint8Array(0), truncated: false }),
 * });
 * const warnings: string[] = [];
 * const paths: string[] = [];
 * const entries = [entry("host-1/proc/meminfo"), entry("host-1/../../etc/shadow")];
 * for await (const { path } of placeEntries(entries, {}, warnings)) paths.push(path);
 * deepEqual([paths, warnings.length], [["proc/meminfo"], 1]);
 * ```
 *
 * @throws {LimitError} If there are too many.
 */
export async function* placeEntries(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: ArchiveOptions,
  warnings: string[],
): AsyncGenerator<PlacedEntry, void, undefined> {
  const places = new Places(new Budget(options.limits, options.clock), warnings);
  for await (const batch of batchesOf(entries)) {
    for (const entry of batch) {
      const placed = places.of(entry);
      if (placed === undefined) continue;
      if (hasSections(placed)) yield* await places.sections(placed);
      else yield placed;
    }
  }
  places.end();
}

/** Says that a file is not whole. */
function incomplete(path: string, bytes: Uint8Array): string {
  return bytes.length === 0
    ? `${shortName(path)} cannot be read: left out`
    : `${shortName(path)} is incomplete: its first ${bytes.length} bytes are used`;
}

/**
 * Patterns of the files that are kept for some sources.
 *
 * @example
 * ```ts
 * import { wantedPatterns } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { ok } from "node:assert";
 *
 * ok(wantedPatterns([meminfo]).includes("proc/meminfo"));
 * ```
 */
export function wantedPatterns(sources: readonly Source<unknown>[]): readonly string[] {
  const patterns = sources.flatMap((source) => source.patterns);
  // A sosreport has proc/net as a link to self/net, and proc/self as a link to a process: the files come before the links.
  const behindLink = patterns.filter((p) => p.startsWith("proc/net/")).map((p) => p.replace("proc/", "proc/*/"));
  return [...patterns, ...behindLink, ...factsPaths, MANIFEST, STATUS];
}

/** Small files are copied into blocks: an array of its own costs each some hundred bytes and a microsecond. */
const BLOCK_BYTES = 16 * 1024;

/** Copies what was read out of the chunk that it came in, which is larger. */
class Copies {
  /** Blocks in use, by the group that they were begun for. */
  readonly #blocks: Map<string | undefined, Uint8Array[]> = new Map();
  /** By size. The collector of garbage would be late: it does not see how large they are. */
  readonly #free: Map<number, Uint8Array[]> = new Map();
  #group: string | undefined;
  #block: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** @param group What lies together, and may be given up as a whole: a snapshot. */
  of(bytes: Uint8Array, group: string | undefined): Uint8Array {
    const isLarge = bytes.length > BLOCK_BYTES / 4;
    if (isLarge && group === undefined) return bytes.slice();
    const block = isLarge
      ? this.#take(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES, group)
      : this.#room(bytes.length, group);
    const from = isLarge ? 0 : this.#used;
    if (!isLarge) this.#used += bytes.length;
    const copy = block.subarray(from, from + bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** The block that has so much room behind what is used of it. */
  #room(size: number, group: string | undefined): Uint8Array {
    if (group !== this.#group || this.#used + size > this.#block.length) {
      this.#block = this.#take(BLOCK_BYTES, group);
      this.#group = group;
      this.#used = 0;
    }
    return this.#block;
  }

  #take(size: number, group: string | undefined): Uint8Array {
    const block = this.#free.get(size)?.pop() ?? new Uint8Array(size);
    const blocks = this.#blocks.get(group);
    if (blocks === undefined) this.#blocks.set(group, [block]);
    else blocks.push(block);
    return block;
  }

  /** Its copies are used no longer. */
  giveUp(group: string): void {
    for (const block of this.#blocks.get(group) ?? []) {
      const free = this.#free.get(block.length);
      if (free === undefined) this.#free.set(block.length, [block]);
      else free.push(block);
    }
    this.#blocks.delete(group);
  }
}

/** The files of one bundle, within its limits. */
class Kept {
  readonly files = new Map<string, Uint8Array>();
  readonly #first = { files: this.files, bytes: 0 };
  /** The others, by name. */
  readonly #snapshots = new Map<string, { readonly files: Map<string, Uint8Array>; bytes: number }>();
  readonly links = new Map<string, string>();
  readonly #limits: BundleLimits;
  readonly #warnings: string[];
  readonly #few: FewWarnings;
  readonly #idle: IdleSockets = new IdleSockets();
  readonly #copies: Copies = new Copies();
  readonly #history: HistoryThinner = new HistoryThinner((isKept) => this.#drop(isKept));
  #room: number;
  #isFull = false;

  constructor(limits: BundleLimits, warnings: string[]) {
    this.#limits = limits;
    this.#warnings = warnings;
    this.#few = new FewWarnings(warnings);
    this.#room = limits.maxTotalBytes;
  }

  /** Takes so much of the room, if there is as much. */
  #take(bytes: number): boolean {
    if (bytes <= this.#room) {
      this.#room -= bytes;
      return true;
    }
    if (!this.#isFull) {
      const { maxTotalBytes } = this.#limits;
      this.#warnings.push(`more than ${maxTotalBytes} bytes are of use: the rest is left out (limit maxTotalBytes)`);
    }
    this.#isFull = true;
    return false;
  }

  /** False for a file of a snapshot that is left out of a long history. */
  admits(path: string): boolean {
    const name = snapshotOf(path);
    return name === undefined || this.#history.admits(name);
  }

  #drop(isKept: (name: string) => boolean): number {
    let left = 0;
    for (const [name, snapshot] of this.#snapshots) {
      if (isKept(name)) left += snapshot.bytes;
      else {
        this.#snapshots.delete(name);
        this.#copies.giveUp(name);
        this.#room += snapshot.bytes;
      }
    }
    return left;
  }

  addLink(path: string, target: string): void {
    const destination = linkDestination(path, target);
    if (destination !== undefined && this.#take(path.length + destination.length)) this.links.set(path, destination);
  }

  /** Keeps a file: a promise when it must be read first. */
  addFile(path: string, entry: Entry): Promise<void> | undefined {
    if (!this.#take(path.length)) return undefined;
    const maxBytes = Math.min(this.#limits.maxFileBytes, this.#room);
    const { bytes } = entry;
    if (bytes === undefined || bytes.length > Math.min(maxBytes, CONDENSE_FROM_BYTES)) {
      return this.#read(path, entry, maxBytes);
    }
    this.#add(path, this.#copies.of(bytes, snapshotOf(path)));
    return undefined;
  }

  async #read(path: string, entry: Entry, maxBytes: number): Promise<void> {
    const limit = maxBytes === this.#limits.maxFileBytes ? "maxFileBytes" : "maxTotalBytes";
    const condenser = this.#idle.condenser(path, (rows) => {
      this.#few.add("rows of sockets", `${path} is large: ${rows} rows of sockets that hold nothing are passed over`);
    }) ?? newestOf(belowSnapshot(path), maxBytes, () => {
      const why = `${path} is longer than ${maxBytes} bytes (limit ${limit})`;
      this.#few.add("is long", `${why}: its newest part is used, and its lines are counted from there`);
    });
    const { bytes, truncated } = await entry.read(maxBytes, condenser);
    if (truncated) {
      const isLimit = bytes.length === maxBytes;
      this.#few.add("is incomplete", incomplete(path, bytes) + (isLimit ? ` (limit ${limit})` : ""));
      if (bytes.length === 0) return;
    }
    this.#add(path, bytes);
  }

  #add(path: string, bytes: Uint8Array): void {
    this.#take(bytes.length);
    const name = snapshotOf(path);
    let snapshot = name === undefined ? this.#first : this.#snapshots.get(name);
    if (snapshot === undefined) this.#snapshots.set(name as string, snapshot = { files: new Map(), bytes: 0 });
    if (snapshot.files.has(path)) {
      this.#few.add("is in the bundle twice", `${path} is in the bundle twice: the last one is used`);
    }
    snapshot.files.set(path, bytes);
    snapshot.bytes += path.length + bytes.length;
    if (name !== undefined) this.#history.add(name, bytes.length);
  }

  end(): void {
    const thinned = this.#history.end();
    if (thinned !== undefined) this.#warnings.push(thinned);
    for (const { files } of this.#snapshots.values()) for (const [path, bytes] of files) this.files.set(path, bytes);
    this.#few.end();
  }
}

/** A name that an archive has, which may be of a bundle. */
const ARCHIVE = /\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)$/;

/** Whether an entry may be a bundle itself, as in what `sos collect` makes: archives that a host's own files have are none. */
function isInner({ path, entry }: PlacedEntry): boolean {
  return entry.chunks !== undefined && ARCHIVE.test(path) && !TOP_FOLDERS.has(path.split("/", 1)[0] as string);
}

/** Puts an entry where it belongs: a promise when it must be read first. */
function keep({ path, entry }: PlacedEntry, wanted: (path: string) => boolean, kept: Kept): Promise<void> | undefined {
  if (entry.kind === "link") kept.addLink(path, entry.linkTarget ?? "");
  else if (entry.kind === "file" && wanted(belowSnapshot(path)) && kept.admits(path)) return kept.addFile(path, entry);
  return undefined;
}

/** Keeps what is wanted, and gives the archives that may be bundles themselves, each to be read before the next one is asked for. */
async function* keepAll(
  entries: Entries,
  { budget, wanted }: Pick<Opening, "budget" | "wanted">,
  kept: Kept,
  warnings: string[],
): AsyncGenerator<PlacedEntry> {
  const places = new Places(budget, warnings);
  for await (const batch of batchesOf(entries)) {
    for (const entry of batch) {
      const placed = places.of(entry);
      if (placed === undefined) continue;
      if (hasSections(placed)) {
        for (const section of await places.sections(placed)) await keep(section, wanted, kept);
      } else if (isInner(placed)) yield placed;
      else {
        // Waiting for nothing takes longer than all the rest.
        const reading = keep(placed, wanted, kept);
        if (reading !== undefined) await reading;
      }
    }
  }
  places.end();
  kept.end();
}

/**
 * Keeps what is wanted of a stream of entries, whatever they come from. Nothing is written anywhere, and links are data.
 *
 * @example
 * ```ts
 * import { archiveEntries, readEntries } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { ok } from "node:assert";
 * import { createReadStream } from "node:fs";
 *
 * const entries = await archiveEntries(createReadStream("samples/friend-push.tgz"), {}, () => {});
 * const { files } = await readEntries(entries, { sources: [meminfo] });
 * ok(files.has("proc/meminfo") && !files.has("proc/net/udp"));
 * ```
 *
 * @throws {BundleError} If there is nothing but archives, which {@linkcode readBundles} reads; a `LimitError` if it is larger than it may be.
 */
export async function readEntries(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: OpenOptions,
  warnings: string[] = [],
): Promise<Bundle> {
  const budget = new Budget(options.limits, options.clock);
  const wanted = matcher(wantedPatterns(options.sources));
  const kept = new Kept(budget.limits, warnings);
  let inner: string | undefined;
  for await (const { path } of keepAll(entries, { budget, wanted }, kept, warnings)) inner = path;
  if (inner !== undefined && kept.files.size === 0) {
    throw new BundleError(`Cannot read the bundle: it is none, but holds others, such as ${shortName(inner)}`);
  }
  return describe(kept.files, kept.links, warnings);
}

/** A bundle, and where it was: empty, or the path of an archive inside of what was opened. */
export interface OpenedBundle {
  readonly path: string;
  readonly bundle: Bundle;
}

/** What reading bundles in bundles has in common on all levels. */
interface Opening {
  readonly budget: Budget;
  readonly options: OpenOptions;
  readonly wanted: (path: string) => boolean;
}

async function* openInner(
  { path, entry }: PlacedEntry,
  opening: Opening,
  level: number,
  warn: (message: string) => void,
): AsyncGenerator<OpenedBundle> {
  const warnings: string[] = [];
  let found = 0;
  try {
    const chunks = (entry.chunks as NonNullable<Entry["chunks"]>)();
    const inner = await unpack(chunks, opening.budget, opening.options, (message) => void warnings.push(message));
    for await (const opened of readLevel(inner, opening, level + 1, warnings)) {
      if (opened.path === "" && opened.bundle.files.size === 0) {
        warnings.push(...opened.bundle.warnings);
        continue;
      }
      found++;
      yield { path: opened.path === "" ? path : `${path}/${opened.path}`, bundle: opened.bundle };
    }
    for (const warning of warnings) warn(`${path}: ${warning}`);
    if (found === 0) warn(`${path}: it has no file that a bundle or sosreport has`);
  } catch (error) {
    if (!(error instanceof BundleError) || error instanceof LimitError) throw error;
    warn(`${path}: ${error.message}`);
  }
}

async function* readLevel(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  opening: Opening,
  level: number,
  warnings: string[],
): AsyncGenerator<OpenedBundle> {
  const { limits } = opening.budget;
  const kept = new Kept(limits, warnings);
  const warn = (message: string): void => void warnings.push(message);
  let found = 0;
  for await (const placed of keepAll(entries, opening, kept, warnings)) {
    if (level === limits.maxNesting) {
      warn(`${shortName(placed.path)}: an archive in an archive too many: passed over (limit maxNesting)`);
      continue;
    }
    for await (const opened of openInner(placed, opening, level, warn)) {
      found++;
      yield opened;
    }
  }
  if (kept.files.size > 0 || found === 0) {
    yield { path: "", bundle: describe(kept.files, kept.links, warnings.splice(0)) };
  }
}

/**
 * Reads a bundle, or several: one, and those that are archives in it, as `sos collect` and must-gather have them. Each is given when it has
 * been read, and is to be used before the next one is asked for, if not all are to be in memory.
 *
 * @example
 * ```ts
 * import { archiveEntries, readBundles } from "nailhouse";
 * import { meminfo } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 * import { createReadStream } from "node:fs";
 *
 * const entries = await archiveEntries(createReadStream("samples/friend-push.tgz"), {}, () => {});
 * for await (const { path, bundle } of readBundles(entries, { sources: [meminfo] }, console.error)) {
 *   equal(path, ""); // The bundle itself: it has no others in it.
 *   equal(bundle.facts.pageSizeBytes, 4096);
 * }
 * ```
 *
 * @param broken Told what was wrong that is in none of the bundles' own warnings.
 * @throws {LimitError} If all together are larger than one may be.
 */
export async function* readBundles(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: OpenOptions,
  broken: (message: string) => void,
  warnings: string[] = [],
): AsyncGenerator<OpenedBundle> {
  const budget = new Budget(options.limits, options.clock);
  yield* readLevel(entries, { budget, options, wanted: matcher(wantedPatterns(options.sources)) }, 0, warnings);
  for (const warning of warnings) broken(warning);
}

/** Reads the manifest and the status, and infers what a foreign bundle does not say. */
function describe(files: Map<string, Uint8Array>, links: Map<string, string>, warnings: string[]): Bundle {
  const manifest = readJson(files, MANIFEST, parseManifest, warnings);
  const status = readJson(files, STATUS, parseStatus, warnings);
  if (manifest !== undefined && status === undefined && !files.has(STATUS)) {
    warnings.push("the bundle ends before its last entry: collecting was cut off, or copying it was");
  }
  const facts = manifest === undefined ? factsWithoutManifest(files) : manifestFacts(manifest);
  files.delete(MANIFEST);
  files.delete(STATUS);
  return { manifest, status, facts, files, links, warnings };
}

function readJson<T>(
  files: ReadonlyMap<string, Uint8Array>,
  path: string,
  parse: (text: string) => T,
  warnings: string[],
): T | undefined {
  const bytes = files.get(path);
  if (bytes === undefined) return undefined;
  try {
    return parse(utf8.decode(bytes));
  } catch (error) {
    warnings.push(`${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function manifestFacts(manifest: Manifest): HostFacts {
  return { ...manifest.host, capturedAt: Date.parse(manifest.capturedAt), privileged: manifest.privileged };
}

async function* prepend(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** Takes at least `size` bytes from the front, or all there are, without losing them. */
async function peek(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const rest = chunks[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let got = 0;
  while (got < size) {
    const next = await rest.next();
    if (next.done === true) break;
    taken.push(next.value);
    got += next.value.length;
  }
  const head = concatBytes(taken);
  return { head, chunks: prepend([head], rest) };
}

/** Compressions, recognized by their first bytes. */
const COMPRESSIONS: readonly { readonly magic: readonly number[]; readonly decompress: Decompress }[] = [
  { magic: [0x1f, 0x8b], decompress: gunzip },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], decompress: unxz },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], decompress: unzstd },
  { magic: [0x42, 0x5a, 0x68], decompress: bunzip2 },
];

/** A console's log may begin with the words of firmware and boot loader. */
const LOG_HEAD_BYTES = 2 ** 20;

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

async function unpack(
  chunks: AsyncIterable<Uint8Array>,
  budget: Budget,
  options: ArchiveOptions,
  broken: (message: string) => void,
): Promise<AsyncIterable<Entry>> {
  const start = await peek(chunks, 512);
  if (start.head.length === 0) throw new BundleError("Cannot read the bundle: it is empty");
  let plain = { head: start.head, chunks: budget.unpacked(start.chunks) as AsyncIterable<Uint8Array> };
  const compression = COMPRESSIONS.find(({ magic }) => startsWith(start.head, magic));
  if (compression !== undefined) {
    const { decompress } = compression;
    const native = decompress === gunzip ? options.decompress : undefined;
    plain = await peek(budget.unpacked((native ?? decompress)(budget.packed(start.chunks), broken)), 512);
    if (plain.head.length === 0) throw new BundleError("Cannot read the bundle: it is cut off before its first file");
  }
  if (!isTar(plain.head)) {
    const text = await peek(plain.chunks, LOG_HEAD_BYTES);
    if (isKernelLog(text.head)) return kernelLogEntries(text.chunks);
    throw new BundleError(
      "Cannot read the bundle: it is neither a tar archive (plain, gzip, bzip2, xz or zstd) nor a kernel log",
    );
  }
  return readTar(plain.chunks, broken);
}

/**
 * The entries of an archive that comes as a stream: .tar, also compressed as .gz (.tgz), .bz2, .xz or .zst; recognized by content. A
 * kernel log in plain text (dmesg, journalctl, syslog, a serial console) is a bundle of that one file.
 *
 * @example
 * ```ts
 * import { archiveEntries } from "nailhouse";
 * import { match } from "node:assert";
 * import { createReadStream } from "node:fs";
 *
 * for await (const { path } of await archiveEntries(createReadStream("samples/friend-push.tgz"), {}, console.error)) {
 *   match(path, /^nailhouse-[^/]+\/nailhouse.json$/); // The first one is the manifest.
 *   break;
 * }
 * ```
 *
 * @param broken Told what is wrong when the archive is damaged or cut off; the entries before that are good.
 * @throws {BundleError} If it is empty or no archive; a `LimitError`, here or while the entries are read, if it is larger than it may be.
 */
export async function archiveEntries(
  chunks: AsyncIterable<Uint8Array>,
  options: ArchiveOptions,
  broken: (message: string) => void,
): Promise<AsyncIterable<Entry>> {
  return await unpack(chunks, new Budget(options.limits, options.clock), options, broken);
}

/**
 * Opens a bundle that comes as a stream.
 *
 * @example
 * ```ts
 * import { analyze, openArchive, preset, presetSources } from "nailhouse";
 * import { equal } from "node:assert";
 * import { createReadStream } from "node:fs";
 *
 * const bundle = await openArchive(createReadStream("samples/friend-push.tgz"), { sources: presetSources(preset) });
 * equal(analyze({ ...bundle, preset }).findings[0]?.cause, "socket-backlog-udp");
 * ```
 *
 * @throws {BundleError} If it is empty or no archive, or holds several bundles, which {@linkcode openArchives} opens; a `LimitError` if it is
 * larger than it may be.
 */
export async function openArchive(chunks: AsyncIterable<Uint8Array>, options: OpenOptions): Promise<Bundle> {
  const warnings: string[] = [];
  const entries = await archiveEntries(chunks, options, (message) => void warnings.push(message));
  return await readEntries(entries, options, warnings);
}

/**
 * Opens a bundle that comes as a stream, and those that are archives in it: see {@linkcode readBundles}.
 *
 * @example
 * ```ts
 * import { analyze, openArchives, preset, presetSources } from "nailhouse";
 * import { equal } from "node:assert";
 * import { createReadStream } from "node:fs";
 *
 * const archive = createReadStream("samples/friend-push.tgz");
 * for await (const { bundle } of openArchives(archive, { sources: presetSources(preset) }, console.error)) {
 *   equal(analyze({ ...bundle, preset }).verdict, "cause-found");
 * }
 * ```
 *
 * @throws {BundleError} If it is empty or no archive; a `LimitError` if it is larger than it may be.
 */
export async function* openArchives(
  chunks: AsyncIterable<Uint8Array>,
  options: OpenOptions,
  broken: (message: string) => void,
): AsyncGenerator<OpenedBundle> {
  const warnings: string[] = [];
  const entries = await archiveEntries(chunks, options, (message) => void warnings.push(message));
  yield* readBundles(entries, options, broken, warnings);
}
