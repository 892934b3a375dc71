// sos_commands/process/descriptor_samples: some descriptors of the processes with the most, as `ls -l` prints them, and what fdinfo
// tells of some kinds.
//
//   lrwx------ 1 root root 64 Nov 23 07:13 /proc/18096/fd/3 -> anon_inode:[io_uring]
//   /proc/18096/fdinfo/3: SqMask:	0xff
//   /proc/18096/fdinfo/3:     0: 0x7fde0ad7b000/1048576
//   /proc/18096/fdinfo/3: overflow 1994752
//   /proc/18098/fdinfo/3: inotify 100
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseCount, parseHex } from "./_numbers.ts";

/** One descriptor. */
export interface DescriptorSample {
  readonly pid: number;
  readonly fd: number;
  /** `socket`, `pipe`, `file`, `memfd`, or the kernel's name of an anonymous inode: `eventfd`, `eventpoll`, `inotify`, `io_uring`. */
  readonly kind: string;
  readonly line: number;
}

/** What fdinfo tells of one descriptor. */
export interface DescriptorInfo {
  readonly pid: number;
  readonly fd: number;
  /** Watches of an inotify descriptor. */
  readonly inotifyMarks: number | undefined;
  /** Inodes that a fanotify descriptor has marked, and so keeps in memory. */
  readonly fanotifyMarks: number | undefined;
  /** Entries of the submission and of the completion ring of an io_uring. */
  readonly sqEntries: number | undefined;
  readonly cqEntries: number | undefined;
  /** Buffers registered with an io_uring. */
  readonly bufferBytes: number;
  /** Completions that an io_uring keeps beside its ring, which is full: nobody reaps them. */
  readonly overflowCompletions: number | undefined;
  readonly line: number;
}

/** What links in /proc/PID/fd point at, and what the kernel tells of some of them. */
export interface DescriptorSamples {
  readonly samples: readonly DescriptorSample[];
  readonly infos: readonly DescriptorInfo[];
}

const LINK = /\/proc\/(\d{1,10})\/fd\/(\d{1,10}) -> (.*)$/;
const INFO = /^\/proc\/(\d{1,10})\/fdinfo\/(\d{1,10}): (.*)$/;

/**
 * The kind of what a link in /proc/PID/fd points at.
 *
 * @example
 * ```ts
 * import { descriptorKind } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * equal(descriptorKind("anon_inode:[eventpoll]"), "eventpoll");
 * equal(descriptorKind("socket:[4711]"), "socket");
 * equal(descriptorKind("/memfd:cache (deleted)"), "memfd");
 * ```
 */
export function descriptorKind(target: string): string {
  if (target.startsWith("socket:[")) return "socket";
  if (target.startsWith("pipe:[")) return "pipe";
  if (target.startsWith("anon_inode:")) return /^anon_inode:\[?([\w-]*)/.exec(target)?.[1] || "anonymous";
  return target.startsWith("/memfd:") ? "memfd" : "file";
}

type Info = { -readonly [K in keyof DescriptorInfo]: DescriptorInfo[K] };

function addDetail(info: Info, text: string): boolean {
  const [name = "", value = ""] = text.trim().split(/:?\s+/, 2);
  if (name === "inotify") info.inotifyMarks = parseCount(value);
  else if (name === "fanotify") info.fanotifyMarks = parseCount(value);
  else if (name === "overflow") info.overflowCompletions = parseCount(value);
  // A mask is the number of entries less one; the number is a power of two.
  else if (name === "SqMask") info.sqEntries = entries(value);
  else if (name === "CqMask") info.cqEntries = entries(value);
  else if (/^\d+$/.test(name) && value.includes("/")) {
    info.bufferBytes += parseCount(value.slice(value.indexOf("/") + 1)) ?? 0;
  } else return name === "UserBufs";
  return true;
}

function entries(mask: string): number | undefined {
  const value = parseHex(mask.replace(/^0x/, ""));
  return value === undefined ? undefined : value + 1;
}

/**
 * Parses the list.
 *
 * @throws {ParseError} if the file is empty.
 *
 * @example
 * ```ts
 * import { parseDescriptorSamples } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "lr-x------ 1 root root 64 Nov 23 07:13 /proc/18098/fd/3 -> anon_inode:inotify\n/proc/18098/fdinfo/3: inotify 100\n";
 * const { samples, infos } = parseDescriptorSamples(text, { facts: {}, warn() {} });
 * strictEqual(samples[0]?.kind, "inotify");
 * strictEqual(infos[0]?.inotifyMarks, 100);
 * ```
 */
export function parseDescriptorSamples(text: string, context: ParseContext): DescriptorSamples {
  if (text === "") throw new ParseError("Cannot parse descriptor_samples: the file is empty");
  const samples: DescriptorSample[] = [];
  const infos = new Map<string, Info>();
  forEachLine(text, (line, number) => {
    const info = INFO.exec(line);
    if (info !== null) {
      const key = `${info[1]} ${info[2]}`;
      let known = infos.get(key);
      if (known === undefined) {
        known = {
          pid: Number(info[1]),
          fd: Number(info[2]),
          inotifyMarks: undefined,
          fanotifyMarks: undefined,
          sqEntries: undefined,
          cqEntries: undefined,
          bufferBytes: 0,
          overflowCompletions: undefined,
          line: number,
        };
        infos.set(key, known);
      }
      if (!addDetail(known, info[3] as string)) context.warn(number, `not a detail of a descriptor: ${quote(line)}`);
      return;
    }
    // A link that may not be read has no target.
    const link = LINK.exec(line);
    if (link !== null) {
      samples.push({
        pid: Number(link[1]),
        fd: Number(link[2]),
        kind: descriptorKind(link[3] as string),
        line: number,
      });
    }
  });
  return { samples, infos: [...infos.values()] };
}

/** A snapshot's file, as {@linkcode parseDescriptorSamples} reads it. */
export const descriptorSamples: Source<Parsed<DescriptorSamples>> = defineArtifact({
  name: "descriptor_samples",
  paths: ["sos_commands/process/descriptor_samples"],
  howToCapture: "ls -l /proc/[0-9]*/fd; grep . /proc/[0-9]*/fdinfo/*",
  parse: parseDescriptorSamples,
});
