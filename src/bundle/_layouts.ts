// Archives that are no sosreports, but hold the same files and the output of the same commands: insights-client's, SUSE's supportconfig, and
// what Amazon's log collectors of EKS and ECS pack.
import { FREE_PLACE } from "./_loose.ts";

/** The plug-in of sosreport that runs a program, by the program's name. */
const PLUGINS: ReadonlyMap<string, string> = new Map([
  ["date", "date"],
  ["df", "filesys"],
  ["dmesg", "kernel"],
  ["ethtool", "networking"],
  ["free", "memory"],
  ["hostname", "host"],
  ["ipcs", "sysvipc"],
  ["journalctl", "logs"],
  ["lsmod", "kernel"],
  ["lsof", "process"],
  ["netstat", "networking"],
  ["ps", "process"],
  ["ss", "networking"],
  ["sysctl", "kernel"],
  ["uname", "kernel"],
  ["vmstat", "memory"],
]);

/** Commands that a sosreport has with other options, by which nothing is that is read of them differs. */
const SAME: ReadonlyMap<string, string> = new Map([
  ["free_-k", "free"],
  ["hostname_-f", "hostname"],
  ["ipcs_-a", "ipcs"],
  ["ipcs_-m", "ipcs"],
  ["lsof", "lsof_"],
  ["vmstat_1_4", "vmstat"],
]);

/**
 * Where a sosreport keeps the output of a command.
 *
 * @param mangled The command as sosreport and insights-client write it in names of files: `netstat_-neopa`.
 */
function sosCommandPath(mangled: string): string | undefined {
  const program = mangled.split("_", 1)[0] as string;
  const plugin = PLUGINS.get(program);
  return plugin === undefined ? undefined : `sos_commands/${plugin}/${SAME.get(mangled) ?? mangled}`;
}

const INSIGHTS = "insights_commands/";

/** Of Amazon's log collectors: eks-log-collector.sh has these in folders of their own, ecs-logs-collector.sh in its folder `system`. */
const KERNEL_AND_LOGS: readonly (readonly [string, string])[] = [
  ["kernel/dmesg.current", "sos_commands/kernel/dmesg"],
  ["kernel/dmesg.human.current", "sos_commands/kernel/dmesg_-T"],
  ["var_log/messages", "var/log/messages"],
  ["var_log/syslog", "var/log/syslog"],
];
const COLLECTOR_FILES: ReadonlyMap<string, string> = new Map([
  ...KERNEL_AND_LOGS,
  ...KERNEL_AND_LOGS.map(([path, place]) => [`system/${path}`, place] as const),
  ["kernel/uname.txt", "sos_commands/kernel/uname_-a"],
  ["sysctls/sysctl_all.txt", "sos_commands/kernel/sysctl_-a"],
  ["system/netstat.txt", "sos_commands/networking/netstat_-plant"],
  ["system/ps.txt", "sos_commands/process/ps_auxwww"],
  ["system/top.txt", FREE_PLACE],
]);
const COLLECTOR_FOLDERS: ReadonlySet<string> = new Set(
  [...COLLECTOR_FILES.keys()].map((path) => path.split("/", 1)[0] as string),
);

/** Whether a folder may be one of theirs, which have none around them. */
export function isCollectorFolder(name: string): boolean {
  return COLLECTOR_FOLDERS.has(name);
}

/** What a supportconfig copies of the folder of sysstat. */
const SUPPORTCONFIG_SAR = "sar/sa";

/** A path of an insights archive, below its folder `data`, of a supportconfig or of Amazon's collectors, as sosreport has it; any other path stays as it is. */
export function hostPath(path: string): string {
  if (path.startsWith(INSIGHTS)) return sosCommandPath(path.slice(INSIGHTS.length)) ?? path;
  if (path.startsWith(SUPPORTCONFIG_SAR)) return `var/log/sa/${path.slice("sar/".length)}`;
  return COLLECTOR_FILES.get(path) ?? path;
}

