import { BOOT_ID_PATH, type Bundle } from "../core/bundle.ts";
import { ParseError } from "../core/errors.ts";
import { append } from "../core/group_by.ts";
import { matcher } from "../core/patterns.ts";
import type { Captured, HostFacts, ParseContext, Parsed, Reader, Source } from "../core/source.ts";

const utf8 = new TextDecoder();
const HISTORY = /^history\/([^/]+)\/(.*)$/;
/** A chain of links longer than the kernel's own limit (MAXSYMLINKS) is a loop. */
const MAX_LINKS = 40;

/** A hostile file may have a million wrong lines: a few of them tell what is wrong. */
const MAX_WARNINGS_A_FILE = 5;

/** The snapshots of a bundle, ready to be read by sources. */
export interface Snapshots {
  /** The first whole snapshot: everything was captured at one time there. The last one where there is none that is whole. */
  readonly base: Reader;
  /** What parsers found wrong so far, each line once, though several sources may parse the same file. It names the file. */
  readonly warnings: ReadonlySet<string>;
  /** The raw line of a file, without what follows `maxLength`; undefined when there is none. */
  lineText(path: string, line: number, maxLength: number): string | undefined;
}

/** Follows the bundle's links as data, prefix by prefix, as a file system would. */
function follow(path: string, links: ReadonlyMap<string, string>): string {
  let current = path;
  for (let hops = 0; hops < MAX_LINKS; hops++) {
    const parts = current.split("/");
    let next: string | undefined;
    for (let i = 1; i <= parts.length && next === undefined; i++) {
      const target = links.get(parts.slice(0, i).join("/"));
      if (target !== undefined) next = [target, ...parts.slice(i)].join("/");
    }
    if (next === undefined) return current;
    current = next;
  }
  return path;
}

/** A longer text is hardly the same twice. */
const MAX_KNOWN_LENGTH = 4096;
/** In one snapshot the longer files of each process tell its numbers: a status is never the same twice. */
const MAX_KNOWN_LENGTH_AT_ONCE = 512;
/** Texts of hundreds of processes. */
const MAX_KNOWN_CHARS = 2 ** 20;

/**
 * What texts were parsed to: ten thousand processes of one service have the same cgroup file, and a process that sleeps has the same status in each
 * snapshot.
 */
class KnownTexts {
  readonly #byParser = new Map<unknown, Map<string, { readonly value: unknown }>>();
  readonly #maxLength: number;
  #chars = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  get(parse: unknown, text: string): { readonly value: unknown } | undefined {
    return text.length > this.#maxLength ? undefined : this.#byParser.get(parse)?.get(text);
  }

  add(parse: unknown, text: string, value: unknown): void {
    if (text.length > this.#maxLength) return;
    this.#chars += text.length;
    if (this.#chars > MAX_KNOWN_CHARS) {
      this.#byParser.clear();
      this.#chars = text.length;
    }
    let byText = this.#byParser.get(parse);
    if (byText === undefined) this.#byParser.set(parse, byText = new Map());
    byText.set(text, { value });
  }
}

/** Paths by what patterns begin or end with. */
class PathIndex {
  readonly #byName = new Map<string, string[]>();
  readonly #byTop = new Map<string, string[]>();

