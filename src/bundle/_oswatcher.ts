// Oracle's OSWatcher (oswbb, in TFA and AHF, too) and, on Exadata, ExaWatcher: of each program a file an hour with its outputs, one below the other. They
// become snapshots.
//
//   archive/oswmeminfo/db1_meminfo_26.04.21.0300.dat
//   Meminfo.ExaWatcher/2026_04_21_03_00_04_MeminfoExaWatcher_db1.dat.bz2
//
//   Linux OSWbb v7.3.3
//   zzz ***Tue Apr 21 03:00:04 CST 2026
//   MemTotal:       24683656 kB
import type { Decompress } from "../core/bundle.ts";
import { bunzip2 } from "./bzip2.ts";
import { gunzip } from "./gzip.ts";
import { pathInBundle } from "./_history.ts";
import type { Section } from "./_layouts.ts";
import { parseStamp, type Stamp } from "./_stamp.ts";

const FILE =
  /(?:^|\/)(?:(?<host>[\w.-]{1,255})_(?<file>meminfo|slabinfo|ps)_\d\d\.\d\d\.\d\d\.\d{4}|\d{4}(?:_\d\d){5}_MeminfoExaWatcher_(?<exadata>[\w.-]{1,255}))\.dat(?<suffix>\.gz|\.bz2)?$/;

const DECOMPRESS: ReadonlyMap<string, Decompress> = new Map([[".gz", gunzip], [".bz2", bunzip2]]);

const PS_PLACE = "sos_commands/process/ps_auxwww";
/** That of older ones is `ps -elf`, which tells no process's memory. */
const PS_WITH_MEMORY = / RSS /;
/** Some lines stand above the first sample. */
const PS_HEAD_BYTES = 4096;

/** One of its files, as its name tells. */
export interface OswatcherFile {
  readonly host: string;
  /** Where a snapshot has what is in it. Its top tells of some processes, its netstat of no sockets. */
  readonly place: string;
  /** Undefined for one that is not compressed. */
  readonly decompress: Decompress | undefined;
}

/** Undefined for any other file. */
export function oswatcherFile(path: string): OswatcherFile | undefined {
  // Nearly no path has this: that is seen sooner than the whole of it.
  if (!path.includes(".dat")) return undefined;
  const { host, file = "meminfo", exadata, suffix } = FILE.exec(path)?.groups ?? {};
  const name = host ?? exadata;
  return name === undefined
    ? undefined
    : { host: name, place: file === "ps" ? PS_PLACE : `proc/${file}`, decompress: DECOMPRESS.get(suffix ?? "") };
}

/** A file has an hour, with a sample each minute; several that somebody put together may have a week. */
export const MAX_SAMPLES_A_FILE = 10_000;
const MAX_STAMP_BYTES = 80;
const MINUTE_MS = 60_000;
const NEWLINE = 0x0a;
const Z = 0x7a;

const utf8 = new TextDecoder();

/** A file of a snapshot, and when it was taken. */
export interface OswatcherSample extends Section {
  readonly stamp: Stamp;
}

/**
 * The samples of a file, {@linkcode MAX_SAMPLES_A_FILE} at most, the first of each minute: it has one or two a minute, and those of the other files are taken some seconds later.
 *
 * @param place Where a snapshot has what is in it.
 */
export function* oswatcherSamples(bytes: Uint8Array, place: string): Generator<OswatcherSample> {
  if (place === PS_PLACE && !PS_WITH_MEMORY.test(utf8.decode(bytes.subarray(0, PS_HEAD_BYTES)))) return;
  let stamp: Stamp | undefined;
  let last: string | undefined;
  let start = 0;
  let samples = 0;
  const sample = (end: number): OswatcherSample[] => {
    if (stamp === undefined) return [];
    const minute = new Date(Math.floor(stamp.time / MINUTE_MS) * MINUTE_MS).toISOString();
    if (minute === last) return [];
    last = minute;
    samples++;
    return [{ path: pathInBundle(place, minute), bytes: bytes.slice(start, end), stamp }];
  };
  for (let line = 0; line < bytes.length && samples < MAX_SAMPLES_A_FILE;) {
    const newline = bytes.indexOf(NEWLINE, line);
    const next = newline === -1 ? bytes.length : newline + 1;
    if (bytes[line] === Z && next - line <= MAX_STAMP_BYTES) {
      const found = parseStamp(utf8.decode(bytes.subarray(line, newline === -1 ? next : newline)));
      if (found !== undefined) {
        yield* sample(line);
        stamp = found;
        start = next;
      }
    }
    line = next;
  }
  if (samples < MAX_SAMPLES_A_FILE) yield* sample(bytes.length);
}
