// What programs that end others before the kernel must wrote to the system's log, or to their own: systemd-oomd (247 on), earlyoom, nohang, Facebook's oomd, Android's
// lmkd and the driver before it, Kubernetes' kubelet, Talos' OOMController (1.12 on).
//
//   Apr 16 21:08:50 pc systemd-oomd[932]: Killed /user.slice/a.scope due to memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity
//   ... Marked /system.slice/a.service for killing due to memory used (63 ) / total (64) and swap used (9) / total (10) being more than 90.00%
//   Jul 18 08:23:17 web earlyoom[260]: mem avail: 55499 of 760640 MiB ( 7.30%), swap free:    0 of 2047 MiB ( 0.00%)
//   ... sending SIGTERM to process 2595764 uid 0 "cellxgene": badness 711, VmRSS 52562 MiB        (1.7; up to 1.3: killing process 27541 "bash" with signal 15: ...)
//   ... Out of memory! avail: 6271 MiB < min: 6436 MiB        (up to 1.0, then `Killing process 7981 htop`)
//   ... Killing process: tail, pid: 16671, badness: 670, VmRSS: 4055 MiB        (1.1)
//   nohang[530]:   MemAvailable [383 MiB, 5.0 %] <= soft_threshold_min_mem [384 MiB, 5.0 %]
//   nohang[530]:   PID: 903309, name: mysqld, badness: 849
//   nohang[530]:   Send SIGTERM to the victim; total response time: 13246 ms
//   [12.3] oomd kill: 35.29 36.24 8.13 system.slice/a.service 8912896 ruleset:[system] detectorgroup:[slow] killer:kill_by_memory_size_or_growth v2
//   I lowmemorykiller: Kill 'com.example.app' (17933), uid 10446, oom_score_adj 0 to free 140528kB rss, 37404kB swap; reason: low watermark is breached
//   kubelet[91]: I0528 16:05:50.5 91 eviction_manager.go:405] "Eviction manager: must evict pod(s) to reclaim" resourceName="memory"
//   kubelet[91]: I0528 16:05:54.8 91 eviction_manager.go:627] "Eviction manager: pod is evicted successfully" pod="sre/web-d484d57fc-rkx95"
import type { Captured, ParseContext, Parsed, Source } from "../core/source.ts";
import { forEachLogLine, isNewestFirst, KERNEL_LOG_PATHS } from "./_kernel_messages.ts";
import { multiply, parseCount } from "./_numbers.ts";
import { OOM_DAEMON_MARKS } from "./_oom_daemon_lines.ts";

/** What such a program did. */
export interface OomDaemonKill {
  readonly daemon: "systemd-oomd" | "earlyoom" | "nohang" | "oomd" | "lmkd" | "kubelet" | "talos";
  /** The control group that was killed as a whole, the pod (`pod NAMESPACE/NAME`), or the program's name. */
  readonly victim: string;
  /** Undefined where no single process was killed. */
  readonly pid: number | undefined;
  /** Of the process, in bytes; undefined where the log does not tell. */
  readonly rssBytes: number | undefined;
  /** The program's own words; undefined where the log begins below them. */
  readonly because: string | undefined;
  /** Whether it looked at the memory of the whole host, and found too little: others kill because a group waits (systemd-oomd, oomd), or to start programs faster (lmkd). */
  readonly isHostShort: boolean;
  readonly line: number;
}

const BY_OOMD =
  /(?:\bsystemd-oomd(?:\[\d{1,10}\])?: |^)(?:Killed|Marked) (\S{1,4096}) (?:for killing )?due to (\S.{0,4096})$/;
/** Of the root group, and of all memory, it is the host's. */
const OF_GROUP = /^memory pressure for (?!\/ )/;
const AVAILABLE = /\b(mem avail: +(\d{1,9}) of +(\d{1,9}) MiB .{1,200})$/;
/** Of the first versions, whose words are like the kernel's. */
const FIRST_AVAILABLE = /\bOut of memory! (avail: \d{1,9} MiB < min: \d{1,9} MiB)$/;
const BY_FIRST_EARLYOOM =
  /\bKilling process(?: (\d{1,10}) (\S.{0,63})|: (\S.{0,63}), pid: (\d{1,10}), badness: -?\d{1,5}, VmRSS: (\d{1,9}) MiB)$/;
const BY_EARLYOOM =
  /\b(?:sending SIG(?:TERM|KILL) to|killing) process (\d{1,10}) (?:uid \d{1,10} )?"([^"]{0,64})"(?: with signal \d{1,2})?: (?:badness|oom_score) -?\d{1,5}, VmRSS (\d{1,9}) MiB\b/;
