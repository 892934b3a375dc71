/** Files as people paste and save them, without the folders of a host: `cat /proc/meminfo > meminfo.txt`. They are told by how they begin. */
import { beginsAsKernelLog, isKernelLog } from "./log.ts";

/** Where `ss` of the host has its place, whatever its options were. */
export const SS_PLACE = "sos_commands/networking/ss_-peaonmi";

/** Where netstat of the host has its place, whatever its options were. */
const NETSTAT_PLACE = "sos_commands/networking/netstat_-W_-neopa";

const LSOF_PLACE = "sos_commands/process/lsof_";

const VMWARE_PLACE = "sos_commands/vmware/vmware-toolbox-cmd_stat_raw_text_resources";

/** Where the tables of sar -r have their place, whatever day they are of. */
export const SAR_PLACE = "sos_commands/sar/sar";

/** Where vmstat of the host has its place, whatever its options were. */
export const VMSTAT_PLACE = "sos_commands/memory/vmstat";

/** Where docker stats has its place, and its like of other tools. */
const CONTAINERS_PLACE = "sos_commands/docker/docker_stats_--no-stream";

/** Where free of the host has its place, whatever its options were; the head of top, too, which tells the same. */
export const FREE_PLACE = "sos_commands/memory/free";

/**
 * What grep and sort leave of meminfo and slabinfo: rows without what stands above them; people mark some of them (`**Slab: 5 kB**`, `<--`). Names that smaps
 * has, too, tell nothing.
 */
const MEMINFO_ROW =
  /^\**(?:Mem(?:Total|Free|Available)|Buffers|(?:Swap)?Cached|(?:Ina|A)ctive(?:\((?:anon|file)\))?|Slab|(?:KR|SR)eclaimable|SUnreclaim|AnonPages|Mapped|Shmem|PageTables|KernelStack|VmallocUsed|Percpu|Hugetlb|Committed_AS): +\d+ kB\b|^\**HugePages_(?:Total|Free|Rsvd|Surp): +\d+\**\s/;
