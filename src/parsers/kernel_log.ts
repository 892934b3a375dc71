// The kernel's log (dmesg, with or without -T; syslog or journal text): what it says about memory that could not be had.
// mm/oom_kill.c, mm/page_alloc.c warn_alloc()
//
//   [  12.3] friend invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0
//   [  12.3] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=hog,pid=116,uid=0
//   [  12.3] Out of memory: Killed process 116 (hog) total-vm:812kB, anon-rss:512kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:1372kB oom_score_adj:0
//   [  12.3] Memory cgroup out of memory: Killed process 63214 (uwsgi) total-vm:3149468kB, ...
//   [  12.3] Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled
//   [  12.3] swapper/0: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)
//   [  12.3] SLUB: Unable to allocate memory on node -1, gfp=0x900(GFP_NOWAIT|__GFP_ZERO)                            (mm/slub.c slab_out_of_memory())
//   [  12.3]   cache: TCP, object size: 1728, buffer size: 1728, default order: 3, min order: 0
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import {
  chosenLog,
  forEachLogLine,
  isFromOtherProgram,
  isNewestFirst,
  KERNEL_LOG_PATHS,
  messageOf,
} from "./_kernel_messages.ts";
import { quote } from "./_lines.ts";
import { multiply, parseCount, parseInteger } from "./_numbers.ts";
import { isDaemonsAlone } from "./_oom_daemon_lines.ts";

/** A process that was killed: the largest one there was, which need not be the cause. */
export interface OomVictim {
  readonly pid: number;
  readonly comm: string;
  readonly totalVmBytes: number | undefined;
  readonly anonRssBytes: number | undefined;
  readonly fileRssBytes: number | undefined;
  readonly shmemRssBytes: number | undefined;
  readonly line: number;
}

/** The end of the host. */
export interface OomPanic {
  /** By vm.panic_on_oom; or nobody was left to be killed ("System is deadlocked on memory"). */
  readonly because: "panic_on_oom" | "deadlock";
  readonly line: number;
}

/** One shortage. */
export interface KernelLogEvent {
  /** The whole host; one control group at its limit; one request that found no block of its order, which kills nobody. */
  readonly kind: "global-oom" | "memcg-oom" | "allocation-failure";
  /** The first line that is about it. */
  readonly line: number;
  /** Whether it was before the host was last started. */
  readonly isEarlierBoot: boolean;
  /** How often the log says that the host was started after it: events of one start have the same number. */
  readonly startsSince: number;
  /** Seconds since the host was last started; undefined when it was before that, or the log has none or wall-clock times. */
  readonly seconds: number | undefined;
  /** The process that asked for memory; undefined where the log does not tell, as where a slab cache could not grow. */
  readonly comm: string | undefined;
  /** 2^order pages in one piece were asked for; -1 when a person asked for the kill (sysrq). */
  readonly order: number | undefined;
  /** `CONSTRAINT_NONE`, `CONSTRAINT_MEMCG`, `CONSTRAINT_CPUSET`, `CONSTRAINT_MEMORY_POLICY` (from 5.0 on). */
  readonly constraint: string | undefined;
  /** The control group that was at its limit. */
  readonly memcg: string | undefined;
  /** Empty when the log ends before the kill, or nobody could be killed. */
  readonly victims: readonly OomVictim[];
  /** The log has nothing of it but that somebody asked, or who was killed: whether the host or a control group was short is not known. */
  readonly isCutOff: boolean;
  /** A page fault found no memory, for which the kernel up to 5.15 has the host's OOM killer run, whatever was short (`gfp_mask=0x0`). */
  readonly isPageFault: boolean;
  /** Bytes for which the kernel had no addresses (vmalloc), which is no want of memory. */
  readonly vmallocBytes: number | undefined;
  /** Who asked can do without (`__GFP_NORETRY`), as drivers that take smaller pieces then. */
  readonly mayFail: boolean;
  /** Where no more is known of it than what the kubelet read in the kernel's log: of the rest of that log it tells nothing. */
  readonly isKubelets: boolean;
  /** Undefined when the host lived on. */
  readonly panic: OomPanic | undefined;
}

type Draft = { -readonly [K in keyof KernelLogEvent]: KernelLogEvent[K] } & { victims: OomVictim[] };