const NOHANG_WHY = /\bnohang\S{0,24}: +(MemAvailable \[.{1,200})$/;
const NOHANG_VICTIM = /\bnohang\S{0,24}: +PID: (\d{1,10}), name: (.{1,64}), badness: /;
const BY_NOHANG = /\bnohang\S{0,24}: +Send(?:ing)? SIG(?:TERM|KILL) to the victim\b/;
const BY_FACEBOOKS =
  /\boomd kill: ([\d.]{1,8} [\d.]{1,8} [\d.]{1,8}) (\S{1,4096}) \d{1,20} (?!.{0,1000}\bkiller:\(dry\))/;
const BY_LMKD =
  /\b(?:lowmemorykiller|lmkd) {0,8}: Kill(?:ing)? '([^']{1,256})' \((\d{1,10})\), (?:uid \d{1,10}, oom_score_adj|adj) -?\d{1,5}(?:.{0,20} (\d{1,12})kB rss)?(?:.{0,60}; reason: (.{1,200}))?/;
const BY_TALOS = /\[talos\] Sending SIGKILL to cgroup \{.{0,400}"cgroup": ?"(?:\/sys\/fs\/cgroup)?(\/[^"]{1,4096})"/;
const RESOURCE = /viction manager: (?:must evict pod\(s\)|attempting) to reclaim(?: |" resourceName=")([\w-]{1,40})/;
const BY_KUBELET =
  /viction manager: pod (?:is evicted successfully" pod="([^"]{1,400})"|(\S{1,400}) is evicted successfully)/;
/** What `kubectl describe pod` and the events of a cluster have of it. */
const NODE_WAS_LOW =
  /(The node was low on resource: memory\.(?: Threshold quantity: \w{1,20}, available: \w{1,20}\.)?)(?: Container (\S{1,100}) was using)?/;
/** Who has it kill with more left wants a reserve: the host is not short. */
const AMPLE_AVAILABLE_SHARE = 0.2;

/** What a line tells of a kill. */
type Told = Omit<OomDaemonKill, "line">;

/** Where there is no more to tell than who it was. */
const NOT_TOLD = { pid: undefined, rssBytes: undefined, because: undefined, isHostShort: false } as const;

function byOomd(line: string): Told | undefined {
  const [, victim, because = ""] = BY_OOMD.exec(line) ?? [];
  return victim === undefined
    ? undefined
    : { ...NOT_TOLD, daemon: "systemd-oomd", victim, because, isHostShort: !OF_GROUP.test(because) };
}

function byFacebooks(line: string): Told | undefined {
  const [, waited, victim] = BY_FACEBOOKS.exec(line) ?? [];
  const because = `its tasks waited for memory ${waited} % of the last 10 s, 1 min and 5 min`;
  return victim === undefined ? undefined : { ...NOT_TOLD, daemon: "oomd", victim, because };
}

function byLmkd(line: string): Told | undefined {
  const [, victim, pid, kb, because] = BY_LMKD.exec(line) ?? [];
  return victim === undefined ? undefined : {
    daemon: "lmkd",
    victim,
    pid: parseCount(pid),
    rssBytes: multiply(parseCount(kb), 1024),
    because,
    isHostShort: false,
  };
}

function byTalos(line: string): Told | undefined {
  const [, victim] = BY_TALOS.exec(line) ?? [];
  return victim === undefined ? undefined : { ...NOT_TOLD, daemon: "talos", victim };
}

function nodeWasLow(line: string): Told | undefined {
  const [, words, container] = NODE_WAS_LOW.exec(line) ?? [];
  const victim = container === undefined ? "a pod" : `the pod of container ${container}`;
  return words === undefined
    ? undefined
    : { ...NOT_TOLD, daemon: "kubelet", victim, because: words.replace(/\.$/, ""), isHostShort: true };
}

/** Line by line: of some programs an earlier line tells why, or whom. */
class OomDaemonLines {
  #available: RegExpExecArray | undefined;
  #firstAvailable: string | undefined;
  #nohang: { readonly because?: string; readonly pid?: string | undefined; readonly victim?: string | undefined } = {};
  #resource: string | undefined;

  read(line: string): Told | undefined {
    return byOomd(line) ?? this.#byEarlyoom(line) ?? this.#byNohang(line) ?? byFacebooks(line) ?? byLmkd(line) ??
      byTalos(line) ?? this.#byKubelet(line) ?? nodeWasLow(line);
  }

  #byEarlyoom(line: string): Told | undefined {
    this.#available = AVAILABLE.exec(line) ?? this.#available;
    const [, pid, victim, mib] = BY_EARLYOOM.exec(line) ?? [];
    if (victim === undefined) return this.#byFirstEarlyoom(line);
    const [, words, left, all] = this.#available ?? [];
    return {
      daemon: "earlyoom",
      victim,
      pid: parseCount(pid),
      rssBytes: multiply(parseCount(mib), 2 ** 20),
      because: words?.replace(/ {2,}/g, " "),
      isHostShort: !(Number(left) > AMPLE_AVAILABLE_SHARE * Number(all)),
    };
  }

  /** Only below a line that tells how much was left: the words are anybody's. */
  #byFirstEarlyoom(line: string): Told | undefined {
    this.#firstAvailable = FIRST_AVAILABLE.exec(line)?.[1] ?? this.#firstAvailable;
    const [, oldPid, oldVictim, name, itsPid, mib] = BY_FIRST_EARLYOOM.exec(line) ?? [];
    const [because, victim] = name === undefined
      ? [this.#firstAvailable, oldVictim]
      : [this.#available?.[1]?.replace(/ {2,}/g, " "), name];
    if (victim === undefined || because === undefined) return undefined;
    return {
      daemon: "earlyoom",
      victim,
      pid: parseCount(oldPid ?? itsPid),
      rssBytes: multiply(parseCount(mib), 2 ** 20),
      because,
      isHostShort: true,
    };
  }

  #byNohang(line: string): Told | undefined {
    const [, why] = NOHANG_WHY.exec(line) ?? [];
    if (why !== undefined) this.#nohang = { because: why };
    const [, itsPid, name] = NOHANG_VICTIM.exec(line) ?? [];
    if (itsPid !== undefined) this.#nohang = { ...this.#nohang, pid: itsPid, victim: name };
    const { because, pid, victim } = this.#nohang;
    if (victim === undefined || !BY_NOHANG.test(line)) return undefined;
    this.#nohang = {};
    return {
      daemon: "nohang",
      victim,
      pid: parseCount(pid),
      rssBytes: undefined,
      because,
      isHostShort: because !== undefined,
    };
  }

  #byKubelet(line: string): Told | undefined {
    this.#resource = RESOURCE.exec(line)?.[1] ?? this.#resource;
    const [, pod, oldPod] = BY_KUBELET.exec(line) ?? [];
    const name = pod ?? oldPod;
    // Pods have to go for want of disk space as well.
    return name === undefined || this.#resource !== "memory" ? undefined : {
      ...NOT_TOLD,
      daemon: "kubelet",
      victim: `pod ${name}`,
      because: "the node was low on memory",
      isHostShort: true,
    };
  }
}