  constructor(paths: Iterable<string>) {
    for (const path of paths) {
      append(this.#byName, path.slice(path.lastIndexOf("/") + 1), path);
      append(this.#byTop, topOf(path), path);
    }
  }

  /** All paths that may match, and others. */
  candidates(pattern: string): readonly string[] {
    const name = pattern.slice(pattern.lastIndexOf("/") + 1);
    if (!name.includes("*")) return this.#byName.get(name) ?? [];
    const top = topOf(pattern);
    return top.includes("*") ? [...this.#byTop.values()].flat() : this.#byTop.get(top) ?? [];
  }
}

/** The first folder of a path, or a file at the top. */
function topOf(path: string): string {
  const slash = path.indexOf("/");
  return slash === -1 ? path : path.slice(0, slash);
}

/** What a bundle has of one snapshot. */
interface SnapshotFiles {
  readonly prefix: string;
  readonly time: number | undefined;
  /** By path below the prefix. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Those of its files that are the snapshot's. */
  readonly paths: Iterable<string>;
}

class SnapshotReader implements Reader {
  timeline: readonly Reader[] = [];
  earlier: readonly Reader[] = [];
  readonly facts: HostFacts;
  readonly time: number | undefined;
  /** Undefined where the snapshot does not tell. */
  readonly bootId: string | undefined;
  readonly #prefix: string;
  /** By path below the prefix. */
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #own: Iterable<string>;
  /** Where else a file may be that is none of its own. */
  readonly #also: SnapshotFiles | undefined;
  readonly #links: ReadonlyMap<string, string>;
  readonly #warnings: Set<string>;
  readonly #sources = new Map<Source<unknown>, Captured<unknown>>();
  readonly #known: KnownTexts;
  #index: PathIndex | undefined;
  readonly #paths = new Map<string, readonly string[]>();

  constructor(
    bundle: Bundle,
    snapshot: SnapshotFiles,
    warnings: Set<string>,
    known: KnownTexts,
    also?: SnapshotFiles,
  ) {
    this.#known = known;
    this.#also = also;
    this.facts = bundle.facts;
    this.time = snapshot.time;
    this.#prefix = snapshot.prefix;
    this.#files = snapshot.files;
    this.#own = snapshot.paths;
    const bootId = snapshot.files.get(BOOT_ID_PATH);
    this.bootId = bootId && utf8.decode(bootId).trim();
    this.#links = bundle.links;
    this.#warnings = warnings;
  }

  paths(pattern: string): readonly string[] {
    let found = this.#paths.get(pattern);
    if (found === undefined) {
      if (pattern.includes("*")) {
        this.#index ??= new PathIndex(this.#allPaths());
        const start = pattern.slice(0, pattern.indexOf("*"));
        found = this.#index.candidates(pattern).filter((path) => path.startsWith(start));
        // To make an expression takes longer than to find that there is nothing to be matched, as of most patterns.
        if (found.length > 0) found = found.filter(matcher([pattern])).sort();
      } else {
        const path = this.#has(pattern) ? pattern : follow(pattern, this.#links);
        found = this.#has(path) ? [path] : [];
      }
      this.#paths.set(pattern, found);
    }
    return found;
  }

  #has(path: string): boolean {
    return this.#files.has(path) || this.#also?.files.has(path) === true;
  }

  #allPaths(): Iterable<string> {
    return this.#also === undefined ? this.#own : new Set([...this.#own, ...this.#also.paths]);
  }

  parse<T>(path: string, parse: (text: string, context: ParseContext) => T): Captured<Parsed<T>> {
    const isElsewhere = this.#also !== undefined && !this.#files.has(path);
    const { prefix, files } = isElsewhere ? this.#also : { prefix: this.#prefix, files: this.#files };
    const full = prefix + path;
    let count = 0;
    const warn = (line: number, message: string): void => {
      if (++count <= MAX_WARNINGS_A_FILE) this.#warnings.add(`${full}:${line}: ${message}`);
    };
    try {
      const text = utf8.decode(files.get(path));
      const known = this.#known.get(parse, text);
      if (known !== undefined) return { status: "ok", value: { path: full, value: known.value as T } };
      const value = parse(text, { facts: this.facts, warn });
      if (count === 0) this.#known.add(parse, text, value);
      if (count > MAX_WARNINGS_A_FILE) {
        this.#warnings.add(`${full}: ${count - MAX_WARNINGS_A_FILE} more lines like these`);
      }
      return { status: "ok", value: { path: full, value } };
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      this.#warnings.add(`${full}: ${error.message}`);
      return { status: "failed", path: full, message: error.message };
    }
  }

  read<T>(source: Source<T>): Captured<T> {
    let captured = this.#sources.get(source) as Captured<T> | undefined;
    if (captured === undefined) this.#sources.set(source, captured = this.#read(source));
    return captured;
  }

  #read<T>(source: Source<T>): Captured<T> {
    try {
      return source.read(this);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      this.#warnings.add(`${this.#prefix}${source.name}: ${error.message}`);
      return { status: "failed", path: this.#prefix + source.name, message: error.message };
    }
  }
}

/** Tells the snapshots since the host was last started from those before, in which every counter began elsewhere. */
function putInTime(base: SnapshotReader, readers: readonly SnapshotReader[], warnings: Set<string>): void {
  const isEarlier = ({ bootId }: SnapshotReader): boolean =>
    bootId !== undefined && base.bootId !== undefined && bootId !== base.bootId;
  const earlier = readers.filter(isEarlier);
  const timeline = readers.filter((each) => !isEarlier(each));
  if (earlier.length > 0) {
    const last = new Date(earlier.at(-1)?.time as number).toISOString();
    warnings.add(
      `history: ${earlier.length} snapshots, the last one of ${last}, are from before the host was last started: they are in the timeline, ` +
        "and not compared with what came after",
    );
  }
  for (const reader of [base, ...readers]) {
    reader.timeline = timeline;
    reader.earlier = earlier;
  }
}

const MEMINFO_PATHS = ["proc/meminfo"];
const MEMORY_PATHS = [...MEMINFO_PATHS, "sos_commands/memory/free"];
/** Of an OOM it tells, too. */
const LOG_PATHS = ["sos_commands/kernel/dmesg"];

function hasAny(snapshot: Reader, paths: readonly string[]): boolean {
  return paths.some((path) => snapshot.paths(path).length > 0);
}

/** Sorts a bundle's files by snapshot. */
export function openSnapshots(bundle: Bundle): Snapshots {
  const warnings = new Set<string>();
  const basePaths: string[] = [];
  const historyFiles = new Map<string, Map<string, Uint8Array>>();
  for (const path of bundle.files.keys()) {
    const match = HISTORY.exec(path);
    if (match === null) {
      basePaths.push(path);
      continue;
    }
    const [, time, rest] = match as unknown as [string, string, string];
    let files = historyFiles.get(time);
    if (files === undefined) historyFiles.set(time, files = new Map());
    files.set(rest, bundle.files.get(path) as Uint8Array);
  }
  const known = new KnownTexts(historyFiles.size === 0 ? MAX_KNOWN_LENGTH_AT_ONCE : MAX_KNOWN_LENGTH);
  const whole = { prefix: "", time: bundle.facts.capturedAt, files: bundle.files, paths: basePaths };
  const first = new SnapshotReader(bundle, whole, warnings, known);
  const readers: SnapshotReader[] = [];
  const recorded = new Map<SnapshotReader, SnapshotFiles>();
  for (const [name, files] of historyFiles) {
    const time = Date.parse(name);
    if (Number.isNaN(time)) warnings.add(`history/${name}: the folder's name is no ISO 8601 time: passed over`);
    else {
      const snapshot = { prefix: `history/${name}/`, time, files, paths: files.keys() };
      const reader = new SnapshotReader(bundle, snapshot, warnings, known);
      readers.push(reader);
      recorded.set(reader, snapshot);
    }
  }
  readers.sort((a, b) => (a.time as number) - (b.time as number));
  // A file of the recorder has no first snapshot: its last one tells most, if that was not cut off before it told of memory.
  const last = [MEMORY_PATHS, LOG_PATHS].map((paths) => readers.findLast((each) => hasAny(each, paths)))
    .find((found) => found !== undefined) ?? readers.at(-1);
  const lastFiles = last && recorded.get(last);
  let base = basePaths.length > 0 ? first : last ?? first;
  // The head of top beside a recording tells less than what was recorded.
  const told = last !== undefined && hasAny(last, MEMINFO_PATHS) ? MEMINFO_PATHS : MEMORY_PATHS;
  if (base === first && lastFiles !== undefined && !hasAny(first, told)) {
    // What was saved beside a recording, as a log or a list of sockets, belongs to its end.
    base = new SnapshotReader(bundle, { ...whole, time: lastFiles.time }, warnings, known, lastFiles);
    readers.splice(readers.indexOf(last as SnapshotReader), 1, base);
  } else if (base === first && first.time !== undefined) {
    readers.push(first);
    readers.sort((a, b) => (a.time as number) - (b.time as number));
  }
  putInTime(base, readers, warnings);
  return { base, warnings, lineText: (path, line, maxLength) => lineText(bundle.files.get(path), line, maxLength) };
}

function lineText(bytes: Uint8Array | undefined, line: number, maxLength: number): string | undefined {
  if (bytes === undefined) return undefined;
  let start = 0;
  for (let n = 1; n < line; n++) {
    // Of what is condensed most lines are empty.
    const end = bytes[start] === 0x0a ? start : bytes.indexOf(0x0a, start);
    if (end === -1) return undefined;
    start = end + 1;
  }
  const newline = bytes.indexOf(0x0a, start);
  const end = newline === -1 ? bytes.length : newline;
  return utf8.decode(bytes.subarray(start, Math.min(end, start + maxLength)));
}
