/** Where in a bundle the entries of an archive belong, whoever made it. */
import type { Decompress, Entry } from "../core/bundle.ts";
import { FewWarnings, incomplete, shortName } from "./_few.ts";
import { hostPath, isCollectorFolder, isSupportconfigFile, supportconfigSections, tellsOf } from "./_layouts.ts";
import { HOSTNAME_PLACE } from "./facts.ts";
import { Budget, type BundleLimits } from "./limits.ts";
import { MAX_SAMPLES_A_FILE, type OswatcherFile, oswatcherFile, oswatcherSamples } from "./_oswatcher.ts";
import { samplesWarning } from "./_samples.ts";
import { readStream } from "./_streams.ts";
import type { TarEntries } from "./tar.ts";

/** How an archive is read. */
export interface ArchiveOptions {
  /** Those that are not given are `defaultLimits`. */
  readonly limits?: Partial<BundleLimits>;
  /** Milliseconds since any moment, such as `performance.now`: without it time has no limit. */
  readonly clock?: () => number;
  /** Reads gzip, instead of the portable one. */
  readonly decompress?: Decompress;
}

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

/** Whether a folder stands at the top of a bundle. */
export function isTopFolder(name: string): boolean {
  return TOP_FOLDERS.has(name);
}

/** Where a bundle may lie on its host, and no folder of a bundle's: whoever names it by its whole path gets it with these. */
const TEMPORARY = "var/tmp";

/** The folder of an insights archive's files. */
const INSIGHTS_DATA = "data";

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

/** Whether a path is within the limits, told by its length. */
export function isSurelyShort(path: string, { maxDepth, maxPathBytes }: BundleLimits): boolean {
  // A folder takes two characters or more, and a character up to three bytes.
  return path.length <= 2 * maxDepth && 3 * path.length <= maxPathBytes;
}

/** Folders around a bundle's own, from the outermost on. */
type Around = readonly string[];

/**
 * The folders around a bundle's own, and those around that folder, as an entry tells them; undefined where it does not. `./`, of `tar -C FOLDER .`,
 * may have the bundle in it or the bundle's folder.
 */
function foldersAround(parts: readonly string[], kind: Entry["kind"]): readonly Around[] | undefined {
  const [first, second = ""] = parts;
  if (first === undefined || (kind === "file" && parts.length === 1)) return undefined;
  if (isCollectorFolder(first) && !TOP_FOLDERS.has(second)) return undefined;
  // `tar /var/tmp/sosreport-a` begins with that folder, and has no entry of those around it.
  const isNamed = kind === "other";
  const isTemporary = isNamed && parts.slice(0, 2).join("/") === TEMPORARY;
  const own = parts.findIndex((part, i) => TOP_FOLDERS.has(part) && !(isTemporary && i === 0));
  const depth = Math.min(own === -1 ? parts.length : own, isNamed ? parts.length : 1);
  const all = parts.slice(0, depth).map((_, i) => parts.slice(0, depth - i));
  return isTemporary ? all.slice(0, 1) : all;
}

/** How collectors call a bundle's folder, with the time. */
const BUNDLE_FOLDER = /^(?:nailhouse-.+-\d{8}T\d{6}Z|sosreport-.+|insights-.+-\d{14})$/;
/** A kernel's name, or a process: `proc/meminfo.txt` is what somebody saved. */
const KERNEL_FILE = /^\w+$/;

/** How many folders stand around a bundle's own that are told for sure, by its name or by the kernel's; undefined where nothing is. */
function surelyAround(parts: readonly string[], kind: Entry["kind"]): number | undefined {
  const top = parts.findIndex((part) => TOP_FOLDERS.has(part));
  // An archive is called as its folder is.
  const outer = parts.slice(0, top !== -1 ? top : kind === "other" ? parts.length : -1);
  const named = outer.findLastIndex((part) => BUNDLE_FOLDER.test(part));
  if (named !== -1) return named + 1;
  return parts[top] === "proc" && KERNEL_FILE.test(parts[top + 1] ?? "") ? top : undefined;
}

