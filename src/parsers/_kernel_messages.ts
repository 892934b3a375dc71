// Where bundles keep the kernel log, and what programs put before its lines.
import type { Captured, Parsed, Reader, Source } from "../core/source.ts";
import { forEachLine } from "./_lines.ts";

/** Of the running kernel. */
const DMESG_PATHS: readonly string[] = [
  "sos_commands/kernel/dmesg",
  "sos_commands/kernel/dmesg_-T",
  // Up to sos 3.2 (RHEL 6).
  "sos_commands/general/dmesg",
  "var/log/dmesg",
];

/** The best first. The system's logs reach back to before the host was started: one that is looked at after an OOM often was. */
export const KERNEL_LOG_PATHS: readonly string[] = [
  ...DMESG_PATHS,
  "var/log/kern.log",
  "var/log/messages",
  "var/log/syslog",
  "sos_commands/logs/journalctl_*",
  // What sos keeps of a log that is too long for it.
  "sos_strings/logs/*",
  "var/log/kern.log.1",
  "var/log/syslog.1",
  // Of a kernel that panicked, by kdump.
  "var/crash/*/vmcore-dmesg.txt",
  "var/crash/*/dmesg.*",
];

/** What journalctl tells of its files, and of one service. */
const NO_KERNEL_LOG = /\/journalctl_.*(?:--disk-usage|--list-boot|--header|-u_|--unit)/;
/** What sos keeps of `journalctl --boot -1`, and what kdump does. */
const LAST_BOOT_PATH = /_--boot_(?:-1|last)\b|^var\/crash\//;
const HOST_KILL =
  /(?:^|[^\w ] |\] )Out of memory: [Kk]ill|,global_oom,|Kernel panic - not syncing: (?:Out of memory|System is deadlocked on memory)/m;
const KILL = /invoked oom-killer: |[Oo]ut of [Mm]emory: [Kk]ill/;
/** How far to look for the kernel's first line. */
const HEAD_LENGTH = 500;

/** The log that sources read. */
export interface ChosenLog {
  readonly path: string;
  /** Whether all that it tells of was before the host was last started. */
  readonly isEarlier: boolean;
}

interface LogTraits {
  /** Of the whole host. */
  readonly hasHostKill: boolean;
  readonly hasKill: boolean;
  /** Since the host was started. */
  readonly isWhole: boolean;
}

function parseTraits(text: string): LogTraits {
  return {
    hasHostKill: HOST_KILL.test(text),
    hasKill: KILL.test(text),
    isWhole: /\bLinux version \d/.test(text.slice(0, HEAD_LENGTH)),
  };
}

/** Of several logs the first that tells of an OOM of the whole host; where none does, of a control group's; and of none, the first. */
function chooseLog(reader: Reader): Captured<ChosenLog> {
  const paths = KERNEL_LOG_PATHS.flatMap((pattern) => {
    const found = reader.paths(pattern).filter((path) => !NO_KERNEL_LOG.test(path));
    // Folders of kdump are called by their time: the newest first.
    return pattern.startsWith("var/crash/") ? found.toSorted().toReversed() : found;
  });
  const [first] = paths;
  if (first === undefined) {
    return { status: "missing", missing: [{ path: KERNEL_LOG_PATHS[0] as string, howToCapture: "dmesg" }] };
  }
  if (paths.length === 1) return { status: "ok", value: { path: first, isEarlier: LAST_BOOT_PATH.test(first) } };
  // They may be long: each is looked through once.
  const known = new Map<string, Captured<Parsed<LogTraits>>>();
  const is = (path: string, trait: keyof LogTraits): boolean => {
    const traits = known.get(path) ?? reader.parse(path, parseTraits);
    known.set(path, traits);
    return traits.status === "ok" && traits.value.value[trait];
  };
  const path = paths.find((each) => is(each, "hasHostKill")) ?? paths.find((each) => is(each, "hasKill")) ?? first;
  // What a whole dmesg does not tell of was before it.
  const isEarlier = !DMESG_PATHS.includes(path) &&
    (LAST_BOOT_PATH.test(path) || paths.some((each) => DMESG_PATHS.includes(each) && is(each, "isWhole")));
  return { status: "ok", value: { path, isEarlier } };
}

/** The log of a snapshot that is read. */
export const chosenLog: Source<ChosenLog> = { name: "kernel log", patterns: KERNEL_LOG_PATHS, read: chooseLog };

