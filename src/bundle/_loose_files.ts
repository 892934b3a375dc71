/** What the files at the top of a folder or an archive hold that have no place of a host's: one file, or several as in a paste. */
import { concatBytes } from "../core/bytes.ts";
import { sumOf } from "../core/sums.ts";
import { FewWarnings, shortName } from "./_few.ts";
import { snapshotOf } from "./_history.ts";
import type { Section } from "./_layouts.ts";
import { HOSTNAME_PLACE } from "./facts.ts";
import { clusterLog, isClusterLog, withCommand } from "./_file_names.ts";
import { isLooseName, isSocketList, LOG_PLACE, loosePath, RECORDED_PLACE, SAR_PLACE } from "./_loose.ts";
import type { Paste } from "./_paste.ts";
import { isTopFolder, type PlacedEntry, sectionEntry } from "./_places.ts";
import { splitSamples, splitText } from "./_samples.ts";

/** A longer text is one file, by its beginning, or a recording, by its end: taken apart it needs a hundred times its size. */
const MAX_PASTE_BYTES = 8 * 2 ** 20;
/** Of a hostile text a megabyte takes three seconds (measured: lines of one letter, empty ones between them). */
const MAX_ALL_PASTES_BYTES = 16 * 2 ** 20;
/** Files with several in them, and lists of sockets: people save a handful, a hostile archive a million, of which each would be told. */
const MAX_PASTES = 32;
const MAX_LISTS = 32;
/** What sysstat and atop recorded: a file a day, of a year. */
const MAX_RECORDINGS = 366;
const NEWLINE = new Uint8Array([0x0a]);

const utf8 = new TextDecoder();

/** By their names of the same host as a dmesg beside them. */
const SYSTEM_LOG = /(?:^|\/)(?:journal(?:ctl)?|messages|syslog|kern)(?:\.(?:log|txt|out))?$/i;
const UNAME_PLACE = "sos_commands/kernel/uname_-a";
const SYSTEM_LOG_PLACE = "sos_commands/logs/journalctl_";
/** As people and their collectors call such files: other texts in folders are not looked into, of which there may be a hundred thousand. */
const SPEAKING_NAME =
  /(?:^|[^a-z])(?:(?:proc)?(?:mem(?:info|ory)?|slab(?:info|top)?|vm(?:stat|alloc(?:info)?)|zoneinfo|buddyinfo)|sockstat|sockets?|ss[aeilmnoptuwx046]{0,10}|netstat|ps[aefhlmouwx]{0,10}|process(?:es)?|top|free[bghklmtw]{0,4}|dmesg|kern(?:el)?|messages|syslog|journal(?:ctl)?|sysctla?|uname|hostname|lsof|df|udp6?|tcp6?|swaps|arcstats|cgroups)(?![a-z])/i;
const HOSTNAME_FILE = /(?:^|[^a-z])hostname(?:\.txt)?$/i;
/** Folders beside a host's own files that are called for what commands print: others may be of another time. */
const OF_COMMANDS = /^(?:collect(?:ed)?|commands?|cmds?|(?:command[_-]?)?outputs?)$/i;
/** A line of a system's log tells whose it is behind the time. */
const LOGGED_BY = /^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT\S{8,30}) (\S{1,255}) \S{1,64}: /gm;
const LOG_HEAD_BYTES = 64 * 2 ** 10;
const MAX_HELD = 64;
/** Each may take a millisecond. */
const MAX_LOOKED = 4096;
const MAX_FOLDERS = 4;

/** What a file was found to hold. */
interface LooseFile {
  readonly name: string;
  readonly sections: readonly Section[];
  readonly warnings: readonly string[];
}

function readAs(place: string | undefined): string {
  return ` is read as ${place}, by what is in it`;
}

function placesOf({ sections }: LooseFile): readonly string[] {
  return sections.map(({ path }) => path).filter((path) => !isSocketList(path));
}

function folderOf({ name }: LooseFile): string {
  return name.slice(0, name.lastIndexOf("/"));
}

/** Nothing but its name tells it. */
function hostnamePlace(name: string, bytes: Uint8Array): string | undefined {
  return HOSTNAME_FILE.test(name) && /^[a-z\d][\w.-]{0,254}\s*$/i.test(utf8.decode(bytes.subarray(0, 300)))
    ? HOSTNAME_PLACE
    : undefined;
}