const INVOKED = " invoked oom-killer: ";
/** Up to 2.6.38 (RHEL 6) with a full stop. */
const ALLOCATION_FAILURE = /^(.{1,200}?): page allocation failure[.:] /;
/** No addresses were left, of which 32 bits, and modules on ARM, have few. Where pages were wanting it says how many it had. mm/vmalloc.c */
const VMALLOC_FAILURE =
  /^(?:(.{1,64}?): )?(?:vmap allocation for size (\d{1,15}) failed|vmalloc: allocation failure: (\d{1,15}) bytes|vmalloc error: size (\d{1,15}), vm_struct allocation failed)/;
/** A slab cache that could not grow, not even by the fewest pages that an object fits in. SLAB (up to 6.7) has one order alone. */
const CACHE_FAILURE =
  /^cache: \S.{0,200}?, object size: \d+, (?:buffer size: \d+, default order: \d+, min )?order: (\d{1,2})\b/;
/** Before 5.0: "Task in /a/b killed as a result of limit of /a". */
const AT_LIMIT = " killed as a result of limit of ";
/** Of a control group that was at its limit, before who is killed in it. */
const LIMIT = new RegExp(`${AT_LIMIT}|^(?:memory: usage |Memory cgroup stats for )`);
/** Who is killed, or that nobody is left who could be. */
const KILL =
  /^(?:Memory cgroup out of memory|Out of [Mm]emory(?!!)|Killed process |Kernel panic .*(?:[Oo]ut of|deadlocked on) memory)/;
/** Of the host's memory, which the kernel writes where it was short: of a control group it tells other things. mm/oom_kill.c dump_header() */
const HOST_DUMP = /^(?:Mem-[Ii]nfo:|lowmem_reserve\[\]:|Unreclaimable slab info:)/;
/**
 * Who called the OOM killer: a frame of the stack below who asked, of which ARM has two on a line, `(out_of_memory+0x0/0x348) from [<c0107dbc>] (...)`. With a ?
 * it may be an older call's, unless all frames have one, as where the kernel has no way to tell (RHEL 6).
 */
const FRAME =
  /(?:^|\] {1,2})(\? )?\(?(out_of_memory|mem_cgroup_(?:out_of_memory|oom_synchronize)|__alloc_(?:frozen_)?pages(?:_(?:nodemask|noprof|slowpath|may_oom))?)(?:[.+]|\)? from )/;
/** The first frame of such a stack, which is never an older call's. */
const UNSURE_STACK = /(?:^|\] {1,2})\? dump_header[.+]/;
/** A person asked for the kill (sysrq f): nothing was short. Up to 4.x what the kernel writes then is as of any other. */
const MANUAL = "Manual OOM execution";
const MANUAL_ORDER = -1;
/** 2^30 pages are 4 TiB: the page allocator has nothing as large (CONFIG_ARCH_FORCE_MAX_ORDER is 15 at the most). */
const MAX_ORDER = 30;
/** What the kubelet says of an OOM that is the kernel's, and of the whole host: kubernetes pkg/kubelet/oom/oom_watcher_linux.go. */
const TOLD_BY_KUBELET = /System OOM encountered(?:, victim process: (.{1,64}), pid: (\d{1,10})\b)?/;
/** In the system's log, where OpenShift's, k3s' and RKE2's are called so. */
const KUBELET =
  /^.{1,300} (?:kubelet|kubenswrapper|hyperkube|k3s|rke2)(?:\[\d{1,10}\])?: .{0,1000}System OOM encountered/;
/** Whom the kernel chose, by its summary: all that `grep oom-kill` leaves. */
const CHOSEN = /,task=(.{1,64}),pid=(\d{1,10}),uid=\d/;
const UNTOLD_SIZES = {
  totalVmBytes: undefined,
  anonRssBytes: undefined,
  fileRssBytes: undefined,
  shmemRssBytes: undefined,
};
/** What systemd says of an OOM that is the kernel's: whose limit it was it does not know. */
const TOLD_BY_SYSTEMD = ": A process of this unit has been killed by the OOM killer.";
/** The kernel's first line. */
const STARTED = "Linux version ";
/** Every line that is about a shortage has one of these. */
const SHORTAGE_MARKS = [
  "oom-k",
  "page allocation failure",
  "vmap allocation for size",
  "vmalloc: allocation failure: ",
  "vm_struct allocation failed",
  ", object size: ",
  "ut of memory",
  // Up to 2.6.17.
  "ut of Memory: Kill",
  "out_of_memory",
  "Killed process",
  "as a result of limit of",
  "Mem-Info:",
  "Mem-info:",
  "lowmem_reserve[]:",
  "Unreclaimable slab info:",
  "memory: usage ",
  "Memory cgroup stats for ",
  "deadlocked on memory",
  MANUAL,
  "System OOM encountered",
  TOLD_BY_SYSTEMD,
];
/** Of other frames than the first, which tells that it is such a stack. */
const FRAME_MARKS = ["mem_cgroup_oom_s", "__alloc_pages", "__alloc_frozen_pages", "? dump_header"];
const MARKED = new RegExp(
  [...SHORTAGE_MARKS, ...FRAME_MARKS, STARTED].map((mark) => mark.replaceAll(/[[\]?.]/g, "\\$&")).join("|"),
);

