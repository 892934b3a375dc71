/**
 * Redaction: a bundle without what names hosts, people and what they do, on which analysis finds the same. Names and
 * addresses become pseudonyms, the same ones everywhere in the bundle; files that analysis does not read, and binary ones,
 * are not passed on at all.
 */
import type { Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import type { Sink } from "../core/host.ts";
import { isBigEndian } from "../core/machine.ts";
import { matcher } from "../core/patterns.ts";
import type { HostFacts, Source } from "../core/source.ts";
import { incomplete } from "./_few.ts";
import { pathInBundle } from "./_history.ts";
import { keepAll, type Keeper } from "./_keep.ts";
import { type Mapping, Pseudonyms } from "./_pseudonyms.ts";
import { type Rule, type RuleContext, ruleOf } from "./_redact_rules.ts";
import { textRedactor } from "./_redact_text.ts";
import { Budget, defaultLimits } from "./limits.ts";
import { HISTORY, linkDestination, wantedPatterns } from "./open.ts";
import type { TarSink } from "./tar_write.ts";

export type { Mapping, SecretKind } from "./_pseudonyms.ts";

/** Text is decoded and searched in pieces of about this size, which end where a line ends. */
const PIECE_BYTES = 2 ** 20;
const NEWLINE = 0x0a;

/** What became of the files so far. */
export interface RedactionCounts {
  readonly files: number;
  /** Files that no analyzer reads. */
  readonly notRead: number;
  /** Binary files, and those of which no rule can tell what is in them. */
  readonly notText: number;
}

const encoder = new TextEncoder();

/** Pieces that end where a line ends; a line longer than a piece stays whole. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start + PIECE_BYTES);
    const end = newline === -1 ? bytes.length : newline + 1;
    yield bytes.subarray(start, end);
    start = end;
  }
}

/** A last line that was cut may end in a part of an address, which no expression can know for one. */
function withoutCutAddress(text: string): string {
  const last = text.lastIndexOf("\n") + 1;
  if (last === 0 || last === text.length) return text;
  return text.slice(0, last) + text.slice(last).replace(/[0-9A-Fa-f]*[.:-][0-9A-Fa-f.:-]*$/, "");
}

/**
 * Redacts the files of one bundle, one after the other.
 *
 * @example
 * ```ts
 * import { preset, presetSources, Redactor } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const redactor = new Redactor({ hostname: "web1" }, presetSources(preset));
 * const file = redactor.file("etc/hostname", new TextEncoder().encode("web1\n"));
 * equal(new TextDecoder().decode(file?.bytes), "host-1\n");
 * equal(redactor.root("nailhouse-web1-20261123T060102Z"), "nailhouse-host-1-20261123T060102Z");
 * ```
 */
export class Redactor {
  readonly #names = new Pseudonyms();
  readonly #context: RuleContext;
  readonly #wanted: (path: string) => boolean;
  /** Folders through which a wanted file may be reached. */
  readonly #wantedFolder: (path: string) => boolean;
  readonly #hostname: string | undefined;
  #files = 0;
  #notRead = 0;
  #notText = 0;

  /**
   * @param facts What is known of the host before: its name, and in which order its addresses are printed.
   * @param sources Files that none of them reads are not passed on.
   */
  constructor(facts: HostFacts, sources: readonly Source<unknown>[]) {
    const patterns = wantedPatterns(sources);
    this.#wanted = matcher(patterns);
    this.#wantedFolder = matcher([...new Set(patterns.flatMap(parents))]);
    this.#hostname = facts.hostname;
    // The first pseudonym of a host is its own.
    if (facts.hostname !== undefined) this.#names.host(facts.hostname);
    this.#context = {
      bigEndian: isBigEndian(facts.machine),
      ...textRedactor(this.#names, facts.hostname),
    };
  }

  /** The root directory of the redacted bundle; the time in the original's name is kept. */
  root(original: string): string {
    const time = /^nailhouse-.*-(\d{8}T\d{6}Z)$/.exec(original)?.[1];
    const host = this.#hostname === undefined ? "redacted" : this.#names.host(this.#hostname);
    return `nailhouse-${host}${time === undefined ? "" : `-${time}`}`;
  }

  /** Whether the file is to be read at all. Counts those that are not. */
  wants(path: string): boolean {
    const reads = this.reads(path.replace(HISTORY, ""));
    if (!reads) this.passOver();
    return reads;
  }

  /** Whether analysis reads a file, by its path below its snapshot's folder. */
  reads(below: string): boolean {
    return this.#wanted(below);
  }

  /** Counts a file of which nothing is passed on. */
  passOver(): void {
    this.#notRead++;
  }

  /** The file as it may be passed on; undefined when it may not. */
  file(path: string, bytes: Uint8Array): { readonly path: string; readonly bytes: Uint8Array } | undefined {
    const { rule, whole } = ruleOf(path.replace(HISTORY, ""));
    if (rule === undefined || (!whole && bytes.includes(0))) {
      this.#notText++;
      return undefined;
    }
    const redactedPath = this.#path(path);
    if (!this.#wanted(redactedPath.replace(HISTORY, ""))) {
      this.#notText++;
      return undefined;
    }
    this.#files++;
    return { path: redactedPath, bytes: this.#content(bytes, rule, whole) };
  }

  /** Where a link points in the redacted bundle; undefined when it is not passed on. */
  link(path: string, target: string): { readonly path: string; readonly target: string } | undefined {
    const inside = linkDestination(path, target) !== undefined && !target.startsWith("/");
    if (!inside || (!this.#wantedFolder(path) && !this.#wanted(path))) return undefined;
    return { path: this.#path(path), target: this.#path(target) };
  }

  counts(): RedactionCounts {
    return { files: this.#files, notRead: this.#notRead, notText: this.#notText };
  }

  /** What stands for what: for the owner of the bundle alone. */
  mapping(): Mapping {
    return this.#names.mapping();
  }

  /** A file keeps its own name, by which it is known. */
  #path(path: string): string {
    const name = path.lastIndexOf("/") + 1;
    const time = HISTORY.exec(path)?.[0] ?? "";
    return time + this.#context.text(path.slice(time.length, name)) + this.#context.text(path.slice(name));
  }

  #content(bytes: Uint8Array, rule: Rule, whole: boolean): Uint8Array {
    const redact = (piece: Uint8Array): Uint8Array => {
      const text = new TextDecoder().decode(piece);
      return encoder.encode(rule(whole ? text : withoutCutAddress(text), this.#context));
    };
    return whole ? redact(bytes) : concatBytes([...pieces(bytes)].map(redact));
  }
}

/** `a/b` and `a` of `a/b/c`. */
function parents(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

/**
 * Redacts what is being collected, before it is written.
 *
 * @example
 * ```ts
 * import { collectors, preset, presetSources, redactingSink, Redactor } from "nailhouse";
 * import { collect, memoryHost, memorySink } from "nailhouse/host";
 * import { doesNotMatch } from "node:assert";
 *
 * const host = memoryHost({ files: { "/proc/mounts": "web1:/export /mnt nfs rw 0 0\n" }, facts: { hostname: "web1" } });
 * const sink = memorySink();
 * await collect(host, collectors, redactingSink(new Redactor(host.facts, presetSources(preset)), sink), { snapshots: 1 });
 * for (const bytes of sink.files.values()) doesNotMatch(new TextDecoder().decode(bytes), /web1/);
 * ```
 */
export function redactingSink(redactor: Redactor, sink: Sink): Sink {
  return {
    async file(path, bytes, mtimeMs) {
      const redacted = redactor.wants(path) ? redactor.file(path, bytes) : undefined;
      if (redacted !== undefined) await sink.file(redacted.path, redacted.bytes, mtimeMs);
    },
    flush: () => sink.flush(),
  };
}

/**
 * Redacts a bundle, entry by entry: one file at a time is in memory.
 *
 * @example
 * ```ts
 * import { analyze, archiveEntries, openBundle, presetSources, redactEntries, Redactor, tarSink } from "nailhouse";
 * import { equal } from "node:assert";
 * import { createReadStream } from "node:fs";
 *
 * const path = "samples/friend-push.tgz";
 * const { facts, preset } = await openBundle(path);
 * const redactor = new Redactor(facts, presetSources(preset));
 * const parts: Uint8Array<ArrayBuffer>[] = [];
 * const output = { write: async (bytes: Uint8Array) => void parts.push(bytes.slice()), flush: async () => {} };
 * const tar = tarSink(redactor.root("friend-push"), output);
 * await redactEntries(await archiveEntries(createReadStream(path), {}, () => {}), redactor, tar, 0, () => {});
 * await tar.end();
 * equal(analyze(await openBundle(new Blob(parts))).findings[0]?.cause, "socket-backlog-udp");
 * ```
 *
 * @param onFile Told after each file that was passed on.
 * @returns What was wrong with the bundle, in words.
 */
export async function redactEntries(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  redactor: Redactor,
  sink: TarSink,
  mtimeMs: number,
  onFile: (counts: RedactionCounts) => void,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  const files = new Set<string>();
  const add = async (path: string, entry: Entry): Promise<void> => {
    const { bytes, truncated } = await entry.read(defaultLimits.maxFileBytes);
    if (truncated) warnings.push(incomplete(path, bytes));
    const redacted = redactor.file(path, bytes);
    if (redacted === undefined) return;
    await sink.file(redacted.path, redacted.bytes, mtimeMs);
    onFile(redactor.counts());
  };
  const keeper: Keeper = {
    files,
    addFile(below, entry, snapshot) {
      const path = pathInBundle(below, snapshot);
      files.add(path);
      return add(path, entry);
    },
    async addLink(path, target) {
      const link = redactor.link(path, target);
      if (link !== undefined) await sink.link(link.path, link.target, mtimeMs);
    },
    passOver: () => redactor.passOver(),
    end() {},
  };
  const wanted = (below: string): boolean => redactor.reads(below);
  const budget = new Budget({}, undefined);
  for await (const _inner of keepAll(entries, { budget, wanted }, keeper, warnings)) redactor.passOver();
  return warnings;
}