const EXPORTED_ROW = /^(?:# HELP )?node_memory_[A-Z]\w+ [\dM]/;
const SLABINFO_ROW = /^\**[\w:.-]+(?: +\d+){5} : tunables +\d+ /;
const SLABTOP_ROW = /^\**[ \t]*\d+ +\d+ +\d{1,3}% +\d+[.,]\d\dK +\d+ +\d+ +\d+K? \S/;
/** What grep leaves of netstat: the queues right behind the protocol are its alone. */
const NETSTAT_ROW = /^(?:tcp|udp|raw)6? +\d{1,10} +\d{1,10} +\S{1,64}:(?:\d|\*)\S* +\S{1,64}:(?:\d|\*)/;
/** Of ss without its header (-H), sorted or picked by grep. */
const SS_ROW =
  /^(?:[a-z]\w{1,7} +)?(?:ESTAB|UNCONN|LISTEN|SYN-(?:SENT|RECV)|FIN-WAIT-[12]|TIME-WAIT|CLOSE-WAIT|LAST-ACK|CLOSING) +\d{1,10} +\d{1,10} +\S{1,108}[: ]\S/;
/** `lsof | grep deleted`; a thread's line has two columns more, and lsof +L1 the number of links. */
const LSOF_ROW =
  /^\S{1,15} +\d{1,10} +(?:\d{1,10} +(?:\S{1,15} +)?)?\S{1,40} +(?:\d{1,9}[rwu][A-Za-z]?|mem|DEL) +REG +\d+,\d+ +\d+ +(?:\d+ +)?\d+ +\//;
/** `grep size /proc/spl/kstat/zfs/arcstats`, and what arc_summary makes of it. */
const ARCSTATS_ROW =
  /^(?:(?:c|c_min|c_max|size|arc_meta_used|(?:[a-z]{2,12}_){1,2}size) +4 +\d+\s|\s*ARC [Ss]ize(?: \(current\))?: )/;
const ROWS: readonly (readonly [RegExp, string])[] = [
  [MEMINFO_ROW, "proc/meminfo"],
  [EXPORTED_ROW, "proc/meminfo"],
  [SLABINFO_ROW, "proc/slabinfo"],
  [SLABTOP_ROW, "sos_commands/memory/slabtop_-o"],
  [NETSTAT_ROW, NETSTAT_PLACE],
  [SS_ROW, SS_PLACE],
  [LSOF_ROW, LSOF_PLACE],
  [ARCSTATS_ROW, "proc/spl/kstat/zfs/arcstats"],
];

/** In other languages free has other words, but the same columns: six of memory, or a second row that begins so, and three of swap. */
const WORDS = String.raw`[ \t]+[^\d\s:|][^\s:|]*(?:[ \t]+[^\d\s:|][^\s:|]*){5}\s*\n`;
const LABEL = String.raw`[^\d\s:\uff1a][^:\uff1a\n]{0,40}[:\uff1a] *`;
const AMOUNTS = (count: number): string =>
  String.raw`\d[\d.,]*[KMGTP]?i?B?(?: +\d[\d.,]*[KMGTP]?i?B?){${count - 1}}\s*(?:\n|$)`;
const FOREIGN_FREE = new RegExp(`^${WORDS}${LABEL}${AMOUNTS(6)}(?:-/\\+ |${LABEL}${AMOUNTS(3)})`);

/** By its first lines: where a bundle has such a file. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^MemTotal: +\d+ kB\s/, "proc/meminfo"],
  [/^(?:slabinfo - version: |# name +<active_objs> )/, "proc/slabinfo"],
  [/^ *(?:Active \/ Total Objects \(% used\) |OBJS ACTIVE +USE OBJ SIZE )/, "sos_commands/memory/slabtop_-o"],
  // That of busybox before 1.22 ends with buffers.
  [/^[ \t]*total +used +free +shared +(?:buffers|buff\/cache)\s/, FREE_PLACE],
  [/^[ \t]*(?:[KMGTP]iB )?Mem *: *(?:[\d.,]+(?:[kKMGT]? +|\+ *)total|\d+K used), /, FREE_PLACE],
  [/^[KMGTP]iB +[^\d\s:]{1,12} *: *(?:\d{1,12}(?:[.,]\d)? [^\d\s,.]{1,20}[,.] +){3}\d/, FREE_PLACE],
  [/^Node \d{1,4} MemTotal: +\d+ kB\s/, FREE_PLACE],
  [/^Per-node system memory usage \(in MBs\):/, FREE_PLACE],
  [/^MEM \| +tot +\d[\d.]*[KMGT] *\|/, FREE_PLACE],
  // vmstat -s.
  [/^ *\d+ [KM] total memory\r?\n/, FREE_PLACE],
  [FOREIGN_FREE, FREE_PLACE],
  [/^nr_free_pages \d+\s/, "proc/vmstat"],
  [/^ *(?:procs -+memory-+ |r +b +swpd +free +(?:buff|inact) )/, VMSTAT_PLACE],
  [/^Node \d+, zone +\w+\r?\n +(?:per-node stats|pages free)/, "proc/zoneinfo"],
  [/^Node \d+, zone +\w+ +\d+ +\d+/, "proc/buddyinfo"],
  [/^(?:0x)?[0-9a-f]{8,16}-(?:0x)?[0-9a-f]{8,16} +\d+ /, "proc/vmallocinfo"],
  [/^sockets: used \d+\r?\n/, "proc/net/sockstat"],
  [/^ *sl +local_address rem_address .*\bdrops\b/, "proc/net/udp"],
  [/^ *sl +local_address rem_address /, "proc/net/tcp"],
  [/^ *sl +local_address +remote_address .*\bdrops\b/, "proc/net/udp6"],
  [/^ *sl +local_address +remote_address /, "proc/net/tcp6"],
  // Of one family, or in one state alone there is no column for it.
  [/^(?:Netid +)?(?:State +)?Recv-Q +Send-Q +Local Address/, SS_PLACE],
  [/^Active Internet connections \(servers and established\)/, NETSTAT_PLACE],
  // Without -a, only where processes (-p) or inodes (-e) tell whose they are. Of UDP servers alone (-l) have queues, too.
  [
    /^Active Internet connections \((?:only|w\/o) servers\)\r?\nProto .*\b(?:Inode|PID)\b/,
    NETSTAT_PLACE,
  ],
  // In other languages its title is another.
  [/^Proto +Recv-Q +Send-Q .*\b(?:Inode|PID)\b/, NETSTAT_PLACE],
  [/^USER +PID +%CPU +%MEM +VSZ +RSS /, "sos_commands/process/ps_auxwww"],
  // In other languages the last two words of top's are others.
  [
    /^[ \t]*PID +\S{1,20} +PR +NI +VIRT +RES +SHR +S +%CPU +%MEM +\S{1,20} +\S{1,20}\r?\n/,
    "sos_commands/process/ps_auxwww",
  ],
  // top's table, and htop's, too.
  [
    /^[ \t]*(?=[^\n]*\bPID )(?=[^\n]* (?:RSS|RES) )[A-Z%_+ ]{1,200} (?:COMMAND|CMD|Command) *\r?\n/,
    "sos_commands/process/ps_auxwww",
  ],
  [/^(?:CONTAINER(?: ID)?|ID|POD) +(?:NAME +)?CPU % +MEM(?: USAGE \/ LIMIT)? /, CONTAINERS_PLACE],
  [/^(?:NAMESPACE +)?(?:POD +)?NAME +CPU\(cores\) +MEMORY\(bytes\)\s/, CONTAINERS_PLACE],
  // smem's, and Android's procrank.
  [
    /^ *PID +(?:User +Command +(?:Swap +)?USS +PSS +RSS|Vss +Rss +Pss +Uss .*\bcmdline)\s/,
    "sos_commands/process/ps_auxwww",
  ],
  [/^ *RAM: \d+K total, +\d+K free,/, FREE_PLACE],
  [/^Area +Used +Cache +Noncache\s/, FREE_PLACE],
  // crash's kmem -i and kmem -s, of a kernel that panicked.
  [/^ *PAGES +TOTAL +PERCENTAGE *\n *TOTAL MEM +\d+ /, FREE_PLACE],
  [/^CACHE +(?:NAME +)?OBJSIZE +ALLOCATED +TOTAL +SLABS +SSIZE\b/, "sos_commands/memory/slabtop_-o"],
  [/^Cache +Num +Total +Size +Pages\s/, "sos_commands/memory/slabtop_-o"],
  [/^COMMAND +PID +(?:TID +TASKCMD +)?USER +FD +TYPE +(?:FILE-FLAG +)?DEVICE /, LSOF_PLACE],
  // In other units the numbers are rounded, of -h to two digits.
  [/^Filesystem +(?:Type +)?(?:(?:1K|1024)-blocks|Size) +Used +Avail(?:able)? /, "sos_commands/filesys/df_-al"],
  [/^Filename\s+Type\s+Size\s+Used\s+Priority/, "proc/swaps"],
  [/^#subsys_name\s+hierarchy\s+num_cgroups\s/, "proc/cgroups"],
  [/^ *key +shmid +perms +size +cpid /, "proc/sysvipc/shm"],
  [/^-{3,} ?Shared Memory Segments ?-{3,}(?:\s|$)/, "sos_commands/sysvipc/ipcs"],
  // zfetchstats begins so, too, but has a dozen counters; this one some eighty or more.
  [
    /^\d+ \d+ 0x[\da-f]+ (?:[5-9]\d|\d{3}) \d+ \d+ \d+\r?\nname +type +data\r?\nhits +\d/,
    "proc/spl/kstat/zfs/arcstats",
  ],
  // Of other tables of sar and of iostat, which begin so, too, nothing is read.
  [/^Linux \S{1,255} \([^()\n]{0,255}\)\s+\S{1,16}\s[^\n]{0,80}\r?\n\s{0,4}[^\n]{0,40}\bkbmemfree\b/, SAR_PLACE],
  // arcstat's table.
  [/^ *time +read +\S[^\n]{0,200} (?:arcsz|size) +c\b/, "proc/spl/kstat/zfs/arcstats"],
  [/^unreferenced object 0x[\da-f]{1,16} \(size \d+\):/, "sys/kernel/debug/kmemleak"],
  [/^Linux \S{1,255} \d+\.\d+\S{0,80} #\d/, "sos_commands/kernel/uname_-a"],
  // Written as sysctl writes its settings.
  [/^(?:vm\.(?:cpu|numa)|guest\.mem)\.[\w.]+ = /, VMWARE_PLACE],
  [/^[a-z][\w.-]*\.[\w-]+ = /, "sos_commands/kernel/sysctl_-a"],
];

const SOCKET_LIST = /^sos_commands\/networking\/(?:namespaces\/[^/]{1,64}\/)?(?:ss_-peaonmi|netstat_-W_-neopa)$/;

/** Whether it is the place of a list of sockets: of several, as people save them, each has other ones, or tells something else of them. */
export function isSocketList(path: string): boolean {
  return SOCKET_LIST.test(path);
}

/** Where a kernel log that is no file of a host's has its place. */
export const LOG_PLACE = "sos_commands/kernel/dmesg";
const HEAD_BYTES = 4096;
const utf8 = new TextDecoder();

/** Where what sysstat and atop recorded has its place, as text: each file by its own name. */
export const RECORDED_PLACE = "history_imported/recorded";
/** sar, sadf -d and -j, atop -P. Of iostat and its like, which begin as sar does, nothing is read. */
const RECORDED =
  /^(?:Linux \d+\.\d+\S{0,80} \([^()\n]{1,255}\)[ \t]+\d[\d/.-]{5,9}[ \t](?![^\n]*\n\s*(?:avg-cpu|Device))|# hostname;interval;timestamp;|\{"sysstat":|(?:RESET\r?\n)?[A-Z]{3,4} \S{1,255} \d{9,10} \d{4}\/\d\d\/\d\d )/;

/** Whether a file at the top of a folder or an archive may be such a one, by its name; Ubuntu's kdump writes `dmesg.202611230812`. */
export function isLooseName(path: string): boolean {
  return !path.includes("/") && (!path.includes(".") || /\.(?:txt|log|out|\d{12})$/i.test(path));
}

/** Where a process has what /proc tells of it, which has its number in it. */
export function statusPath(text: string): string | undefined {
  const pid = /^Name:\s.*\n(?:Umask:.*\n)?State:\s(?:.*\n){1,4}Pid:\s+(\d{1,10})\s/.exec(text)?.[1];
  return pid === undefined ? undefined : `proc/${pid}/status`;
}

/** Where a bundle has what begins so; undefined for any other text. */
export function loosePath(head: Uint8Array): string | undefined {
  const text = utf8.decode(head.subarray(0, HEAD_BYTES));
  if (RECORDED.test(text)) return RECORDED_PLACE;
  const status = statusPath(text);
  if (status !== undefined) return status;
  return BEGINNINGS.find(([pattern]) => pattern.test(text))?.[1] ?? rowPath(text) ??
    (isKernelLog(head.subarray(0, HEAD_BYTES)) ? LOG_PLACE : undefined);
}

/** Those whose first line is like the others, or like a line of something else. */
const PLAIN_ROWS: ReadonlySet<string> = new Set([
  "proc/zoneinfo",
  "proc/buddyinfo",
  "proc/vmallocinfo",
  VMWARE_PLACE,
  "sos_commands/kernel/sysctl_-a",
]);
const TITLES = BEGINNINGS.filter(([, path]) => !PLAIN_ROWS.has(path));

/** The same for a part of a text, by its first lines. Of a kernel log the first one is such a line. */
export function partPath(head: string): string | undefined {
  return BEGINNINGS.find(([pattern]) => pattern.test(head))?.[1] ?? rowPath(head) ??
    (beginsAsKernelLog(head) ? LOG_PLACE : undefined);
}

/** Where a bundle has what begins with a line that nothing else has, whatever stands before it. */
export function titledPath(head: string): string | undefined {
  return TITLES.find(([pattern]) => pattern.test(head))?.[1];
}

/** Where a bundle has what has such rows. */
export function rowPath(head: string): string | undefined {
  return ROWS.find(([pattern]) => pattern.test(head))?.[1];
}