function isIn(folder: string, file: LooseFile): boolean {
  return `${folderOf(file)}/`.startsWith(`${folder}/`);
}

/** Two folders that tell the same: the first one's, up to where they differ. */
function nodeFolder(first: string, second: string): string {
  const other = second.split("/");
  const parts = first.split("/");
  const at = parts.findIndex((part, i) => part !== other[i]);
  return parts.slice(0, at + 1).join("/");
}

/** Those of a folder; where several folders in it tell the same, those of the first: `nodes/a/proc/meminfo`, `nodes/b/proc/meminfo`. */
function ofOne(files: readonly LooseFile[]): readonly LooseFile[] {
  const folders = new Map<string, string>();
  for (const file of files) {
    const folder = folderOf(file);
    for (const place of placesOf(file)) {
      const known = folders.get(place);
      if (known === undefined) folders.set(place, folder);
      else if (known !== folder) {
        if (isIn(known, file)) return files.filter((each) => folderOf(each) === known);
        const node = nodeFolder(known, folder);
        return files.filter((each) => node === "" ? folderOf(each) === known : isIn(node, each));
      }
    }
  }
  return files;
}

/** A file that has nothing but a system's log, which may tell of what dmesg has forgotten. */
function isSystemLog({ name, sections: [only, ...others] }: LooseFile): boolean {
  return only?.path === LOG_PLACE && others.length === 0 && SYSTEM_LOG.test(name);
}

/** The host that all lines of a log are of, as far as they are looked at. */
function loggedBy(bytes: Uint8Array): string | undefined {
  const names = new Set(
    [...utf8.decode(bytes.subarray(0, LOG_HEAD_BYTES)).matchAll(LOGGED_BY)].map(([, name]) => name),
  );
  const [name] = names;
  return names.size === 1 ? name : undefined;
}

/** As uname tells it. */
function hostOf(sections: readonly Section[]): string | undefined {
  const uname = sections.find(({ path }) => path === UNAME_PLACE);
  return uname && /^Linux (\S{1,255}) /.exec(utf8.decode(uname.bytes.subarray(0, 300)))?.[1];
}

function isLoggedBy(host: string | undefined, { sections: [only] }: LooseFile): boolean {
  return host !== undefined && only !== undefined && loggedBy(only.bytes) === host;
}

/** Those of a folder that are of one host. A system's log in another folder than dmesg is the same host's where it says so itself. */
function ofOneHost(all: readonly LooseFile[]): readonly LooseFile[] {
  const logs = all.filter(isSystemLog);
  const others = all.filter((file) => !isSystemLog(file));
  if (logs.length === 0 || others.length === 0) return ofOne(all);
  const held = ofOne(others);
  const isOnly = held.length === others.length && !held.some((file) => placesOf(file).includes(LOG_PLACE));
  if (isOnly) return [...held, ...ofOne(logs)];
  const folders = new Set(held.map(folderOf));
  const host = hostOf(held.flatMap(({ sections }) => sections));
  return [...held, ...logs.filter((log) => folders.has(folderOf(log)) || isLoggedBy(host, log))];
}

/** Texts that tell little of their own come after those that are one file: `top` has the largest processes alone. Logs stay last. */
function wholeFirst(files: readonly LooseFile[]): readonly LooseFile[] {
  const rank = (file: LooseFile): number => isSystemLog(file) ? Infinity : file.sections.length;
  return files.toSorted((a, b) => rank(a) === rank(b) ? 0 : rank(a) - rank(b));
}

/** The loose files of one bundle. */
export class LooseFiles {
  readonly #has: (path: string) => boolean;
  readonly #warnings: string[];
  readonly #maxBytes: number;
  /** Lists of sockets, by their place: of several files each has other ones. */
  readonly #lists: Map<string, Uint8Array[]> = new Map();
  #listBytes = 0;
  #listCount = 0;
  #recordings = 0;
  #pastes = 0;
  #pasteBytes = 0;
  /** How many files were given, and which places they have. */
  #given = 0;
  readonly #places: Set<string> = new Set();
  readonly #few: FewWarnings;
  /** Files in folders, by the outermost one. */
  readonly #folders: Map<string, readonly LooseFile[]> = new Map();
  /** As uname tells it. */
  #host: string | undefined;
  #looked = 0;
  #held = 0;
  #heldBytes = 0;

