import { BOOT_ID_PATH, type Bundle } from "../core/bundle.ts";
import { ParseError } from "../core/errors.ts";
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
  /** What parsers found wrong so far; each line names the file. */
  readonly warnings: readonly string[];
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
  readonly #links: ReadonlyMap<string, string>;
  readonly #warnings: string[];
  readonly #sources = new Map<Source<unknown>, Captured<unknown>>();
  readonly #parsed = new Map<string, Map<unknown, Captured<Parsed<unknown>>>>();
  readonly #paths = new Map<string, readonly string[]>();

  constructor(
    bundle: Bundle,
    snapshot: { prefix: string; time: number | undefined; files: ReadonlyMap<string, Uint8Array> },
    warnings: string[],
  ) {
    this.facts = bundle.facts;
    this.time = snapshot.time;
    this.#prefix = snapshot.prefix;
    this.#files = snapshot.files;
    const bootId = snapshot.files.get(BOOT_ID_PATH);
    this.bootId = bootId && utf8.decode(bootId).trim();
    this.#links = bundle.links;
    this.#warnings = warnings;
  }

  paths(pattern: string): readonly string[] {
    let found = this.#paths.get(pattern);
    if (found === undefined) {
      if (pattern.includes("*")) found = [...this.#files.keys()].filter(matcher([pattern])).sort();
      else {
        const path = this.#files.has(pattern) ? pattern : follow(pattern, this.#links);
        found = this.#files.has(path) ? [path] : [];
      }
      this.#paths.set(pattern, found);
    }
    return found;
  }

  parse<T>(path: string, parse: (text: string, context: ParseContext) => T): Captured<Parsed<T>> {
    let byParser = this.#parsed.get(path);
    if (byParser === undefined) this.#parsed.set(path, byParser = new Map());
    let captured = byParser.get(parse) as Captured<Parsed<T>> | undefined;
    if (captured === undefined) byParser.set(parse, captured = this.#parse(path, parse));
    return captured;
  }

  #parse<T>(path: string, parse: (text: string, context: ParseContext) => T): Captured<Parsed<T>> {
    const full = this.#prefix + path;
    let count = 0;
    const warn = (line: number, message: string): void => {
      if (++count <= MAX_WARNINGS_A_FILE) this.#warnings.push(`${full}:${line}: ${message}`);
    };
    try {
      const value = parse(utf8.decode(this.#files.get(path)), { facts: this.facts, warn });
      if (count > MAX_WARNINGS_A_FILE) {
        this.#warnings.push(`${full}: ${count - MAX_WARNINGS_A_FILE} more lines like these`);
      }
      return { status: "ok", value: { path: full, value } };
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      this.#warnings.push(`${full}: ${error.message}`);
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
      this.#warnings.push(`${this.#prefix}${source.name}: ${error.message}`);
      return { status: "failed", path: this.#prefix + source.name, message: error.message };
    }
  }
}

/** More snapshots than this are thinned out evenly: each costs two milliseconds and 0.3 MB, and no trend gets better. */
const MAX_SNAPSHOTS = 1_000;

/** The newest of too many snapshots are all kept, for the rates of what goes on; of the others, evenly as many as there is room for. */
function thin(readers: readonly SnapshotReader[]): readonly SnapshotReader[] {
  if (readers.length <= MAX_SNAPSHOTS) return readers;
  const newest = readers.slice(-MAX_SNAPSHOTS / 2);
  const older = readers.slice(0, -MAX_SNAPSHOTS / 2);
  const step = older.length / (MAX_SNAPSHOTS / 2);
  return [...older.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step)), ...newest];
}

/** Tells the snapshots since the host was last started from those before, in which every counter began elsewhere. */
function putInTime(base: SnapshotReader, readers: readonly SnapshotReader[], warnings: string[]): void {
  const kept = thin(readers);
  if (kept.length < readers.length) {
    warnings.push(
      `history: ${kept.length} of ${readers.length} snapshots are used, the newest ${MAX_SNAPSHOTS / 2} among them`,
    );
  }
  const isEarlier = ({ bootId }: SnapshotReader): boolean =>
    bootId !== undefined && base.bootId !== undefined && bootId !== base.bootId;
  const earlier = kept.filter(isEarlier);
  const timeline = kept.filter((each) => !isEarlier(each));
  if (earlier.length > 0) {
    const last = new Date(earlier.at(-1)?.time as number).toISOString();
    warnings.push(
      `history: ${earlier.length} snapshots, the last one of ${last}, are from before the host was last started: they are in the timeline, ` +
        "and not compared with what came after",
    );
  }
  for (const reader of [base, ...kept]) {
    reader.timeline = timeline;
    reader.earlier = earlier;
  }
}

/** Sorts a bundle's files by snapshot. */
export function openSnapshots(bundle: Bundle): Snapshots {
  const warnings: string[] = [];
  const baseFiles = new Map<string, Uint8Array>();
  const historyFiles = new Map<string, Map<string, Uint8Array>>();
  for (const [path, bytes] of bundle.files) {
    const match = HISTORY.exec(path);
    if (match === null) {
      baseFiles.set(path, bytes);
      continue;
    }
    const [, time, rest] = match as unknown as [string, string, string];
    let files = historyFiles.get(time);
    if (files === undefined) historyFiles.set(time, files = new Map());
    files.set(rest, bytes);
  }
  const first = new SnapshotReader(bundle, { prefix: "", time: bundle.facts.capturedAt, files: baseFiles }, warnings);
  const readers: SnapshotReader[] = [];
  for (const [name, files] of historyFiles) {
    const time = Date.parse(name);
    if (Number.isNaN(time)) warnings.push(`history/${name}: the folder's name is no ISO 8601 time: passed over`);
    else readers.push(new SnapshotReader(bundle, { prefix: `history/${name}/`, time, files }, warnings));
  }
  readers.sort((a, b) => (a.time as number) - (b.time as number));
  // A file of the recorder has no first snapshot: its last one tells most.
  const base = baseFiles.size > 0 ? first : readers.at(-1) ?? first;
  if (base === first && first.time !== undefined) {
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
    const end = bytes.indexOf(0x0a, start);
    if (end === -1) return undefined;
    start = end + 1;
  }
  const newline = bytes.indexOf(0x0a, start);
  const end = newline === -1 ? bytes.length : newline;
  return utf8.decode(bytes.subarray(start, Math.min(end, start + maxLength)));
}