/**
 * Finds out-of-memory kills and failed allocations in a kernel log.
 *
 * @returns Events, the oldest first; none when all is well.
 * @throws {ParseError} if the text is empty, has none of the kernel's lines but those of programs that kill before it must, or is dmesg's message that it must not read
 * the log.
 *
 * @example
 * ```ts
 * import { parseKernelLog } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "[ 12.3] Out of memory: Killed process 116 (hog) total-vm:812kB, anon-rss:512kB\n";
 * const [event] = parseKernelLog(text, { facts: {}, warn() {} });
 * strictEqual(event?.kind, "global-oom");
 * strictEqual(event?.victims[0]?.comm, "hog");
 * ```
 */
export function parseKernelLog(text: string, context: ParseContext): readonly KernelLogEvent[] {
  if (text.trim() === "") throw new ParseError("Cannot parse the kernel log: it is empty");
  if (text.startsWith("dmesg: read kernel buffer failed")) {
    throw new ParseError("Cannot parse the kernel log", { text });
  }
  if (!SHORTAGE_MARKS.some((mark) => text.includes(mark))) {
    if (isDaemonsAlone(text)) throw new ParseError("Cannot parse the kernel log: none of its lines is the kernel's");
    // As most logs: they are not taken apart.
    return [];
  }
  const shortages = new Shortages(context);
  forEachLogLine(text, isNewestFirst(text), (line, number) => {
    if (!MARKED.test(line)) return;
    if (!isFromOtherProgram(line)) shortages.read(line, number);
    else if (line.endsWith(TOLD_BY_SYSTEMD)) shortages.readUnit(line, number);
    else if (KUBELET.test(line)) shortages.readKubelet(line, number);
  });
  return shortages.end();
}

/** One line of the log. */
interface LogLine {
  readonly line: string;
  readonly number: number;
  /** Without what is in front of it. */
  readonly message: string;
}

/** Puts lines that are about a shortage together to events. */
class Shortages {
  readonly #context: ParseContext;
  readonly #events: Draft[] = [];
  /** The kill that the lines belong to, until the next one begins. */
  #kill: Draft | undefined;
  #starts = 0;
  /** The process of a line that only says who is to be killed. */
  #announced: OomVictim | undefined;
  /** Whether the stack that is read has a ? before all of its frames. */
  #isUnsureStack = false;
  #isManual = false;
  /** Where the stack has the OOM killer itself: who called it is the next frame, with a line of registers on ARM before it. */
  #calledAt = -Infinity;
  /** Whether the log begins within a dump of the host's memory. */
  #beginsInDump = false;
  #unit: LogLine | undefined;
  readonly #kubelets: LogLine[] = [];
  readonly #told = new Set<string>();

  constructor(context: ParseContext) {
    this.#context = context;
  }

  read(line: string, number: number): void {
    const message = messageOf(line);
    const at = { line, number, message };
    if (message.startsWith(STARTED)) {
      this.#starts++;
      this.#kill = undefined;
      this.#isManual = false;
    } else if (message.includes(MANUAL)) this.#isManual = true;
    else if (TOLD_BY_KUBELET.test(message)) this.#readKubelets(at);
    else if (message.endsWith(TOLD_BY_SYSTEMD)) this.#unit ??= at;
    else if (UNSURE_STACK.test(message)) this.#isUnsureStack = true;
    else if (message.indexOf(INVOKED) > 0) this.#readInvoked(at);
    else if (VMALLOC_FAILURE.test(message)) this.#readVmallocFailure(at);
    else if (ALLOCATION_FAILURE.test(message)) this.#readFailure(at);
    else if (CACHE_FAILURE.test(message)) this.#readCacheFailure(at);
    else if (HOST_DUMP.test(message)) {
      const last = this.#events.at(-1);
      if (last !== undefined) last.isCutOff = false;
      else this.#beginsInDump = true;
    } else if (message.startsWith("oom-kill:constraint=")) this.#readConstraint(at);
    else if (FRAME.test(message)) this.#readFrame(at);
    else if (LIMIT.test(message)) this.#readLimit(at);
    else if (KILL.test(message)) this.#readKill(at);
  }