/** A line of syslog or the journal that another program than the kernel wrote: it may quote the kernel. Routers leave out the host. */
const OTHER_PROGRAM =
  /^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}(?:\.\d{1,9})?|\d{4}-\d\d-\d\dT\S{8,30}) (?!kernel: )\S{1,255} (?!kernel: )[^\s\[:]{1,64}(?:\[\d+\])?: /;

export function isFromOtherProgram(line: string): boolean {
  return OTHER_PROGRAM.test(line);
}

/** `2026-11-23T08:12:58,123456+00:00 ` of dmesg --time-format iso; `kern  :warn  : ` of dmesg -x; `6,339,5140900,-;` of /dev/kmsg; `10.5.0.3: kern:    info: [2025-05-18T15:40:20.675Z]: ` of Talos. */
const DMESG_PREFIX =
  /^(?:\d{1,4},\d{1,16},\d{1,16},[-c+][^;]{0,80};|\d{4}-\d\d-\d\dT[\d:,.]{8,16}\S{0,6} +|[a-z]{2,8} {0,4}:[a-z]{3,6} {0,3}: |(?:\S{1,255}: | )?(?:kern|user): {1,8}[a-z]{3,8}: \[\d{4}-\d\d-\d\dT[\d:.]{8,20}Z\]: )/;

/** The kernel's own time, behind what a hypervisor, a console server or a collector of logs put before it. */
const KERNEL_TIME = /^[^[\]]{1,160}\[ {0,12}\d{1,10}\.\d{6}\]/;

/** Whatever stands before a kill that somebody else read in the kernel's log: the columns of kubectl's events, JSON's name of it, who quotes it. */
const KILL_PREFIX = /^.{1,400}?(?=(?:Memory cgroup o|\bO)ut of memory: Kill(?:ed)? process \d)/;

/** A line without what dmesg, syslog or the journal put before it: `<4>`, `kernel:`, `[time]`, `[caller]`. */
export function messageOf(line: string): string {
  const kernel = line.indexOf("kernel: ");
  let message = line;
  // Some versions of rsyslog put the colon in twice.
  if (kernel !== -1) message = line.slice(kernel + "kernel: ".length).replace(/^: (?=\[)/, "");
  else if (!line.startsWith("[")) {
    if (line.includes("ut of memory: Kill")) message = line.replace(KILL_PREFIX, "");
    message = message.replace(/^<\d+>/, "").replace(DMESG_PREFIX, "").replace(KERNEL_TIME, "");
  }
  // A console server's time has a blank behind it.
  while (message.startsWith("[") && message.includes("]")) {
    message = message.slice(message.indexOf("]") + 1).trimStart();
  }
  return message.trimStart();
}

/** What a terminal was told with the text (dmesg's colours), where somebody recorded all of it: script, screen, a console server. */
// deno-lint-ignore no-control-regex
const ESCAPES = /\u001b(?:\[[\d;?]{0,32}[@-~]|[()][\dA-B]|[=>])/g;
const JSON_STRING = String.raw`"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*"`;
/** A text in JSON: of a record of `journalctl -o json`, of a line of `dmesg --json`, and all that `aws ec2 get-console-output` prints. */
const JSON_TEXT = new RegExp(
  String.raw`(?:^\{(?:.{0,10000},)? {0,4}"(MESSAGE)"|^ *"(?:msg|Output)") ?: ?(${JSON_STRING})`,
);
/** A console's log in JSON has some 100 kB; in one of a hundred times that the expression runs out of stack (measured: V8, 7 million escapes). */
const MAX_JSON_LENGTH = 2 ** 20;
const OF_KERNEL = /"(?:_TRANSPORT|SYSLOG_IDENTIFIER)" ?: ?"kernel"/;

/** The lines that a line of the file stands for: itself, without what a terminal was told, or those of a text in JSON. */
function linesIn(line: string): readonly string[] {
  const plain = line.includes("\u001b") ? line.replace(ESCAPES, "") : line;
  const [, ofJournal, text] = plain.length > MAX_JSON_LENGTH ? [] : JSON_TEXT.exec(plain) ?? [];
  if (text === undefined) return [plain];
  if (ofJournal !== undefined && !OF_KERNEL.test(plain)) return [];
  return (JSON.parse(text) as string).split(/\r?\n/);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** `Nov 23 08:12:58` of syslog, also as dmesg -T has it. */
const SYSLOG_TIME = /^(?:\[[A-Z][a-z]{2} )?([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d)/;
const ISO_TIME = /^\d{4}-\d\d-\d\d[T ][\d:]{8}/;
const SECONDS = /^(?:<\d+>)?\[ {0,12}(\d{1,10})\.(\d{6})\]/;
/** Steps from one time to the next that tell which way a log runs: a restart and a clock that is set are single ones. */
const STEPS_LOOKED_AT = 200;
const FEWEST_FALLS = 2;
/** Of an OOM that took less than a second all times are the same: its table has its head below its rows. */
const TABLE_UPSIDE_DOWN = /\] +\d{1,10} +\d{1,10} +\d{1,15} +\d{1,15} .*\n.*\[ {0,2}pid {0,2}\] +uid /;
/** No time at the beginning of a line ends behind this. */
const MAX_TIME_LENGTH = 64;

/** A line's time, to be compared with those that are written alike; undefined where it has none. */
function timeOf(line: string): string | undefined {
  const [, seconds, micros] = SECONDS.exec(line) ?? [];
  if (seconds !== undefined) return `[${seconds.padStart(10, "0")}.${micros}`;
  const [, month, day, time] = SYSLOG_TIME.exec(line) ?? [];
  if (month === undefined) return ISO_TIME.exec(line)?.[0];
  return `${String(MONTHS.indexOf(month)).padStart(2, "0")} ${day} ${time}`;
}

/** Whether a log has its newest line first, as `journalctl -r` writes it: more often than not the time of a line is before that of the line above it. */
export function isNewestFirst(text: string): boolean {
  let falls = 0;
  let rises = 0;
  let above: string | undefined;
  for (let start = 0, end = 0; start < text.length && falls + rises < STEPS_LOOKED_AT; start = end + 1) {
    end = text.indexOf("\n", start);
    if (end === -1) end = text.length;
    const time = timeOf(text.slice(start, Math.min(end, start + MAX_TIME_LENGTH)));
    if (time === undefined) continue;
    if (above !== undefined && above.length === time.length) {
      if (time < above) falls++;
      else if (time > above) rises++;
    }
    above = time;
  }
  if (falls + rises === 0) return TABLE_UPSIDE_DOWN.test(text);
  return falls >= FEWEST_FALLS && falls > rises;
}

/** A log of records with a line a field: `journalctl -o verbose`, `-o export` and `-o json-pretty`. */
const FIELDS_HEAD_LENGTH = 2 ** 14;
const IN_FIELDS = /^[\t ]{0,8}(?:_TRANSPORT=|"_TRANSPORT" : ")/m;
const FIELD = new RegExp(
  String.raw`^[\t ]{0,8}(?:(_TRANSPORT|MESSAGE)=(.*)|"(_TRANSPORT|MESSAGE)" : (${JSON_STRING}),?)$`,
);
/** Between records: an empty line, a brace, a line with the time and the cursor. */
const NEXT_RECORD = /^(?:$|\}|\S.{0,80} \[s=[\da-f]{1,32};)/;

/** Of a message of several lines -o verbose has the others below the first, as far to the right. */
const CONTINUED = /^ {12}(?=\S)/;

/** Calls `each` for every line of the messages of such a log that are the kernel's. */
function forEachKernelRecord(text: string, each: (line: string, number: number) => void): void {
  let transport: string | undefined;
  let message: { readonly line: string; readonly number: number }[] = [];
  let isMessage = false;
  const end = (): void => {
    if (transport === "kernel") message.forEach(({ line, number }) => each(line, number));
    transport = undefined;
    message = [];
  };
  forEachLine(text, (line, number) => {
    if (NEXT_RECORD.test(line)) return end();
    if (isMessage && CONTINUED.test(line)) return void message.push({ line: line.trimStart(), number });
    const [, name, plain, key, json] = line.length > MAX_JSON_LENGTH ? [] : FIELD.exec(line) ?? [];
    const value = json === undefined ? plain : JSON.parse(json) as string;
    isMessage = (name ?? key) === "MESSAGE";
    if (isMessage) message = (value as string).split(/\r?\n/).map((each) => ({ line: each, number }));
    else if (value !== undefined) transport = value;
  });
  end();
}

/** Calls `each` for every line of a log, with the number of the one in the text that it stands in, the oldest first. */
export function forEachLogLine(text: string, newestFirst: boolean, each: (line: string, number: number) => void): void {
  if (IN_FIELDS.test(text.slice(0, FIELDS_HEAD_LENGTH))) return forEachKernelRecord(text, each);
  const eachIn = (line: string, number: number): void => linesIn(line).forEach((plain) => each(plain, number));
  if (!newestFirst) return forEachLine(text, eachIn);
  // Lines of one message stay in their order, the second and later ones indented.
  const messages: { readonly line: string; readonly number: number }[][] = [];
  forEachLine(text, (line, number) => {
    const message = messages.at(-1);
    if (line.startsWith(" ") && message !== undefined) message.push({ line, number });
    else messages.push([{ line, number }]);
  });
  for (const message of messages.reverse()) for (const { line, number } of message) eachIn(line, number);
}