/** Whether it is the one before, told again. A group may be killed again, with what was started in it since. */
function isSame(kill: Told, last: Told | undefined): boolean {
  return last?.daemon === kill.daemon && last.victim === kill.victim && last.pid === kill.pid &&
    (kill.pid !== undefined || last.because === kill.because);
}

/**
 * Finds processes, groups and pods that such a program killed. One that had to be told several times is one.
 *
 * @returns Kills, the oldest first; none when all is well.
 *
 * @example
 * ```ts
 * import { parseOomDaemon } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = 'earlyoom[260]: sending SIGTERM to process 116 uid 0 "hog": badness 711, VmRSS 512 MiB\n';
 * const [kill] = parseOomDaemon(text, { facts: {}, warn() {} });
 * strictEqual(kill?.victim, "hog");
 * ```
 */
export function parseOomDaemon(text: string, _context: ParseContext): readonly OomDaemonKill[] {
  const kills: OomDaemonKill[] = [];
  // Most logs tell of none: they are not taken apart.
  if (!OOM_DAEMON_MARKS.test(text)) return kills;
  const lines = new OomDaemonLines();
  forEachLogLine(text, isNewestFirst(text), (line, number) => {
    const kill = OOM_DAEMON_MARKS.test(line) ? lines.read(line) : undefined;
    if (kill !== undefined && !isSame(kill, kills.at(-1))) kills.push({ ...kill, line: number });
  });
  return kills;
}

/** Of a snapshot's logs the first that tells of a kill, as {@linkcode parseOomDaemon} reads it; the first one where none does. */
export const oomDaemon: Source<Parsed<readonly OomDaemonKill[]>> = {
  name: "oom_daemon",
  patterns: KERNEL_LOG_PATHS,
  read(reader) {
    let first: Captured<Parsed<readonly OomDaemonKill[]>> | undefined;
    // They may be long: none is looked through behind the one that tells.
    for (const path of KERNEL_LOG_PATHS.flatMap((pattern) => reader.paths(pattern))) {
      const log = reader.parse(path, parseOomDaemon);
      if (log.status === "ok" && log.value.value.length > 0) return log;
      first ??= log;
    }
    const missing = [{ path: "var/log/syslog", howToCapture: "journalctl -u systemd-oomd -u earlyoom" }];
    return first ?? { status: "missing", missing };
  },
};