  /** A line of systemd's. */
  readUnit(line: string, number: number): void {
    this.#unit ??= { line, number, message: messageOf(line) };
  }

  /** A line of the kubelet's, which read it in the kernel's log. */
  readKubelet(line: string, number: number): void {
    this.#kubelets.push({ line, number, message: messageOf(line) });
  }

  /** The events. Until here each has how many starts came before it, and from now on how many after it. */
  end(): readonly KernelLogEvent[] {
    if (this.#events.length === 0) this.#kubelets.forEach((line) => this.#readKubelets(line));
    if (this.#events.length === 0 && this.#unit !== undefined) this.#begin("global-oom", this.#unit).isCutOff = true;
    for (const event of this.#events) {
      event.startsSince = this.#starts - event.startsSince;
      if (event.startsSince > 0) makeEarlier(event);
    }
    return this.#events;
  }

  #begin(kind: KernelLogEvent["kind"], { line, number }: LogLine): Draft {
    const event: Draft = {
      kind,
      line: number,
      isEarlierBoot: false,
      startsSince: this.#starts,
      seconds: secondsOf(line),
      comm: undefined,
      order: undefined,
      constraint: undefined,
      memcg: undefined,
      victims: [],
      isCutOff: false,
      isPageFault: false,
      isKubelets: false,
      vmallocBytes: undefined,
      mayFail: false,
      panic: undefined,
    };
    this.#events.push(event);
    return event;
  }

  /** A line that comes before who is killed: one after that is of another kill, whose first lines are not in the log. */
  #beforeVictims(kind: KernelLogEvent["kind"], at: LogLine): Draft {
    if (this.#kill === undefined || this.#kill.victims.length > 0) this.#kill = this.#begin(kind, at);
    this.#kill.isCutOff = false;
    return this.#kill;
  }

  #readInvoked(at: LogLine): void {
    const { message } = at;
    const comm = message.slice(0, message.indexOf(INVOKED));
    this.#kill = this.#begin("global-oom", at);
    this.#kill.isCutOff = true;
    this.#kill.comm = comm;
    this.#kill.order = this.#takeManual(comm) ? MANUAL_ORDER : parseOrder(after(message, "order="));
    this.#isUnsureStack = false;
    this.#kill.isPageFault = /\bgfp_mask=0x0(?:\(\))?,/.test(message);
  }

  /** Whether the kill is the one that a person asked for: a worker of the kernel's does it, before which the log may be cut off. */
  #takeManual(comm: string | undefined): boolean {
    if (!this.#isManual || comm?.startsWith("kworker") === false) return false;
    this.#isManual = false;
    return true;
  }

