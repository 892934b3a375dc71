/** What the files at the top of a folder or an archive hold that have no place of a host's: one file, or several as in a paste. */
import { concatBytes } from "../core/bytes.ts";
import { shortName } from "./_few.ts";
import type { Section } from "./_layouts.ts";
import { isLooseName, isSocketList, loosePath } from "./_loose.ts";
import type { Paste } from "./_paste.ts";
import { type PlacedEntry, sectionEntry } from "./_places.ts";
import { splitText } from "./_samples.ts";

/** A longer text is one file, by its beginning: taken apart it needs a hundred times its size. */
const MAX_PASTE_BYTES = 8 * 2 ** 20;
/** Of a hostile text a megabyte takes three seconds (measured: lines of one letter, empty ones between them). */
const MAX_ALL_PASTES_BYTES = 16 * 2 ** 20;
/** Files with several in them, and lists of sockets: people save a handful, a hostile archive a million, of which each would be told. */
const MAX_PASTES = 32;
const MAX_LISTS = 32;
const NEWLINE = new Uint8Array([0x0a]);

const utf8 = new TextDecoder();

/** The loose files of one bundle. */
export class LooseFiles {
  readonly #has: (path: string) => boolean;
  readonly #warnings: string[];
  readonly #maxBytes: number;
  /** Lists of sockets, by their place: of several files each has other ones. */
  readonly #lists: Map<string, Uint8Array[]> = new Map();
  #listBytes = 0;
  #listCount = 0;
  #pastes = 0;
  #pasteBytes = 0;

  /**
   * @param has Whether the bundle has a file: a host's own goes before.
   * @param maxBytes What is used of a file.
   */
  constructor(has: (path: string) => boolean, warnings: string[], maxBytes: number) {
    this.#has = has;
    this.#warnings = warnings;
    this.#maxBytes = maxBytes;
  }

  /** Whether a file may be such a one, by its name. */
  static is({ path, entry }: PlacedEntry): boolean {
    return entry.kind === "file" && isLooseName(path);
  }

  /** What is in one of them, valid until the next entry is asked for. Lists of sockets come at the end. */
  async read({ path: name, entry }: PlacedEntry): Promise<readonly PlacedEntry[]> {
    const { bytes } = await entry.read(this.#maxBytes);
    const place = loosePath(bytes);
    const paste = this.#split(bytes, place);
    const found: readonly Section[] = paste?.sections ?? (place === undefined ? [] : [{ path: place, bytes }]);
    const used = found.filter((section) => this.#uses(section));
    if (used.length === 0) return [];
    const warnings = paste?.warnings.map((warning) => `: ${warning}`) ?? [` is read as ${place}, by what is in it`];
    this.#warnings.push(...warnings.map((warning) => shortName(name) + warning));
    return used.flatMap(({ path, bytes: content }) =>
      isSocketList(path) ? [] : [{ path, entry: sectionEntry(path, content) }]
    );
  }

  #split(bytes: Uint8Array, place: string | undefined): Paste | undefined {
    const { length } = bytes;
    if (length > MAX_PASTE_BYTES || this.#pastes >= MAX_PASTES || bytes.includes(0)) return undefined;
    if (this.#pasteBytes + length > MAX_ALL_PASTES_BYTES) return undefined;
    this.#pasteBytes += length;
    const paste = splitText(utf8.decode(bytes), place);
    if (paste !== undefined) this.#pastes++;
    return paste;
  }

  /** Whether something is used; of lists of sockets a copy is kept until the end. */
  #uses({ path, bytes }: Section): boolean {
    // A command may show any path.
    if (this.#has(path) || path.split("/").includes("..")) return false;
    if (!isSocketList(path)) return true;
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
  }
}
