import type { Bundle, Decompress, Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { BundleError, LimitError } from "../core/errors.ts";
import type { Manifest } from "../core/manifest.ts";
import { matcher } from "../core/patterns.ts";
import type { HostFacts, Source } from "../core/source.ts";
import { FewWarnings, shortName } from "./_few.ts";
import { IdleSockets } from "./_idle_sockets.ts";
import { insightsPath, SUPPORTCONFIG_FILES, supportconfigSections } from "./_layouts.ts";
import { bunzip2 } from "./bzip2.ts";
import { factsPaths, factsWithoutManifest } from "./facts.ts";
import { gunzip } from "./gzip.ts";
import { Budget, type BundleLimits } from "./limits.ts";
import { isKernelLog, kernelLogEntries, newestOf } from "./log.ts";
import { parseManifest, parseStatus } from "./manifest.ts";
import { isTar, readTar } from "./tar.ts";
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

/** Where a link points, seen from the bundle's root; undefined when that is outside. */
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

async function* place(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  budget: Budget,
  into: string[],
): AsyncGenerator<PlacedEntry, void, undefined> {
  const { limits } = budget;
  const root = new Root();
  const few = new FewWarnings(into);
  const sections = new Set<string>();
  for await (const entry of entries) {
    budget.entry();
    const parts = segments(entry.path);
    const problem = objection(parts, entry.path, limits);
    if (parts === undefined || problem !== undefined) {
      few.add(String(problem), `the entry "${shortName(entry.path)}" ${problem}: passed over`);
      continue;
    }
    const path = insightsPath(root.inside(parts, entry.kind).join("/"));
    if (entry.kind === "hard-link") {
      const target = root.inside(segments(entry.linkTarget ?? "") ?? [], entry.kind).join("/");
      yield { path, entry: { ...entry, kind: "link", linkTarget: relativeTarget(path, target) } };
    } else if (entry.kind === "file" && SUPPORTCONFIG_FILES.has(path)) {
      const { bytes, truncated } = await entry.read(limits.maxFileBytes);
      if (truncated) into.push(incomplete(path, bytes));
      for (const section of supportconfigSections(bytes)) {
        // Some commands are run for several of the files.
        if (sections.has(section.path)) continue;
        if (sections.size === 0) {
          into.push("a supportconfig: what is cited by path and line stands in the sections of its .txt files");
        }
        sections.add(section.path);
        yield { path: section.path, entry: sectionEntry(section.path, section.bytes) };
      }
    } else yield { path, entry };
  }
  few.end();
}

/**
 * Finds each entry's place. What points outside the bundle is passed over with a warning.
 *
 * @throws {LimitError} If there are too many.
 */
export function placeEntries(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: ArchiveOptions,
  warnings: string[],
): AsyncGenerator<PlacedEntry, void, undefined> {
  return place(entries, new Budget(options.limits, options.clock), warnings);
}

/** Says that a file is not whole. */
function incomplete(path: string, bytes: Uint8Array): string {
  return bytes.length === 0
    ? `${shortName(path)} cannot be read: left out`
    : `${shortName(path)} is incomplete: its first ${bytes.length} bytes are used`;
}

/** Patterns of the files that are kept for some sources. */
export function wantedPatterns(sources: readonly Source<unknown>[]): readonly string[] {
  const patterns = sources.flatMap((source) => source.patterns);
  // A sosreport has proc/net as a link to self/net, and proc/self as a link to a process: the files come before the links.
  const behindLink = patterns.filter((p) => p.startsWith("proc/net/")).map((p) => p.replace("proc/", "proc/*/"));
  return [...patterns, ...behindLink, ...factsPaths, MANIFEST, STATUS];
}

/** The files of one bundle, within its limits. */
class Kept {
  readonly files = new Map<string, Uint8Array>();
  readonly links = new Map<string, string>();
  readonly #limits: BundleLimits;
  readonly #warnings: string[];
  readonly #few: FewWarnings;
  readonly #idle: IdleSockets = new IdleSockets();
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

  addLink(path: string, target: string): void {
    const destination = linkDestination(path, target);
    if (destination !== undefined && this.#take(path.length + destination.length)) this.links.set(path, destination);
  }

  async addFile(path: string, entry: Entry): Promise<void> {
    if (!this.#take(path.length)) return;
    const { maxFileBytes } = this.#limits;
    const maxBytes = Math.min(maxFileBytes, this.#room);
    const limit = maxBytes === maxFileBytes ? "maxFileBytes" : "maxTotalBytes";
    const condenser = this.#idle.condenser(path, (rows) => {
      this.#few.add("rows of sockets", `${path} is large: ${rows} rows of sockets that hold nothing are passed over`);
    }) ?? newestOf(path.replace(HISTORY, ""), maxBytes, () => {
      const why = `${path} is longer than ${maxBytes} bytes (limit ${limit})`;
      this.#few.add("is long", `${why}: its newest part is used, and its lines are counted from there`);
    });
    const { bytes, truncated } = await entry.read(maxBytes, condenser);
    if (truncated) {
      const isLimit = bytes.length === maxBytes;
      this.#few.add("is incomplete", incomplete(path, bytes) + (isLimit ? ` (limit ${limit})` : ""));
      if (bytes.length === 0) return;
    }
    this.#take(bytes.length);
    if (this.files.has(path)) {
      this.#few.add("is in the bundle twice", `${path} is in the bundle twice: the last one is used`);
    }
    this.files.set(path, bytes);
  }

  end(): void {
    this.#few.end();
  }
}

/** A name that an archive has, which may be of a bundle. */
const ARCHIVE = /\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)$/;

/** Whether an entry may be a bundle itself, as in what `sos collect` makes: archives that a host's own files have are none. */
function isInner({ path, entry }: PlacedEntry): boolean {
  return entry.chunks !== undefined && ARCHIVE.test(path) && !TOP_FOLDERS.has(path.split("/", 1)[0] as string);
}

/** Puts an entry where it belongs. */
async function keep({ path, entry }: PlacedEntry, wanted: (path: string) => boolean, kept: Kept): Promise<void> {
  if (entry.kind === "link") kept.addLink(path, entry.linkTarget ?? "");
  else if (entry.kind === "file" && wanted(path.replace(HISTORY, ""))) await kept.addFile(path, entry);
}

/**
 * Keeps what is wanted of a stream of entries, whatever they come from. Nothing is written anywhere, and links are data.
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
  for await (const placed of place(entries, budget, warnings)) {
    if (isInner(placed)) inner = placed.path;
    else await keep(placed, wanted, kept);
  }
  kept.end();
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
  for await (const placed of place(entries, opening.budget, warnings)) {
    if (!isInner(placed)) await keep(placed, opening.wanted, kept);
    else if (level === limits.maxNesting) {
      warn(`${shortName(placed.path)}: an archive in an archive too many: passed over (limit maxNesting)`);
    } else {
      for await (const opened of openInner(placed, opening, level, warn)) {
        found++;
        yield opened;
      }
    }
  }
  kept.end();
  if (kept.files.size > 0 || found === 0) {
    yield { path: "", bundle: describe(kept.files, kept.links, warnings.splice(0)) };
  }
}

/**
 * Reads a bundle, or several: one, and those that are archives in it, as `sos collect` and must-gather have them. Each is given when it has
 * been read, and is to be used before the next one is asked for, if not all are to be in memory.
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
