/** What stands where in which file, for files in which that is not plain from the text alone. */
import { matcher } from "../core/patterns.ts";
import { formatHexAddress, parseHexAddress } from "./_addresses.ts";
import { FREE_PLACE, SS_PLACE, VMSTAT_PLACE } from "./_loose.ts";
import { HOSTNAME_PLACE } from "./facts.ts";
import type { TextRedactor } from "./_redact_text.ts";

/** What is known of the machine before its bundle is read. */
export interface RuleContext extends TextRedactor {
  readonly bigEndian: boolean;
}

/** From a file's text, or some of its lines, to what may be passed on. Lines stay where they are. */
export type Rule = (text: string, context: RuleContext) => string;

function perLine(rule: Rule): Rule {
  return (text, context) => text.split("\n").map((line) => line === "" ? "" : rule(line, context)).join("\n");
}

/** A line that is replaced as a whole keeps its number. */
const REDACTED = "(redacted)";

const SOCKET_ROW =
  /^( *\d+: )([0-9A-F]{8}|[0-9A-F]{32})(:[0-9A-F]{4} )([0-9A-F]{8}|[0-9A-F]{32})(:[0-9A-F]{4} [0-9A-F].*)$/i;

/** A row that was cut in its middle may hold a part of an address: it is left out. */
const socketTable: Rule = perLine((line, { names, bigEndian }) => {
  if (/^ *sl +local_address/.test(line)) return line;
  const [, number, local = "", localPort, remote = "", rest] = SOCKET_ROW.exec(line) ?? [];
  if (number === undefined) return REDACTED;
  const address = (hex: string): string => formatHexAddress(names.address(parseHexAddress(hex, bigEndian)), bigEndian);
  return `${number}${address(local)}${localPort}${address(remote)}${rest}`;
});

