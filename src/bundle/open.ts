import type { Bundle, Decompress, Entry } from "../core/bundle.ts";
import { BundleError, LimitError } from "../core/errors.ts";
import type { Manifest } from "../core/manifest.ts";
import { matcher } from "../core/patterns.ts";
import type { HostFacts, Source } from "../core/source.ts";
import { shortName } from "./_few.ts";
import { keepAll, type Keeping } from "./_keep.ts";
import { Kept } from "./_kept.ts";
import type { PackedFiles } from "./_packed_files.ts";
import { type ArchiveOptions, type PlacedEntry, sectionEntry } from "./_places.ts";
import { peek } from "./_streams.ts";
import { bunzip2 } from "./bzip2.ts";
import { factsPaths, factsWithoutManifest } from "./facts.ts";
import { gunzip } from "./gzip.ts";
import { Budget } from "./limits.ts";
import { LOG_PLACE, loosePath } from "./_loose.ts";
import { splitText } from "./_samples.ts";
import { isKernelLog, oneFile, tellsOfOom } from "./log.ts";
import { parseManifest, parseStatus } from "./manifest.ts";
import { isTar, readTar } from "./tar.ts";
import { unxz } from "./xz.ts";
import { isZip, readZip } from "./zip.ts";
import { unzstd } from "./zstd.ts";

export { type ArchiveOptions, linkDestination, type PlacedEntry, placeEntries } from "./_places.ts";

/** How a bundle is opened, and which of its files are kept. */
export interface OpenOptions extends ArchiveOptions {
  /** Sources that will be read: files that none of them wants are passed over. */
  readonly sources: readonly Source<unknown>[];
}

/** The folder of a snapshot after the first. */
export const HISTORY: RegExp = /^history\/([^/]+)\//;
const MANIFEST = "nailhouse.json";
const STATUS = "nailhouse-status.json";

const utf8 = new TextDecoder();

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
interface Opening extends Keeping {
  readonly options: OpenOptions;
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
function describe(files: PackedFiles, links: Map<string, string>, warnings: string[]): Bundle {
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

/** Compressions, recognized by their first bytes. */
const COMPRESSIONS: readonly { readonly magic: readonly number[]; readonly decompress: Decompress }[] = [
  { magic: [0x1f, 0x8b], decompress: gunzip },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], decompress: unxz },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], decompress: unzstd },
  { magic: [0x42, 0x5a, 0x68], decompress: bunzip2 },
];

/** What is not read, by its first bytes, and what to do instead: `FILE` is the bundle's name. */
const OTHER_FORMATS: readonly (readonly [readonly string[], string, string])[] = [
  [["\x04\x22M\x18", "\x02!L\x18"], "lz4", "lz4 -d FILE bundle.tar"],
  [["7z\xbc\xaf"], "7-Zip", "7z x -obundle FILE; nailhouse analyze bundle"],
  [["Rar!\x1a\x07"], "RAR", "mkdir bundle; unrar x FILE bundle/; nailhouse analyze bundle"],
  [["LZIP\x00", "LZIP\x01"], "lzip", "lzip -dc FILE > bundle.tar"],
  [["\x89LZO\x00"], "lzop", "lzop -dc FILE > bundle.tar"],
  [["]\x00\x00"], "LZMA", "xz --format=lzma -dc FILE > bundle.tar"],
  [["\x1f\x9d"], "an archive of compress", "gzip -dc FILE > bundle.tar"],
  [["H4sI"], "base64", "base64 -d FILE > bundle.tgz"],
  [["070701", "070702", "070707"], "cpio", "mkdir bundle; cd bundle; cpio -idm --no-absolute-filenames < FILE"],
  [
    ["\x85\x01", "\x85\x02", "\x85\x03", "\x85\x04", "\x8c\x0d\x04", "-----BEGIN PGP MESSAGE"],
    "an encrypted file (OpenPGP)",
    "gpg -d FILE > bundle.tgz",
  ],
  [
    ["KDUMP   ", "DISKDUMP", "\x7fELF"],
    "a dump of the kernel's memory or a program",
    "crash VMLINUX FILE: `log`, `kmem -i` and `kmem -s` print text that is read",
  ],
  [["\xef\xbe\xed\xfe", "\xfe\xed\xbe\xef"], "what atop recorded", "atop -r FILE -P MEM > history.txt"],
  [["\x96\xd5", "\xd5\x96"], "what sysstat recorded", "sadf -j FILE -- -r ALL > history.json"],
  [["LPKSHHRH"], "a journal of systemd", "journalctl -k --file FILE > journal.txt"],
  [["\x89PNG", "\xff\xd8\xff", "GIF8", "%PDF-"], "a picture or a document", "copy its text, and save that to a file"],
];

/** A console's log may begin with the words of firmware and boot loader. */
const LOG_HEAD_BYTES = 2 ** 20;
/** What a program wrote for days may have it in between; 64 MiB are looked through in some 6 s. */
const LONG_HEAD_BYTES = 2 ** 26;

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/** The files that a text consists of. */
async function* pasted(
  chunks: AsyncIterable<Uint8Array>,
  whole: string | undefined,
  { limits }: Budget,
  broken: (message: string) => void,
): AsyncGenerator<Entry> {
  for await (const entry of oneFile("", chunks)) {
    const { bytes, truncated } = await entry.read(limits.maxFileBytes);
    if (truncated) broken(`of the text the first ${limits.maxFileBytes} bytes are used (limit maxFileBytes)`);
    const paste = splitText(utf8.decode(bytes), whole);
    paste?.warnings.forEach(broken);
    for (const section of paste?.sections ?? []) yield sectionEntry(section.path, section.bytes);
  }
}