  #readKubelets(at: LogLine): void {
    const [, comm, digits] = TOLD_BY_KUBELET.exec(at.message) ?? [];
    const pid = parseCount(digits);
    const event = this.#begin("global-oom", at);
    event.isKubelets = true;
    if (comm === undefined || pid === undefined) return;
    event.victims.push({ pid, comm, ...UNTOLD_SIZES, line: at.number });
  }

  /** The page allocator was called for the host; a log may also begin within the stack, below who asked. */
  #readFrame(at: LogLine): void {
    const [, isUnsure, name] = FRAME.exec(at.message) ?? [];
    if (isUnsure !== undefined && !this.#isUnsureStack) {
      this.#calledAt = -Infinity;
      return;
    }
    if (this.#events.length === 0) {
      if (name?.startsWith("__")) return;
      this.#kill = this.#begin("global-oom", at);
      this.#kill.isCutOff = true;
    }
    // Further below it may be a charge to a control group that the page allocator makes.
    const isCaller = at.number - this.#calledAt <= 2 || !/^__alloc_(?:frozen_)?pages(?:_nod|_nop|$)/.test(name ?? "");
    if (name === "out_of_memory") this.#calledAt = at.number;
    // Of a request that failed since then the stack is another one.
    if (this.#kill?.isCutOff !== true || this.#kill !== this.#events.at(-1) || name === "out_of_memory") return;
    if (!isCaller) return;
    this.#kill.isCutOff = false;
    if (name?.startsWith("mem_cgroup")) this.#kill.kind = "memcg-oom";
  }

  /** One request may be told of twice, without and with who made it. */
  #readVmallocFailure(at: LogLine): void {
    const [, comm, ...sizes] = VMALLOC_FAILURE.exec(at.message) ?? [];
    const last = this.#events.at(-1);
    const isSame = last?.vmallocBytes !== undefined && last.comm === undefined;
    const event = isSame ? last : this.#begin("allocation-failure", at);
    event.comm = comm;
    event.vmallocBytes = parseCount(sizes.find((size) => size !== undefined));
  }

  #readFailure(at: LogLine): void {
    const last = this.#events.at(-1);
    // Up to 4.8 right below what vmalloc says.
    if (last?.vmallocBytes !== undefined && last.comm === undefined) {
      last.comm = ALLOCATION_FAILURE.exec(at.message)?.[1];
      return;
    }
    const event = this.#begin("allocation-failure", at);
    event.comm = ALLOCATION_FAILURE.exec(at.message)?.[1];
    event.order = parseOrder(after(at.message, "order:"));
    event.mayFail = at.message.includes("__GFP_NORETRY");
  }

  /** Of the same request the page allocator may have warned right before. */
  #readCacheFailure(at: LogLine): void {
    if (this.#events.at(-1)?.kind === "allocation-failure") return;
    this.#begin("allocation-failure", at).order = parseOrder(CACHE_FAILURE.exec(at.message)?.[1]);
  }

  #readConstraint(at: LogLine): void {
    const kill = this.#beforeVictims("global-oom", at);
    kill.constraint = after(at.message, "constraint=");
    if (kill.constraint === "CONSTRAINT_MEMCG") kill.kind = "memcg-oom";
    kill.memcg ??= after(at.message, "oom_memcg=");
    const [, comm, digits] = CHOSEN.exec(at.message) ?? [];
    const pid = parseCount(digits);
    if (comm === undefined || pid === undefined) return;
    this.#announced = { pid, comm, ...UNTOLD_SIZES, line: at.number };
    kill.victims.push(this.#announced);
  }

  /** Also of a dump without the lines before it, or after it. The first group is the one at its limit, those below it follow. */
  #readLimit(at: LogLine): void {
    const kill = this.#beforeVictims("memcg-oom", at);
    kill.kind = "memcg-oom";
    kill.memcg ??= after(at.message, AT_LIMIT) ?? /^Memory cgroup stats for (.+?):(?: |#012|$)/.exec(at.message)?.[1];
  }

  /** A text about an incident quotes what its log had once more: nobody with this number and of these sizes is killed twice. */
  #isToldAgain({ message }: LogLine): boolean {
    if (!message.includes(" total-vm:")) return false;
    const told = `${this.#starts} ${message}`;
    if (!this.#told.has(told)) {
      this.#told.add(told);
      return false;
    }
    // Up to 5.0 a line above has said already who is to be killed.
    const isOneMore = this.#kill?.victims.every((victim) => victim === this.#announced) === true;
    if (isOneMore && this.#kill === this.#events.at(-1)) {
      this.#events.pop();
      this.#kill = undefined;
    }
    this.#announced = undefined;
    return true;
  }

  #readKill(at: LogLine): void {
    if (this.#isToldAgain(at)) return;
    const { message, number } = at;
    const isOfGroup = message.startsWith("Memory cgroup");
    // A kill of the other kind is another's, whose first lines are not in the log.
    const other = isOfGroup ? "global-oom" : "memcg-oom";
    const isFirst = /^(?:Memory cgroup o|O)ut/.test(message);
    const isOther = this.#kill?.kind === other || this.#kill?.isCutOff === true;
    if (isFirst && isOther && this.#kill !== undefined && this.#kill.victims.length > 0) this.#kill = undefined;
    const kill = this.#kill ??= this.#begin(isOfGroup ? "memcg-oom" : "global-oom", at);
    // Up to 5.0 the line above tells whose memory was short: `grep -i killed` leaves it out.
    const isAlone = kill.line === number && message.startsWith("Killed process ");
    kill.isCutOff = isAlone ? !this.#beginsInDump : kill.isCutOff && message.startsWith("Killed process ");
    if (kill.comm === undefined && this.#takeManual(undefined)) kill.order = MANUAL_ORDER;
    if (isOfGroup) kill.kind = "memcg-oom";
    if (message.startsWith("Kernel panic ")) {
      kill.panic = { because: message.includes("panic_on_oom") ? "panic_on_oom" : "deadlock", line: number };
    }
    if (/[Kk]ill(?:ed)? process \d/.test(message)) this.#readVictim(at, kill.victims);
  }

  #readVictim({ message, number }: LogLine, victims: OomVictim[]): void {
    const victim = parseVictim(message, number);
    if (victim === undefined) this.#context.warn(number, `not a killed process: ${quote(message)}`);
    // Up to 5.0 two lines tell of one kill, the second with the sizes: of the process, or of its child that was killed instead.
    else if (this.#announced !== undefined && this.#announced === victims.at(-1)) victims[victims.length - 1] = victim;
    // With memory.oom.group the one chosen may be told of once more, among the rest of its group.
    else if (victim.pid !== victims[0]?.pid) victims.push(victim);
    this.#announced = /[Kk]ill process /.test(message) ? victim : undefined;
  }
}

/** What follows a mark, up to a comma or the end. */
function after(text: string, mark: string): string | undefined {
  const at = text.indexOf(mark);
  return at === -1 ? undefined : text.slice(at + mark.length).split(",", 1)[0];
}

/** Undefined for a number that is not one of an order. */
function parseOrder(text: string | undefined): number | undefined {
  const order = parseInteger(text);
  return order !== undefined && order >= MANUAL_ORDER && order <= MAX_ORDER ? order : undefined;
}

function secondsOf(line: string): number | undefined {
  const seconds = /\[ {0,12}(\d{1,10}\.\d{1,9})\]/.exec(line.slice(0, 200))?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/**
 * `Killed process 116 (hog) total-vm:812kB, ...`, `Kill process 116 (hog) score 900 or sacrifice child`; of RHEL 6 `Killed process 116, UID 27, (hog) total-vm:...`,
 * of RHEL 7 `Killed process 116 (hog), UID 27, total-vm:...`; up to 2.6.35 `vsz:` is in the place of `total-vm:`.
 */
function parseVictim(message: string, line: number): OomVictim | undefined {
  const process = message.indexOf(" process ") + " process ".length;
  const open = message.indexOf(" (", process);
  const head = message.slice(process, open);
  // The name may hold parentheses: it ends at the last one before what follows it.
  const next = message.slice(open).search(/ (?:total-vm|vsz):|, UID| score /);
  const close = message.lastIndexOf(")", next === -1 ? message.length : open + next);
  const pid = parseCount(/^(\d+)(?:, UID \d+,)?$/.exec(head)?.[1]);
  if (open === -1 || close < open || pid === undefined) return undefined;
  const kb = (key: string): number | undefined => {
    const value = after(message, key)?.split(" ", 1)[0];
    return value?.endsWith("kB") ? multiply(parseCount(value.slice(0, -2)), 1024) : undefined;
  };
  return {
    pid,
    comm: message.slice(open + 2, close),
    totalVmBytes: kb("total-vm:") ?? kb("vsz:"),
    anonRssBytes: kb("anon-rss:"),
    fileRssBytes: kb("file-rss:"),
    shmemRssBytes: kb("shmem-rss:"),
    line,
  };
}

function makeEarlier(event: Draft): void {
  event.isEarlierBoot = true;
  event.seconds = undefined;
}

function parseEarlierLog(text: string, context: ParseContext): readonly KernelLogEvent[] {
  return parseKernelLog(text, context).map((event) => ({ ...event, isEarlierBoot: true, seconds: undefined }));
}

/** A snapshot's log, as {@linkcode parseKernelLog} reads it: of several the first that tells of an OOM. */
export const kernelLog: Source<Parsed<readonly KernelLogEvent[]>> = {
  name: "kernel_log",
  patterns: KERNEL_LOG_PATHS,
  read(reader) {
    const log = reader.read(chosenLog);
    if (log.status !== "ok") return log;
    return reader.parse(log.value.path, log.value.isEarlier ? parseEarlierLog : parseKernelLog);
  },
};
