// Oracle's OSWatcher (oswbb, in TFA and AHF, too): of each program a file an hour with its outputs, one below the other. They become snapshots.
//
//   archive/oswmeminfo/db1_meminfo_26.04.21.0300.dat
//
//   Linux OSWbb v7.3.3
//   zzz ***Tue Apr 21 03:00:04 CST 2026
//   MemTotal:       24683656 kB
import { pathInBundle } from "./_history.ts";
import type { Section } from "./_layouts.ts";
import { partPath } from "./_loose.ts";

const FILE = /(?:^|\/)([\w.-]{1,255})_(meminfo|slabinfo)_\d\d\.\d\d\.\d\d\.\d{4}\.dat(\.gz)?$/;

/** One of its files, as its name tells. */
export interface OswatcherFile {
  readonly host: string;
  /** Where a snapshot has what is in it. Its ps tells no process's memory, its top some processes, its netstat no sockets. */
  readonly place: string;
  readonly isCompressed: boolean;
}

/** Undefined for any other file. */
export function oswatcherFile(path: string): OswatcherFile | undefined {
  // Nearly no path ends so: that is seen sooner than the whole of it.
  if (!path.endsWith(".dat") && !path.endsWith(".dat.gz")) return undefined;
  const [, host, file, compression] = FILE.exec(path) ?? [];
  return host === undefined ? undefined : { host, place: `proc/${file}`, isCompressed: compression !== undefined };
}

const STAMP =
  /^zzz \*\*\*[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]?\d) (\d\d):(\d\d):\d\d(?: ([AP]M))? (\S{1,10}) (\d{4})[ \r]*$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MAX_STAMP_BYTES = 80;
const NEWLINE = 0x0a;
const Z = 0x7a;

const utf8 = new TextDecoder();

/** The minute, as if the host's clock were UTC, and the name of its time zone. */
interface Stamp {
  readonly minute: string;
  readonly zone: string;
}

function parseStamp(line: string): Stamp | undefined {
  const [, month = "", day = "", hours = "", minutes = "", half, zone = "", year = ""] = STAMP.exec(line) ?? [];
  if (!MONTHS.includes(month)) return undefined;
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (half === "PM" ? 12 : 0);
  const [m, d, h] = [MONTHS.indexOf(month) + 1, Number(day), hour].map((part) => String(part).padStart(2, "0"));
  return { minute: `${year}-${m}-${d}T${h}:${minutes}:00Z`, zone };
}

/** What a text begins with that is one of its files, whatever it is called: notices of AHF may come first, then its version and the first sample's time. */
const BEGINNING =
  /^(?:[^\n]{0,500}\n){0,9}?(?:Linux OSWbb v[^\n]{0,300}\n(?:[A-Z_]+ [^\n]{0,300}\n){0,9})?zzz \*\*\*[^\n]{0,80}\n/;
const HEAD_BYTES = 8192;
const PLACES: ReadonlySet<string | undefined> = new Set(["proc/meminfo", "proc/slabinfo"]);

/** The place of what is in a text that is one of its files; undefined for any other text. */
export function oswatcherPlace(head: Uint8Array): string | undefined {
  const text = utf8.decode(head.subarray(0, HEAD_BYTES));
  const [beginning] = BEGINNING.exec(text) ?? [];
  const place = beginning === undefined ? undefined : partPath(text.slice(beginning.length));
  return PLACES.has(place) ? place : undefined;
}

/** A file of a snapshot, and the time zone in which its time is. */
export interface OswatcherSample extends Section {
  readonly zone: string;
}

/**
 * The samples of a file, the first of each minute: it has one or two a minute, and those of the other files are taken some seconds later.
 *
 * @param place Where a snapshot has what is in it.
 */
export function* oswatcherSamples(bytes: Uint8Array, place: string): Generator<OswatcherSample> {
  let stamp: Stamp | undefined;
  let last: string | undefined;
  let start = 0;
  const sample = (end: number): OswatcherSample[] => {
    if (stamp === undefined || stamp.minute === last) return [];
    last = stamp.minute;
    return [{ path: pathInBundle(place, stamp.minute), bytes: bytes.slice(start, end), zone: stamp.zone }];
  };
  for (let line = 0; line < bytes.length;) {
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
  yield* sample(bytes.length);
}