  /**
   * @param has Whether the bundle has a file: a host's own goes before.
   * @param maxBytes What is used of a file.
   */
  constructor(has: (path: string) => boolean, warnings: string[], maxBytes: number) {
    this.#has = has;
    this.#warnings = warnings;
    this.#few = new FewWarnings(warnings);
    this.#maxBytes = maxBytes;
  }

  /** Whether a file may be such a one, by its name. */
  static is({ path, entry }: PlacedEntry): boolean {
    return entry.kind === "file" && isLooseName(path);
  }

  /** What is in one of them, valid until the next entry is asked for; undefined where nothing is. Lists of sockets come at the end. */
  async read({ path: name, entry }: PlacedEntry): Promise<readonly PlacedEntry[] | undefined> {
    const { bytes } = await entry.read(this.#maxBytes);
    return this.#use(this.#look(name, bytes));
  }

  /**
   * Whether a file may be such a one in a folder beside that of others, as in-house collectors have them: `memory/meminfo.txt`, `network/ss.txt`. Where files
   * have a host's own places those of commands are looked at alone (`collect/ss.txt` beside `proc/meminfo`).
   *
   * @param files How many the bundle has.
   */
  isBelow({ path, entry }: PlacedEntry, files: number): boolean {
    if (entry.kind !== "file" || this.#held >= MAX_HELD || this.#looked >= MAX_LOOKED) return false;
    const isBeside = files > this.#given;
    // Of a host's own files nearly all are deeper.
    if (isBeside && path.indexOf("/") !== path.lastIndexOf("/")) return false;
    const folders = path.split("/");
    const name = folders.pop() as string;
    const [first] = folders;
    if (first === undefined || folders.length > MAX_FOLDERS || isTopFolder(first)) return false;
    if (isBeside && !OF_COMMANDS.test(first)) return false;
    return isClusterLog(name) || (isLooseName(name) && SPEAKING_NAME.test(name));
  }

  /** Looks into one that {@linkcode isBelow}; what is in it comes at the end. */
  async hold({ path: name, entry }: PlacedEntry): Promise<void> {
    this.#looked++;
    const { bytes } = await entry.read(this.#maxBytes);
    const file = this.#look(name, bytes);
    const size = sumOf(file.sections, (section) => section.bytes.length);
    if (size === 0 || this.#heldBytes + size > this.#maxBytes) return;
    this.#heldBytes += size;
    this.#held++;
    const sections = file.sections.map((section) => ({ ...section, bytes: section.bytes.slice() }));
    const folder = name.split("/", 1)[0] as string;
    this.#folders.set(folder, [...this.#folders.get(folder) ?? [], { ...file, sections }]);
  }

  /**
   * What was held, a folder at a time, each to be kept before the next one is asked for. Of folders that tell the same, each may be of another host or time:
   * only the first is used.
   */
  *heldFolders(files: number): Generator<readonly PlacedEntry[]> {
    const isBeside = files > this.#given;
    // Logs may belong to what any of the others tells.
    const areLogs = (files: readonly LooseFile[]): number => Number(files.every(isSystemLog));
    const folders = [...this.#folders].sort(([, a], [, b]) => areLogs(a) - areLogs(b));
    for (const [folder, inIt] of folders) {
      // The host's own may have come later.
      const all = isBeside ? inIt.filter((file) => folderOf(file) === folder && OF_COMMANDS.test(folder)) : inIt;
      const held = ofOneHost(all);
      const other = held.find((file) => this.#isOther(file)) ??
        all.find((file) => !held.includes(file));
      if (other !== undefined) {
        this.#few.add(
          "other",
          `${shortName(other.name)} is passed over with its folder: it is of another host or time than what is used`,
        );
      }
      if (other === undefined || !held.includes(other)) yield wholeFirst(held).flatMap((file) => this.#use(file) ?? []);
    }
  }

  /** Whether a file tells what another folder's has told. */
  #isOther(file: LooseFile): boolean {
    return placesOf(file).some((path) => this.#has(path)) && !(isSystemLog(file) && isLoggedBy(this.#host, file));
  }

  /** What a file holds, by what is in it. */
  #look(path: string, bytes: Uint8Array): LooseFile {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (isClusterLog(name)) {
      const log = clusterLog(bytes);
      return {
        name: path,
        sections: log === undefined ? [] : [{ path: LOG_PLACE, bytes: log }],
        warnings: [readAs(LOG_PLACE)],
      };
    }
    return withCommand(this.#lookInto(path, bytes), name);
  }

  #lookInto(name: string, bytes: Uint8Array): LooseFile {
    const kind = loosePath(bytes) ?? hostnamePlace(name, bytes);
    // A file a day, each of another one.
    const place = kind === RECORDED_PLACE ? `${kind}-${name.replaceAll("/", "-")}` : kind;
    const split = this.#split(bytes, place);
    const isRecording = kind === RECORDED_PLACE && split?.sections.every(({ path }) => path === SAR_PLACE);
    const paste = isRecording ? undefined : split;
    const sections: readonly Section[] = paste?.sections ?? (place === undefined ? [] : [{ path: place, bytes }]);
    const warnings = paste?.warnings.map((warning) => `: ${warning}`) ?? [readAs(place)];
    return { name, sections, warnings };
  }

  /** A system's log beside dmesg goes further back. */
  #besideLog(file: LooseFile): LooseFile {
    const { name, sections: [only] } = file;
    const hasLog = this.#has(LOG_PLACE) || this.#places.has(LOG_PLACE);
    if (only === undefined || !hasLog || !isSystemLog(file)) return file;
    const path = SYSTEM_LOG_PLACE + name.replaceAll("/", "-");
    return { name, sections: [{ path, bytes: only.bytes }], warnings: [readAs(path)] };
  }

  #use(file: LooseFile): PlacedEntry[] | undefined {
    const { name, sections, warnings } = this.#besideLog(file);
    const used = sections.filter((section) => this.#uses(section));
    if (used.length === 0) {
      const [twice] = sections.filter(({ path }) => this.#places.has(path));
      if (twice !== undefined) {
        this.#few.add("twice", `${shortName(name)} is passed over: another file is ${twice.path}`);
      }
      return undefined;
    }
    this.#warnings.push(...warnings.map((warning) => shortName(name) + warning));
    return used.flatMap(({ path, bytes }) => {
      if (isSocketList(path)) return [];
      if (snapshotOf(path) === undefined) this.#given++;
      this.#places.add(path);
      this.#host ??= hostOf([{ path, bytes }]);
      return [{ path, entry: sectionEntry(path, bytes) }];
    });
  }

  #split(bytes: Uint8Array, place: string | undefined): Paste | undefined {
    const isLong = bytes.length > MAX_PASTE_BYTES;
    // Of what was recorded for long the newest.
    const used = isLong ? bytes.subarray(-MAX_PASTE_BYTES) : bytes;
    if (this.#pastes >= MAX_PASTES || used.includes(0)) return undefined;
    if (this.#pasteBytes + used.length > MAX_ALL_PASTES_BYTES) return undefined;
    this.#pasteBytes += used.length;
    const text = utf8.decode(used);
    const paste = isLong ? splitSamples(text) : splitText(text, place);
    if (paste === undefined) return undefined;
    this.#pastes++;
    return isLong ? { ...paste, warnings: [...paste.warnings, `its last ${used.length} bytes are used`] } : paste;
  }

  /** Whether something is used; of lists of sockets a copy is kept until the end. */
  #uses({ path, bytes }: Section): boolean {
    // A command may show any path.
    if (this.#has(path) || path.split("/").includes("..")) return false;
    if (path.startsWith(RECORDED_PLACE)) return this.#recordings++ < MAX_RECORDINGS;
    if (!isSocketList(path)) return !this.#places.has(path);
    if (this.#listCount >= MAX_LISTS || this.#listBytes + bytes.length > this.#maxBytes) return false;
    this.#listCount++;
    this.#listBytes += bytes.length;
    const lists = this.#lists.get(path);
    if (lists === undefined) this.#lists.set(path, [bytes.slice()]);
    else lists.push(NEWLINE, bytes.slice());
    return true;
  }

  /** All lists of sockets, those of each kind one below the other. */
  *lists(): Generator<PlacedEntry> {
    for (const [path, parts] of this.#lists) {
      if (!this.#has(path)) yield { path, entry: sectionEntry(path, concatBytes(parts)) };
    }
    this.#few.end();
  }
}