/** Takes the folders away that stand around a bundle's own: the first entry that is no file at the top tells what they are called, or the first that is surely of a bundle deeper in. */
class Root {
  /** The most first; empty when there are none. */
  #around: readonly Around[] | undefined;
  #name: string | undefined;
  /** Once it is told for sure. */
  #own: Around | undefined;

  inside(parts: readonly string[], kind: Entry["kind"]): readonly string[] {
    if (this.#around === undefined) this.#set(foldersAround(parts, kind));
    const sure = this.#own === undefined ? surelyAround(parts, kind) : undefined;
    if (sure !== undefined) {
      this.#own = parts.slice(0, sure);
      const isDeep = sure > (this.#around?.[0]?.length ?? 0);
      if (isDeep) this.#set(Array.from({ length: sure }, (_, i) => parts.slice(0, sure - i)));
    }
    const around = this.#around?.find((each) => each.every((name, i) => name === parts[i]));
    const below = parts.slice(around?.length ?? 0);
    return below[0] === INSIGHTS_DATA && TOP_FOLDERS.has(below[1] ?? "") ? below.slice(1) : below;
  }

  #set(around: readonly Around[] | undefined): void {
    this.#around = around;
    this.#name = around?.[0]?.join("/");
  }

  /** The folder of another bundle, beside the one that is used; undefined for an entry of none. What that has of others in it is its own. */
  otherBundle(parts: readonly string[], below: readonly string[], kind: Entry["kind"]): string | undefined {
    if (this.#own?.every((name, i) => name === parts[i]) !== false) return undefined;
    const folders = surelyAround(below, kind) ?? 0;
    return folders === 0 ? undefined : below.slice(0, folders).join("/");
  }

  /** The same without taking the path apart, for one that has nothing special: almost all are so. */
  insidePlain(path: string, limits: BundleLimits): string | undefined {
    const name = this.#name;
    if (this.#own === undefined || name === undefined || !path.startsWith(name) || path[name.length] !== "/") {
      return undefined;
    }
    const isPlain = isSurelyShort(path, limits) && !path.includes("/.") && !path.includes("//") && !path.endsWith("/");
    return isPlain && !path.startsWith(INSIGHTS_DATA, name.length + 1) ? path.slice(name.length + 1) : undefined;
  }
}

/** A link from one path of the bundle to another, as it would be written there. */
function relativeTarget(path: string, target: string): string {
  return "../".repeat(path.split("/").length - 1) + target;
}

/** A file that stands in another one. */
export function sectionEntry(path: string, bytes: Uint8Array): Entry {
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
export class Places {
  readonly #budget: Budget;
  readonly #warnings: string[];
  readonly #few: FewWarnings;
  readonly #root: Root = new Root();
  readonly #sections: Set<string> = new Set();
  /** Folders of bundles that are passed over. */
  readonly #others: Set<string> = new Set();
  /** Whose recordings are read: in a folder may be those of all hosts of a cluster. */
  #recordedHost: string | undefined;
  #hasSamples = false;

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
    if (plain !== undefined && entry.kind !== "hard-link") return { path: hostPath(plain), entry };
    const parts = segments(entry.path);
    const problem = objection(parts, entry.path, limits);
    if (parts === undefined || problem !== undefined) {
      this.#few.add(String(problem), `the entry "${shortName(entry.path)}" ${problem}: passed over`);
      return undefined;
    }
    const below = this.#root.inside(parts, entry.kind);
    const other = this.#root.otherBundle(parts, below, entry.kind);
    if (other !== undefined) {
      if (!this.#others.has(other)) {
        this.#few.add("another bundle", `"${shortName(other)}" is another bundle: passed over`);
      }
      this.#others.add(other);
      return undefined;
    }
    const path = hostPath(below.join("/"));
    if (entry.kind !== "hard-link") return { path, entry };
    const target = this.#root.inside(segments(entry.linkTarget ?? "") ?? [], entry.kind).join("/");
    return { path, entry: { ...entry, kind: "link", linkTarget: relativeTarget(path, target) } };
  }

  /** Whether files with sections were found. */
  get isSupportconfig(): boolean {
    return this.#sections.size > 0;
  }

  /** Whether a file holds others, as those of a supportconfig and of OSWatcher do. */
  hasSections({ path, entry }: PlacedEntry): boolean {
    if (entry.kind !== "file") return false;
    // Nearly all stand in a folder: that is seen sooner than they are looked for.
    if (!path.includes("/") && isSupportconfigFile(path, this.isSupportconfig)) return true;
    return oswatcherFile(path) !== undefined;
  }

  /** The files that stand in such a one. */
  async sections({ path, entry }: PlacedEntry): Promise<readonly PlacedEntry[]> {
    const ofOswatcher = oswatcherFile(path);
    if (ofOswatcher !== undefined) return await this.#samples(path, entry, ofOswatcher);
    const bytes = await this.#read(path, entry);
    const found: PlacedEntry[] = [];
    for (const section of supportconfigSections(bytes)) {
      // Some commands are run for several of the files.
      if (this.#sections.has(section.path) || !tellsOf(path, section.path)) continue;
      if (this.#sections.size === 0) {
        this.#warnings.push("a supportconfig: what is cited by path and line stands in the sections of its .txt files");
      }
      this.#sections.add(section.path);
      found.push({ path: section.path, entry: sectionEntry(section.path, section.bytes) });
    }
    return found;
  }

  async #samples(path: string, entry: Entry, { host, place, decompress }: OswatcherFile): Promise<PlacedEntry[]> {
    this.#recordedHost ??= host;
    if (host !== this.#recordedHost) {
      const reason = `is of ${shortName(host)}, and others of ${shortName(this.#recordedHost)}`;
      this.#few.add("is of another host", `${shortName(path)} ${reason}: passed over`);
      return [];
    }
    const bytes = await this.#read(path, decompress === undefined ? entry : this.#unpacked(path, entry, decompress));
    const samples = [...oswatcherSamples(bytes, place)];
    // Each becomes a snapshot, as a folder of an archive does.
    for (const _ of samples) this.#budget.entry();
    if (samples.length === MAX_SAMPLES_A_FILE) {
      this.#few.add("has more samples", `${shortName(path)}: its first ${MAX_SAMPLES_A_FILE} samples are used`);
    }
    const [first] = samples;
    const isFirst = first !== undefined && !this.#hasSamples;
    if (isFirst) {
      this.#hasSamples = true;
      this.#warnings.push(`OSWatcher, the first of each minute: ${samplesWarning(first.stamp)}`);
    }
    const found = samples.map(({ path: below, bytes: text }) => ({ path: below, entry: sectionEntry(below, text) }));
    if (isFirst) found.push({ path: HOSTNAME_PLACE, entry: sectionEntry(HOSTNAME_PLACE, encoder.encode(`${host}\n`)) });
    return found;
  }

  async #read(path: string, entry: Pick<Entry, "read">): Promise<Uint8Array> {
    const { bytes, truncated } = await entry.read(this.#budget.limits.maxFileBytes);
    if (truncated) this.#warnings.push(incomplete(path, bytes));
    return bytes;
  }

  /** The content of a file that is compressed by itself. */
  #unpacked(path: string, entry: Entry, decompress: Decompress): Pick<Entry, "read"> {
    const budget = this.#budget;
    async function* packed(): AsyncGenerator<Uint8Array> {
      yield (await entry.read(budget.limits.maxFileBytes)).bytes;
    }
    const broken = (message: string): void => void this.#warnings.push(`${shortName(path)}: ${message}`);
    return { read: (maxBytes) => readStream(budget.unpacked(decompress(budget.packed(packed()), broken)), maxBytes) };
  }

  end(): void {
    this.#few.end();
  }
}

/** Entries as they come: from an archive, a directory or memory. */
export type Entries = AsyncIterable<Entry> | Iterable<Entry> | TarEntries;

/** The same, as many at a time as come together. */
export async function* batchesOf(entries: Entries): AsyncGenerator<readonly Entry[]> {
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
      if (places.hasSections(placed)) yield* await places.sections(placed);
      else yield placed;
    }
  }
  places.end();
}