/** The files of a supportconfig that have what is looked for. */
const SUPPORTCONFIG_FILES: ReadonlySet<string> = new Set([
  "basic-environment.txt",
  "basic-health-check.txt",
  "boot.txt",
  "crash.txt",
  "env.txt",
  "fs-diskio.txt",
  "hardware.txt",
  "memory.txt",
  "messages.txt",
  "modules.txt",
  "network.txt",
  "open-files.txt",
  "proc.txt",
  "sysfs.txt",
]);

/** With a section for each command that was run in a network namespace. Other files may have such a name, too. */
const NAMESPACES_FILE = /^network-[\w.-]{1,64}\.txt$/;
const NAMESPACES = "sos_commands/networking/namespaces/";

/**
 * Whether a file at the top is one of a supportconfig's.
 *
 * @param isOne Whether others of one were found.
 */
export function isSupportconfigFile(path: string, isOne: boolean): boolean {
  return SUPPORTCONFIG_FILES.has(path) || (isOne && NAMESPACES_FILE.test(path));
}

/** Whether such a file tells of what has its place there: those of namespaces tell nothing of the host. */
export function tellsOf(file: string, place: string): boolean {
  return !NAMESPACES_FILE.test(file) || place.startsWith(NAMESPACES);
}

const IN_NAMESPACE = /^(?:\S*\/)?ip netns exec ([\w.-]{1,64}) (?:\S*\/)?ss -(?=\w*a)\w+$/;

/** Where a sosreport has `ss` of a namespace; its options may be others. */
export function namespacePath(title: string): string | undefined {
  const [, name] = IN_NAMESPACE.exec(title) ?? [];
  return name === undefined ? undefined : `${NAMESPACES}${name}/ss_-peaonmi`;
}

/** The path that a section's title stands for: `/proc/meminfo`, `/bin/cat /proc/meminfo`, `/usr/bin/uname -a`, `/var/log/messages - Last 500 Lines`. */
export function sectionPath(title: string): string | undefined {
  if (/[|;&`$]| - File not found$/.test(title)) return undefined;
  const inNamespace = namespacePath(title);
  if (inNamespace !== undefined) return inNamespace;
  const words = title.replace(/ - Last \d+ Lines$/, "").split(" ").filter((word) => !/^\d?>/.test(word));
  const [first = "", second] = words;
  const program = first.slice(first.lastIndexOf("/") + 1);
  if (program === "cat" && second?.startsWith("/") && words.length === 2) return second.slice(1);
  const command = sosCommandPath([program, ...words.slice(1)].join("_").replaceAll("/", "."));
  if (command !== undefined) return command;
  return words.length === 1 && /^\/(?:proc|sys|etc|var)\//.test(first) ? first.slice(1) : undefined;
}

/** A file that was found in a supportconfig's section. */
export interface Section {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const NEWLINE = 0x0a;
/** A header line, and the title below it. */
const HEADER_LINES = /^#==\[ [\w ]{1,40} \]=*#?\n# ?(.*)$/;
const MAX_HEADER_BYTES = 1000;
const HASH = 0x23;

const utf8 = new TextDecoder();

/**
 * The sections of one of supportconfig's files, those that stand for a file of a sosreport. Each begins with
 *
 *     #==[ Command ]======================================#
 *     # /bin/uname -a
 */
export function* supportconfigSections(bytes: Uint8Array): Generator<Section> {
  let path: string | undefined;
  let start = 0;
  for (let line = 0; line < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, line);
    const next = newline === -1 ? bytes.length : newline + 1;
    if (bytes[line] === HASH && bytes[line + 1] === 0x3d) {
      const titleEnd = bytes.indexOf(NEWLINE, next);
      const end = titleEnd === -1 ? bytes.length : titleEnd;
      const title = end - line > MAX_HEADER_BYTES ? null : HEADER_LINES.exec(utf8.decode(bytes.subarray(line, end)));
      if (title !== null) {
        if (path !== undefined) yield { path, bytes: bytes.slice(start, line) };
        path = sectionPath((title[1] as string).trim());
        line = start = Math.min(bytes.length, end + 1);
        continue;
      }
    }
    line = next;
  }
  if (path !== undefined) yield { path, bytes: bytes.slice(start) };
}
