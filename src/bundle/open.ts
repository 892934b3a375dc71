import type { Bundle, Decompress, Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { BundleError } from "../core/errors.ts";
import type { Manifest } from "../core/manifest.ts";
import { matcher } from "../core/patterns.ts";
import type { HostFacts, Source } from "../core/source.ts";
import { factsPaths, factsWithoutManifest } from "./facts.ts";
import { gunzip } from "./gzip.ts";
import { isKernelLog, kernelLogEntries } from "./log.ts";
import { parseManifest, parseStatus } from "./manifest.ts";
import { isTar, readTar } from "./tar.ts";
import { unxz } from "./xz.ts";
import { unzstd } from "./zstd.ts";

/** What a bundle may at most contain: it comes from a host that nobody vouches for. */
export interface BundleLimits {
  /** Longer files are cut there, with a warning. The largest file of a real bundle is /proc/net or ss of a million sockets: 200 MB. */
  readonly maxFileBytes: number;
  /** All the files kept, together. */
  readonly maxTotalBytes: number;
  /** A host with 100,000 processes yields under a million files. */
  readonly maxEntries: number;
}

export const defaultLimits: BundleLimits = {
  maxFileBytes: 256 * 2 ** 20,
  maxTotalBytes: 2 ** 30,
  maxEntries: 2_000_000,
};

export interface OpenOptions {
  /** Sources that will be read: files that none of them wants are passed over. */
  readonly sources: readonly Source<unknown>[];
  readonly limits?: BundleLimits;
  /** Reads gzip, instead of the portable one. */
  readonly decompress?: Decompress;
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
  "etc",
  "var",
  "run",
]);

const utf8 = new TextDecoder();

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

/** An entry, and its path without the one root directory of its bundle. */
export interface PlacedEntry {
  readonly path: string;
  readonly entry: Entry;
}

/** Finds each entry's place. What points outside the bundle, and what is beyond the limit, is passed over with a warning. */
export async function* placeEntries(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  limits: BundleLimits,
  warnings: string[],
): AsyncGenerator<PlacedEntry, void, undefined> {
  let root: string | undefined;
  let count = 0;
  for await (const entry of entries) {
    if (++count > limits.maxEntries) {
      warnings.push(`the bundle has more than ${limits.maxEntries} entries: the rest was not read`);
      break;
    }
    const parts = segments(entry.path);
    if (parts === undefined) {
      warnings.push(`the entry "${entry.path}" points outside the bundle: passed over`);
      continue;
    }
    if (root === undefined) {
      root = parts.length === 0 || TOP_FOLDERS.has(parts[0] as string) || parts[0] === MANIFEST ? "" : parts[0];
    }
    if (parts[0] === root) parts.shift();
    yield { path: parts.join("/"), entry };
  }
}

/** Patterns of the files that are kept for some sources. */
export function wantedPatterns(sources: readonly Source<unknown>[]): readonly string[] {
  const patterns = sources.flatMap((source) => source.patterns);
  // A sosreport has proc/net as a link to self/net, and proc/self as a link to a process: the files come before the links.
  const behindLink = patterns.filter((p) => p.startsWith("proc/net/")).map((p) => p.replace("proc/", "proc/*/"));
  return [...patterns, ...behindLink, ...factsPaths, MANIFEST, STATUS];
}

/**
 * Keeps what is wanted of a stream of entries, whatever they come from. Nothing is written anywhere, and links are data.
 */
export async function readEntries(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: OpenOptions,
  warnings: string[] = [],
): Promise<Bundle> {
  const limits = options.limits ?? defaultLimits;
  const wanted = matcher(wantedPatterns(options.sources));
  const files = new Map<string, Uint8Array>();
  const links = new Map<string, string>();
  let total = 0;
  for await (const { path, entry } of placeEntries(entries, limits, warnings)) {
    if (entry.kind === "link" && entry.linkTarget !== undefined) {
      const destination = linkDestination(path, entry.linkTarget);
      if (destination !== undefined) links.set(path, destination);
      continue;
    }
    if (entry.kind !== "file" || !wanted(path.replace(HISTORY, ""))) continue;
    const room = Math.min(limits.maxFileBytes, limits.maxTotalBytes - total);
    const { bytes, truncated } = await entry.read(room);
    if (truncated) warnings.push(`${path} is incomplete: its first ${bytes.length} bytes are used`);
    if (files.has(path)) warnings.push(`${path} is in the bundle twice: the last one is used`);
    files.set(path, bytes);
    total += bytes.length;
  }
  return describe(files, links, warnings);
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
  yield* head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
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
];

/** A console's log may begin with the words of firmware and boot loader. */
const LOG_HEAD_BYTES = 2 ** 20;

const BZIP2 = [0x42, 0x5a, 0x68];

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/**
 * The entries of an archive that comes as a stream: .tar, also compressed as .gz (.tgz), .xz or .zst; recognized by content. A
 * kernel log in plain text (dmesg, journalctl, syslog, a serial console) is a bundle of that one file.
 *
 * @param nativeGunzip Used instead of the portable one, where there is one.
 * @param broken Told what is wrong when the archive is damaged or cut off; the entries before that are good.
 * @throws {BundleError} If it is empty or no archive.
 */
export async function archiveEntries(
  chunks: AsyncIterable<Uint8Array>,
  nativeGunzip: Decompress | undefined,
  broken: (message: string) => void,
): Promise<AsyncIterable<Entry>> {
  const start = await peek(chunks, 512);
  if (start.head.length === 0) throw new BundleError("Cannot read the bundle: it is empty");
  if (startsWith(start.head, BZIP2)) {
    throw new BundleError(
      "Cannot read the bundle: bzip2 compression is not supported; try: bzip2 -dc FILE | nailhouse analyze -",
    );
  }
  let plain = start;
  const compression = COMPRESSIONS.find(({ magic }) => startsWith(start.head, magic));
  if (compression !== undefined) {
    const { decompress } = compression;
    const native = decompress === gunzip ? nativeGunzip : undefined;
    plain = await peek((native ?? decompress)(start.chunks, broken), 512);
    if (plain.head.length === 0) throw new BundleError("Cannot read the bundle: it is cut off before its first file");
  }
  if (!isTar(plain.head)) {
    const text = await peek(plain.chunks, LOG_HEAD_BYTES);
    if (isKernelLog(text.head)) return kernelLogEntries(text.chunks);
    throw new BundleError(
      "Cannot read the bundle: it is neither a tar archive (plain, gzip, xz or zstd) nor a kernel log",
    );
  }
  return readTar(plain.chunks, broken);
}

/**
 * Opens a bundle that comes as a stream.
 *
 * @throws {BundleError} If it is empty or no archive.
 */
export async function openArchive(chunks: AsyncIterable<Uint8Array>, options: OpenOptions): Promise<Bundle> {
  const warnings: string[] = [];
  const broken = (message: string): void => void warnings.push(message);
  const entries = await archiveEntries(chunks, options.decompress, broken);
  return await readEntries(entries, options, warnings);
}
