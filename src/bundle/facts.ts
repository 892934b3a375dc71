/** What a bundle without a manifest (a sosreport, a plain copy of /proc) still tells about its machine. */
import { BOOT_ID_PATH } from "../core/bundle.ts";
import type { HostFacts } from "../core/source.ts";
import { parseStamp } from "./_stamp.ts";

const utf8 = new TextDecoder();

/** What hostname printed. */
export const HOSTNAME_PLACE = "sos_commands/host/hostname";
/** And not why there is none. */
const HOSTNAME = /^\s*([\w.-]{1,255})\s*$/;

/** The same amounts in meminfo, in KiB, and in vmstat, in pages. Some are empty on some hosts, and before 2.6.28 there were no lists of files. */
const SAME_AMOUNTS: readonly (readonly [RegExp, RegExp])[] = [
  [/^PageTables: +(\d+) kB$/m, /^nr_page_table_pages (\d+)$/m],
  [/^SUnreclaim: +(\d+) kB$/m, /^nr_slab_unreclaimable (\d+)$/m],
  [/^SReclaimable: +(\d+) kB$/m, /^nr_slab_reclaimable (\d+)$/m],
  [/^Active\(file\): +(\d+) kB$/m, /^nr_active_file (\d+)$/m],
];

/**
 * The page size, from two files that give the same amounts in KiB and in pages. They are read a moment apart, or minutes where somebody
 * pasted them: so all amounts together are compared, and the ratio is rounded to a power of two.
 */
function pageSizeBytes(meminfo: string | undefined, vmstat: string | undefined): number | undefined {
  let kib = 0;
  let pages = 0;
  for (const [inKib, inPages] of SAME_AMOUNTS) {
    const amount = meminfo?.match(inKib)?.[1];
    const count = vmstat?.match(inPages)?.[1];
    if (amount === undefined || count === undefined) continue;
    kib += Number(amount);
    pages += Number(count);
  }
  if (kib === 0 || pages === 0) return undefined;
  const size = 2 ** Math.round(Math.log2((kib * 1024) / pages));
  return size >= 4096 && size <= 65536 ? size : undefined;
}

/** On x86 and s390x a page has 4 KiB, whatever the kernel: `uname -m`, or a release of Red Hat's or Debian's. Others choose as they are built. */
const OF_4_KIB = /^(?:x86_64|i[3-6]86|s390x)$|[.-](?:x86_64|amd64|i[3-6]86|s390x)$/;

/**
 * Per-CPU memory is for every CPU that there may be, which the kernel tells as it starts. Each zone has a list of free pages for every one that is online, below
 * which comes another field: what was cut within the first list has too few.
 */
function cpuCount(log: string, zoneinfo: string): number | undefined {
  const [, told] = /\bnr_cpu_ids[:=](\d{1,5})\b/.exec(log) ?? [];
  if (told !== undefined) return Number(told) || undefined;
  const lists = zoneinfo.slice(0, Math.max(0, zoneinfo.lastIndexOf("start_pfn:")));
  return new Set(lists.match(/^ +cpu: \d{1,5}$/gm)).size || undefined;
}

/** `CPU: 0 PID: 115 Comm: hog Not tainted 5.10.0-45-amd64 #1` (up to 3.8 `Pid: 115, comm: hog Not`), of every trace; `Linux version 5.10.0-45-amd64 (...)`, of every boot. */
const LOGGED_RELEASE =
  /\bLinux version (\d\S{1,80})|\b(?:PID: \d{1,10} |Pid: \d{1,10}, comm: ).{0,100}(?:Not tainted|Tainted: [A-Z -]{1,60}) {1,8}(\d\S{1,80}) #/g;
/** `Nov 23 08:12:58 HOST kernel: ` (in whose place somebody may have put the year), `2026-11-23T08:12:58+0000 HOST kernel: ` */
const LOGGED_HOST = /^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT\S{8,32}) (?!\d{4} )(\S{1,255}) kernel: /m;

/** What `date --utc` printed, which sos does with all it collects. */
const UTC_DATE_PLACE = "sos_commands/date/date_--utc";

/** A log may be of several kernels: the last one counts. */
function loggedRelease(log: string): string | undefined {
  const [, boot, trace] = [...log.matchAll(LOGGED_RELEASE)].at(-1) ?? [];
  return boot ?? trace;
}

/** @param read The text of a file of the first snapshot, by the first of the paths that exists. */
export function factsWithoutManifest(files: ReadonlyMap<string, Uint8Array>): HostFacts {
  const read = (...paths: string[]): string | undefined => {
    const bytes = paths.map((path) => files.get(path)).find((found) => found !== undefined);
    return bytes === undefined ? undefined : utf8.decode(bytes);
  };
  // Linux HOST 6.1.0-18-amd64 #1 SMP ... x86_64 GNU/Linux
  const uname = read("sos_commands/kernel/uname_-a", "uname")?.trim().split(/\s+/);
  const log = read("sos_commands/kernel/dmesg") ?? "";
  const kernelRelease = uname?.[2] ?? read("proc/version")?.match(/^Linux version (\S+)/)?.[1] ?? loggedRelease(log);
  const hostname = uname?.[1] ?? read("etc/hostname", "proc/sys/kernel/hostname")?.trim() ??
    HOSTNAME.exec(read(HOSTNAME_PLACE) ?? "")?.[1] ?? LOGGED_HOST.exec(log)?.[1];
  const machine = uname?.at(-2);
  const is4KiB = [machine, kernelRelease].some((name) => OF_4_KIB.test(name ?? ""));
  const size = pageSizeBytes(read("proc/meminfo"), read("proc/vmstat")) ?? (is4KiB ? 4096 : undefined);
  const cpus = cpuCount(log, read("proc/zoneinfo") ?? "");
  const date = parseStamp(read(UTC_DATE_PLACE)?.trim() ?? "");
  const capturedAt = date?.zone === undefined ? date?.time : undefined;
  return {
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
    ...(hostname === undefined || hostname === "" ? {} : { hostname }),
    ...(machine === undefined ? {} : { machine }),
    ...(size === undefined ? {} : { pageSizeBytes: size }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(capturedAt === undefined ? {} : { capturedAt }),
  };
}

/** Files that are kept whatever sources there are. */
export const factsPaths: readonly string[] = [
  "sos_commands/kernel/uname_-a",
  "uname",
  "proc/version",
  "etc/hostname",
  "proc/sys/kernel/hostname",
  HOSTNAME_PLACE,
  UTC_DATE_PLACE,
  "proc/meminfo",
  "proc/vmstat",
  "proc/zoneinfo",
  BOOT_ID_PATH,
];