function args(text: string, context: RuleContext): string {
  return text.replace(/[^\s"]+/g, (word) => context.names.argument(word));
}

/** Its folder may be somebody's home; its name stays. */
function program(path: string, context: RuleContext): string {
  const name = path.lastIndexOf("/") + 1;
  return context.text(path.slice(0, name)) + context.text(path.slice(name));
}

/** The first word is the program, also where it has written a title over its command line (`sshd: USER [priv]`). */
function commandWords(text: string, context: RuleContext): string {
  // A kernel thread or a zombie.
  if (/^\[.*\](?: <defunct>)?$/.test(text)) return context.text(text);
  const [first = ""] = text.split(" ", 1);
  return program(first, context) + args(text.slice(first.length), context);
}

/** /proc/PID/cmdline */
const commandLine: Rule = (text, context) => {
  const [first = "", ...rest] = text.split("\0");
  return [commandWords(first, context), ...rest.map((each) => context.names.argument(each))].join("\0");
};

const USER_COLUMNS: ReadonlySet<string> = new Set(["USER", "GROUP", "UID", "RUSER", "EUSER"]);

/** A header with PID and CMD or COMMAND, and what it says of the columns. */
const ps: Rule = (text, context) => {
  let header: readonly string[] | undefined;
  let fields = 0;
  return perLine((line) => {
    if (header === undefined) {
      const names = line.trim().split(/\s+/);
      fields = names.findIndex((name) => name === "CMD" || name === "COMMAND");
      if (!names.includes("PID") || fields === -1) return REDACTED;
      header = names;
      // The time of start in five words: Mon Nov 23 08:12:58 2026.
      if (names.includes("STARTED")) fields += 4;
      return line;
    }
    const columns = header;
    const [start] = new RegExp(`^ *(?:\\S+ +){${fields}}`).exec(line) ?? [];
    if (start === undefined) return REDACTED;
    let column = 0;
    const redacted = start.replace(/\S+/g, (word) => {
      const name = columns[column++] ?? "";
      return USER_COLUMNS.has(name) ? context.names.user(word) : context.text(word);
    });
    const rest = line.slice(start.length);
    const isLast = /^(?:CMD|COMMAND)$/.test(columns.at(-1) ?? "");
    return redacted + (isLast ? commandWords(rest, context) : context.text(rest));
  })(text, context);
};

// [   12.345678], [Mon Nov 23 09:40:33 2026], [T123], [C1]
const LOG_PREFIX = /^(?:<\d+>)?(?:\[(?: *\d+\.\d+| *[TC]\d+|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})\] *)*/;
// Nov 23 09:40:33 HOST kernel: ..., 2026-11-23T09:40:33+0000 HOST kernel: ..., [   12.345678] HOST kernel: ...
const SYSLOG_PREFIX =
  /^((?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\d[T ]\S+|\[ *\d+\.\d+\](?= \S+ (?:kernel|[^\s:[\]]+\[\d+\]): )) )([^\s[\]:]+)( (?=\S))/;
// What programs wrote into the kernel's log (systemd[1]: ...), and the audit: nothing of the kernel's memory, all of the users.
const NOT_KERNEL = /^(?:audit|[^\s:[\]]{1,64}\[\d+\]): /;
const COMMAND_LINE = /^.*?\b[Cc]ommand line(?: parameters)?[:,]? /;
/** Of programs that kill before the kernel must, what tells whom and why: names of programs, groups and pods, as in the kernel's own lines. */
const DAEMON_LINE =
  /^(?:systemd-oomd|earlyoom|nohang(?:-desktop)?|kubelet)\[\d+\]: (?:(?:Killed|Marked) \S+ (?:for killing )?due to |(?:Low memory! )?mem avail: |Out of memory! avail: |(?:sending SIG\w+ to|[Kk]illing) process[ :]| +(?:MemAvailable \[|PID: |Send(?:ing)? SIG)|.{0,100}viction manager: (?:pod|must|attempting) )/;
/** What earlyoom tells last of a process. */
const ITS_COMMAND = ', cmdline "';

function daemonLine(line: string, context: RuleContext): string {
  const command = line.indexOf(ITS_COMMAND);
  return command === -1 ? context.text(line) : `${context.text(line.slice(0, command))}${ITS_COMMAND}${REDACTED}"`;
}

function kernelLine(line: string, context: RuleContext): string {
  const [syslog = "", time = "", host = ""] = SYSLOG_PREFIX.exec(line) ?? [];
  const rest = line.slice(syslog.length);
  const prefix = (/^kernel: /.exec(rest)?.[0] ?? "") + (LOG_PREFIX.exec(rest.replace(/^kernel: /, ""))?.[0] ?? "");
  const message = rest.slice(prefix.length);
  if (syslog !== "" && DAEMON_LINE.test(rest)) return `${time}${context.names.host(host)} ${daemonLine(rest, context)}`;
  if (DAEMON_LINE.test(message)) return prefix + daemonLine(message, context);
  if (syslog !== "" && prefix === "") {
    const program = /^[^\s:[\]]+(?:\[\d+\])?: /.exec(rest)?.[0] ?? "";
    return `${time}${context.names.host(host)} ${context.text(program)}${REDACTED}`;
  }
  const start = (syslog === "" ? "" : `${time}${context.names.host(host)} `) + prefix;
  const mark = NOT_KERNEL.exec(message)?.[0];
  if (mark !== undefined) return start + context.text(mark) + REDACTED;
  const command = COMMAND_LINE.exec(message)?.[0];
  return start +
    (command === undefined ? daemonLine(message, context) : command + args(message.slice(command.length), context));
}

/** What a text in JSON stands for; undefined where it is none. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A record of `journalctl -o json`, which has all that is known of the program, and of other programs than the kernel their command lines. */
function journalRecord(line: string, context: RuleContext): string {
  const record = fromJson(line) as Readonly<Record<string, unknown>> | undefined;
  const message = record?.MESSAGE;
  const isKernels = record?._TRANSPORT === "kernel" || record?.SYSLOG_IDENTIFIER === "kernel";
  if (!isKernels || typeof message !== "string") return REDACTED;
  return JSON.stringify({ _TRANSPORT: "kernel", MESSAGE: kernelLines(message, context) });
}

const kernelLines: Rule = perLine(kernelLine);
// A message of `dmesg --json`; all that a console shows, as `aws ec2 get-console-output` prints it.
const JSON_TEXT = /^( *"(?:msg|Output)" ?: ?)(?:(".*")(,?\s*)|.*)$/;

const kernelLog: Rule = perLine((line, context) => {
  if (line.startsWith("{")) return journalRecord(line, context);
  const [, key, text = "", end = ""] = JSON_TEXT.exec(line) ?? [];
  if (key === undefined) return kernelLine(line, context);
  const lines = fromJson(text);
  return typeof lines === "string" ? `${key}${JSON.stringify(kernelLines(lines, context))}${end}` : REDACTED;
});

/** Linux HOST RELEASE ... */
const uname: Rule = perLine((line, context) => {
  const [, system, host = "", rest] = /^(\S+ )(\S+)( .*)$/.exec(line) ?? [];
  return system === undefined ? REDACTED : system + context.names.host(host) + rest;
});

const hostName: Rule = perLine((line, { names }) => line.trim() === "" ? line : names.host(line.trim()));

const sysctl: Rule = perLine((line, context) => {
  const [, key = "", value = ""] = /^(.*? =)(.*)$/.exec(line) ?? [];
  if (/(?:hostname|domainname) =$/.test(key)) {
    return value.trim() === "(none)" ? line : `${key} ${context.names.host(value.trim())}`;
  }
  if (key === "") return context.text(line);
  if (/(?:key|secret) =$/.test(key) && /[1-9a-f]/i.test(value)) return `${key} ${context.names.secret(value.trim())}`;
  const command = /^ *\|\S+/.exec(value)?.[0] ?? "";
  return context.text(key) +
    (command === "" ? context.text(value) : context.text(command) + args(value.slice(command.length), context));
});

/** HIERARCHY:CONTROLLERS:PATH */
const cgroup: Rule = perLine((line, context) => {
  const start = /^\d+:[^:]*:/.exec(line)?.[0] ?? "";
  return start + context.text(line.slice(start.length));
});

/** The device: HOST:/export, USER@HOST:/folder, //HOST/share. */
function device(text: string, context: RuleContext): string {
  const [, user, host, path] = /^(?:([^@/\s]*)@)?([^/:@[\]\s]+)(:\/.*)$/.exec(text) ?? [];
  if (host !== undefined && path !== undefined) {
    const name = /^[\d.]+$/.test(host) ? context.text(host) : context.names.host(host);
    return `${user === undefined ? "" : `${context.names.user(user)}@`}${name}${context.text(path)}`;
  }
  const [, server, share] = /^\/\/([^/]+)(\/.*)?$/.exec(text) ?? [];
  if (server === undefined) return context.text(text);
  const name = /^[\d.]+$/.test(server) ? context.text(server) : context.names.host(server);
  return `//${name}${share === undefined ? "" : share.replace(/[^/]+/g, (part) => context.names.pathSegment(part))}`;
}

const mounts: Rule = perLine((line, context) => {
  const source = /^\S*/.exec(line)?.[0] ?? "";
  return device(source, context) + context.text(line.slice(source.length));
});

/** The mount point, last in the line, may hold blanks. */
const df: Rule = perLine((line, context) => {
  const source = /^\S*/.exec(line)?.[0] ?? "";
  return device(source, context) + context.endingInPath(line.slice(source.length));
});

const netstat: Rule = perLine((line, context) => {
  const [, start, local = "", gap, remote = "", rest = ""] =
    /^((?:tcp|udp|raw|udpl|sctp)\w* +\d+ +\d+ +)(\S+)( +)(\S+)(.*)$/.exec(line) ?? [];
  // A program's title says what it works at and for whom: its first word is its name.
  const title = (text: string): string => text.replace(/( \d+\/[^\s:]+)(:? \S.*?)(?=  +|$)/, "$1");
  if (start === undefined) return context.endingInPath(line);
  const end = (text: string): string => {
    const colon = text.lastIndexOf(":");
    return context.text(text.slice(0, colon)) + text.slice(colon);
  };
  return start + end(local) + gap + end(remote) + context.text(title(rest));
});

// COMMAND PID [TID TASKCMD] USER FD ...; a descriptor above 9,999 is written as *, and its last digits.
const LSOF_ROW =
  /^(\S+ +\d+ +(?:\d+ +\S+ +)??)(\S+)( +(?:\*?\d+[rwu-]?[A-Za-z]?|cwd|rtd|txt|mem|DEL|NOFD|err|ltx|mmap) .*)$/;

/** ipcs: 0x0001b3ef 14450693 OWNER 666 ... */
const ipcs: Rule = perLine((line, context) => {
  const [, start, owner = "", rest = ""] = /^(0x[\da-f]+ +\d+ +)(\S+)( +[0-7]+ .*)$/i.exec(line) ?? [];
  return start === undefined ? context.text(line) : start + context.names.user(owner) + context.text(rest);
});

const lsof: Rule = perLine((line, context) => {
  const [, start, user = "", rest = ""] = LSOF_ROW.exec(line) ?? [];
  if (start === undefined) return context.endingInPath(line);
  const [, before, from = "", to] = /^(.* (?:TCP|UDP) )([^\s>]+?)(->\S+)?(?: \(\w+\))?$/.exec(rest) ?? [];
  if (before === undefined) return context.text(start) + context.names.user(user) + context.endingInPath(rest);
  const end = (text: string): string => {
    const [, host, port = ""] = /^([^[\]:*]+)(:[^:]*)$/.exec(text) ?? [];
    return host === undefined || /^[\d.]+$/.test(host) ? context.text(text) : context.names.host(host) + port;
  };
  const state = / \(\w+\)$/.exec(rest)?.[0] ?? "";
  const remote = to === undefined ? "" : `->${end(to.slice(2))}`;
  return context.text(start) + context.names.user(user) + context.text(before) + end(from) + remote + state;
});

/** The manifest: the host's name is the only thing in it that is replaced by its place. */
const manifest: Rule = (text, context) =>
  context.text(
    text.replace(/("hostname"\s*:\s*")((?:[^"\\]|\\.)*)(")/g, (_, before: string, name: string, after: string) =>
      before + context.names.host(name) + after),
  );

const RECORDED_HOST: readonly RegExp[] = [
  // sar: Linux 6.18.44 (HOST)
  /^(Linux \S+ \()([^)\s]+)/gm,
  // sadf -j, sadf -x
  /("nodename"\s*:\s*"|\bnodename=")([^"\\\n]+)/g,
  // sadf -d: HOST;600;2026-11-23 ...
  /^()([^\s;#]+)(?=;-?\d+;\d{4}-)/gm,
  // atop: MEM HOST 1795427256 2026/11/23 ...
  /^(MEM )(\S+)(?= \d+ \d{4}\/)/gm,
];
// Of atop only its memory is read; its rows of processes have command lines.
const OTHER_ATOP_ROW = /^(?!MEM )[A-Za-z]{3,8} \S+ \d{9,} \d{4}\/.*$/gm;
const PROMETHEUS_LABELS = /("(\w+)"\s*:\s*")((?:[^"\\]|\\.)*)/g;
const PROMETHEUS_OWN: ReadonlySet<string> = new Set(["__name__", "status", "resultType", "job"]);
const HOST_LABELS = /^(?:instance|node|nodename|hostname|host|fqdn)$/;

/** Labels of a series may tell anything. */
function prometheusLabels(text: string, { names }: RuleContext): string {
  return text.replace(PROMETHEUS_LABELS, (found: string, start: string, label: string, value: string) => {
    if (PROMETHEUS_OWN.has(label)) return found;
    if (!HOST_LABELS.test(label)) return start + names.argument(value);
    const [, host, port = ""] = /^([^:[\]]+)(:\d+)?$/.exec(value) ?? [];
    return host === undefined || /^[\d.]+$/.test(host) ? found : start + names.host(host) + port;
  });
}

/** What other programs recorded: sar, sadf, atop, Prometheus. */
const recorded: Rule = (text, context) => {
  const labelled = text.includes('"__name__"') ? prometheusLabels(text, context) : text;
  const named = RECORDED_HOST.reduce(
    (result, regex) => result.replace(regex, (_, start: string, host: string) => start + context.names.host(host)),
    labelled.replace(OTHER_ATOP_ROW, REDACTED),
  );
  return context.text(named);
};

const plain: Rule = (text, context) => context.text(text);

/** What tells the unit of what stands below, or its family: whatever else somebody typed may be of another host, or a secret. */
const TYPED_WORD = /^(?:[$|]|-[\w-]{1,24}|ss|free|vmstat)$/;

/** What was pasted has the command line above it. */
const pasted: Rule = (text, context) =>
  context.text(text.replace(
    /^\$ .*$/gm,
    (line) => line.replace(/\S+/g, (word) => TYPED_WORD.test(word) ? word : context.names.argument(word)),
  ));
const endingInPath: Rule = (text, context) => context.endingInPath(text);

interface FileRule {
  readonly paths: readonly string[];
  /** Undefined: never passed on. */
  readonly rule: Rule | undefined;
  /** Read as one piece: NUL and newline are data. */
  readonly whole?: true;
}

const NET = ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"];
const netPaths = (names: readonly string[]): string[] =>
  names.flatMap((name) => [
    `proc/net/${name}`,
    `proc/*/net/${name}`,
    `sos_commands/networking/namespaces/*/proc/net/${name}`,
  ]);

/** The first that matches holds; what is in none is plain text. */
const FILE_RULES: readonly FileRule[] = [
  { paths: ["nailhouse.json"], rule: manifest, whole: true },
  { paths: netPaths(NET), rule: socketTable },
  { paths: netPaths(["unix"]), rule: endingInPath },
  // Addresses in other forms, which nothing here reads.
  {
    paths: netPaths([
      "route",
      "ipv6_route",
      "if_inet6",
      "fib_trie",
      "arp",
      "rt_cache",
      "igmp",
      "igmp6",
      "mcfilter",
      "mcfilter6",
      "anycast6",
    ]),
    rule: undefined,
  },
  { paths: ["proc/cmdline", "proc/*/environ", "sos_commands/process/pstree*"], rule: undefined },
  { paths: ["sos_commands/process/ps_*"], rule: ps, whole: true },
  { paths: ["proc/*/cmdline"], rule: commandLine, whole: true },
  {
    paths: [
      "sos_commands/kernel/dmesg*",
      "sos_commands/general/dmesg*",
      "var/log/dmesg*",
      "var/log/messages*",
      "var/log/kern.log*",
      "var/log/syslog*",
      "sos_commands/logs/journalctl_*",
      "sos_strings/logs/*",
      "var/crash/*/*",
    ],
    rule: kernelLog,
  },
  { paths: ["sos_commands/kernel/uname_-a", "uname"], rule: uname },
  { paths: ["etc/hostname", "proc/sys/kernel/hostname", HOSTNAME_PLACE], rule: hostName },
  { paths: ["sos_commands/kernel/sysctl_-a"], rule: sysctl },
  { paths: ["history_imported/*", "sos_commands/sar/*", "var/log/sa/*", "var/log/sysstat/*"], rule: recorded },
  { paths: ["proc/*/cgroup"], rule: cgroup },
  { paths: ["proc/mounts", "proc/*/mounts"], rule: mounts },
  { paths: ["sos_commands/filesys/df_*"], rule: df },
  { paths: ["sos_commands/networking/*netstat_*", "sos_commands/networking/namespaces/*/*netstat_*"], rule: netstat },
  { paths: ["sos_commands/process/lsof_*", "sos_commands/filesys/lsof_*"], rule: lsof },
  { paths: ["sos_commands/sysvipc/ipcs"], rule: ipcs },
  { paths: [SS_PLACE, FREE_PLACE, VMSTAT_PLACE], rule: pasted },
  { paths: ["sos_commands/process/*", "sos_commands/filesys/*", "proc/swaps"], rule: endingInPath },
];

const matchers = FILE_RULES.map((each) => ({ ...each, matches: matcher(each.paths) }));

/** The rule of a file, by its path without `history/TIME/`. */
export function ruleOf(path: string): { readonly rule: Rule | undefined; readonly whole: boolean } {
  const found = matchers.find(({ matches }) => matches(path));
  return found === undefined ? { rule: plain, whole: false } : { rule: found.rule, whole: found.whole === true };
}