/** What this program made of a bundle: JSON of one or of several, a comparison, or their page. The lines that it quotes would be taken for a log. */
const REPORT =
  /^(?:\s*\{\s*(?:"path":"(?:[^"\\]|\\.){0,4096}",)?"schemaVersion":\s?\d+,\s*"(?:host|outcome|summary)":|<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;;)/;

/** The same as text and in Markdown, if nothing stands beside it that it was made of. */
function isPrintedReport(text: string): boolean {
  const isReport =
    /^(?:> ?)*(?:Where all of MemTotal is|Could not be assessed: \d+ causes?, for want of|\| Account \| Bytes \| Share \| Held by \|) *\r?$/m;
  return isReport.test(text) && !/^(?:> ?)*(?:MemTotal: +\d+ kB| +total +used +free )/m.test(text);
}

/** By its first two bytes: what PowerShell's `>` writes. Editors may leave these out: two letters of ASCII tell it then. */
function utf16Of(head: Uint8Array): string | undefined {
  const [first = 0, second, third = 0, fourth] = head;
  if (startsWith(head, [0xff, 0xfe]) || (first > 0 && second === 0 && third > 0 && fourth === 0)) return "utf-16le";
  return startsWith(head, [0xfe, 0xff]) ? "utf-16be" : undefined;
}

async function* recoded(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(encoding), new TextEncoder()];
  for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
  yield encoder.encode(decoder.decode());
}

async function unpack(
  chunks: AsyncIterable<Uint8Array>,
  budget: Budget,
  options: ArchiveOptions,
  broken: (message: string) => void,
): Promise<AsyncIterable<Entry>> {
  const start = await peek(chunks, 512);
  if (start.head.length === 0) throw new BundleError("Cannot read the bundle: it is empty");
  if (isZip(start.head)) return readZip(budget.packed(start.chunks), (bytes) => budget.unpack(bytes), broken);
  let plain = { head: start.head, chunks: budget.unpacked(start.chunks) as AsyncIterable<Uint8Array> };
  const compression = COMPRESSIONS.find(({ magic }) => startsWith(start.head, magic));
  if (compression !== undefined) {
    const { decompress } = compression;
    const native = decompress === gunzip ? options.decompress : undefined;
    plain = await peek(budget.unpacked((native ?? decompress)(budget.packed(start.chunks), broken)), 512);
    if (plain.head.length === 0) throw new BundleError("Cannot read the bundle: it is cut off before its first file");
  }
  if (!isTar(plain.head)) {
    const encoding = utf16Of(plain.head);
    const text = await peek(encoding === undefined ? plain.chunks : recoded(plain.chunks, encoding), LOG_HEAD_BYTES);
    if (REPORT.test(utf8.decode(text.head.subarray(0, 8192))) || isPrintedReport(utf8.decode(text.head))) {
      throw new BundleError(
        "Cannot read the bundle: it is a report of one, which quotes little of it; give the bundle itself (compare takes reports of -f json)",
      );
    }
    const path = loosePath(text.head) ?? (isKernelLog(text.head) ? LOG_PLACE : undefined);
    if (!text.head.includes(0) && splitText(utf8.decode(text.head), path) !== undefined) {
      return pasted(text.chunks, path, budget, broken);
    }
    if (path !== undefined) return oneFile(path, text.chunks);
    // What is known may stand anywhere in a long one.
    if (!text.head.includes(0) && text.head.length >= LOG_HEAD_BYTES) {
      const { head, chunks: again } = await peek(text.chunks, Math.min(LONG_HEAD_BYTES, budget.limits.maxFileBytes));
      const long = utf8.decode(head);
      if (splitText(long, undefined) !== undefined) return pasted(again, undefined, budget, broken);
      if (tellsOfOom(long)) return oneFile(LOG_PLACE, again);
    }
    const beginning = String.fromCharCode(...text.head.subarray(0, 64));
    const other = OTHER_FORMATS.find(([magics]) => magics.some((magic) => beginning.startsWith(magic)));
    if (other !== undefined) {
      throw new BundleError(
        `Cannot read the bundle: it is ${other[1]}, which is not read; instead: ${other[2]}`,
      );
    }
    throw new BundleError(
      "Cannot read the bundle: it is neither a tar archive (plain, gzip, bzip2, xz or zstd) nor a zip archive, nor a kernel log, nor a file of /proc; what the host's `nailhouse collect`, dmesg or cat /proc/meminfo prints is read",
    );
  }
  return readTar(plain.chunks, broken);
}

/**
 * The entries of an archive that comes as a stream: .tar, also compressed as .gz (.tgz), .bz2, .xz or .zst, and .zip; recognized by content. A
 * kernel log in plain text (dmesg, journalctl, syslog, a serial console), or /proc/meminfo and its like, is a bundle of that one file.
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
