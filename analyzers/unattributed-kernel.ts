import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Unclaimed,
} from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { type Group, groupBy } from "../src/core/group_by.ts";
import { accountBytes, type Ledger, type SourceLine } from "../src/core/ledger.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import {
  type HostFacts,
  type MaybeValues,
  type Missing,
  overTime,
  type Parsed,
  type Values,
} from "../src/core/source.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { uncountedBalloons } from "../src/computed/balloon_drivers.ts";
import {
  type KernelBuffer,
  kernelBuffers,
  type StripeCache,
  type TraceBuffer,
} from "../src/computed/kernel_buffers.ts";
import { forecast } from "../src/computed/forecast.ts";
import { accountSeries, growth } from "../src/computed/growth.ts";
import { isAtLeast } from "../src/computed/kernel_release.ts";
import { ledger } from "../src/computed/ledger.ts";
import { residualNoiseBytes } from "../src/computed/material.ts";
import { stopCommands } from "../src/computed/owners.ts";
import { protocolMemory } from "../src/computed/protocol_memory.ts";
import { receiveRings } from "../src/computed/receive_rings.ts";
import { type OutsideProcesses, outsideProcesses } from "../src/computed/outside_processes.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import type { SocketQueue } from "../src/computed/socket_queues.ts";
import { tcpBacklog } from "../src/computed/tcp_backlog.ts";
import type { Trend } from "../src/computed/trend.ts";
import { unixBacklog } from "../src/computed/unix_backlog.ts";
import { countedBeyond, findSockets, lookAtSockets } from "../src/computed/unseen_sockets.ts";
import { type AllocationSite, allocinfo } from "../src/parsers/allocinfo.ts";
import { arcstats } from "../src/parsers/arcstats.ts";
import { dmBufio } from "../src/parsers/dm_bufio.ts";
import { type Meminfo, meminfo } from "../src/parsers/meminfo.ts";
import { packet } from "../src/parsers/packet.ts";
import { type PageFlags, pageFlags } from "../src/parsers/page_flags.ts";
import { type PageOwnerStack, pageOwnerStacks } from "../src/parsers/page_owner_stacks.ts";
import { slabinfo } from "../src/parsers/slabinfo.ts";
import { sockstat } from "../src/parsers/sockstat.ts";
import { type Vmstat, vmstat } from "../src/parsers/vmstat.ts";
import { zoneinfo } from "../src/parsers/zoneinfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** "Unknown" memory that is too much on any host: the line at which Oracle's drgn-tools memstate warns. */
const MAJOR_SHARE = 0.1;
/** Counters lag by a few MiB for each CPU and files are read one after the other: growth below this is none. */
const MIN_GROWTH_BYTES = 16 * 2 ** 20;
/** A call site is the tenant when the larger part of the memory is its own. */
const MOST_OF = 0.5;
/** Tenants with less than this are not named beside it. */
const MIN_NAMED_SHARE = 0.1;
const MAX_NAMED = 5;

/**
 * Source files whose allocations are in accounts of their own (page cache, anonymous memory, slab, vmalloc, per-CPU data, page tables, huge pages,
 * zspages, stacks) or lie outside MemTotal (memory map, page_ext). In allocinfo each page has one site, but callers of kmalloc are listed, too.
 */
const ACCOUNTED_PLACES =
  /^(?:mm\/|fs\/buffer\.c|fs\/ext4\/|fs\/btrfs\/extent_io\.c|kernel\/fork\.c|arch\/\w+\/(?:mm|kernel\/process)|include\/(?:linux\/(?:mm|slab|pagemap|gfp|percpu)|asm-generic\/pgalloc)|lib\/xarray|lib\/maple_tree)/;
/** The same for functions in a call stack of page_owner. */
const ACCOUNTED_FRAMES =
  /^(?:allocate_slab|new_slab|___?slab_alloc|___?kmalloc_large_node|page_cache_ra|__filemap_get_folio|filemap_alloc_folio|do_anonymous_page|alloc_anon_folio|vma_alloc_(?:anon_)?folio|wp_page_copy|do_cow_fault|do_huge_pmd|shmem_alloc|__vmalloc|pcpu_|pte_alloc|__pte_alloc|__p[mu4g]*d_alloc|pgd_alloc|alloc_hugetlb|alloc_fresh_hugetlb|zs_malloc|zspage|alloc_zspage|alloc_thread_stack|dup_task_struct|read_swap_cache|__read_swap_cache|do_swap_page|migrate_pages|compaction_alloc)/;
/** Functions of the page allocator itself: the caller is the first one that is none of them. */
const ALLOCATOR_FRAMES =
  /^(?:post_alloc_hook|prep_new_page|get_page_from_freelist|__alloc_pages|alloc_pages|__alloc_frozen_pages|alloc_frozen_pages|__folio_alloc|folio_alloc|__get_free_pages|get_free_pages|get_zeroed_page|register_early_stack|save_stack|__set_page_owner|__page_frag)/;

const VMALLOC_AREAS: Missing = { path: "proc/vmallocinfo", howToCapture: "cat /proc/vmallocinfo" };

const needs = { ledger };
const uses = {
  meminfo,
  zoneinfo,
  vmstat,
  ledgers: overTime(ledger),
  sockstat,
  packet,
  slabinfo,
  arcstats,
  uncountedBalloons,
  dmBufio,
  kernelBuffers,
  receiveRings,
  tcpBacklog,
  unixBacklog,
  processes,
  outsideProcesses,
  pageFlags,
  allocinfo,
  pageOwnerStacks,
};

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

/** The same, where it tells all that is needed. */
type Told = Seen & {
  readonly meminfo: Parsed<Meminfo>;
  readonly vmstat: Parsed<Vmstat>;
  readonly pageSizeBytes: number;
};

/** Without zoneinfo and vmstat, free pages on per-CPU lists and compressed memory would be taken for a leak. */
function missing({ meminfo: fields, zoneinfo: zones, vmstat: counted, facts }: Seen): Missing[] {
  const files = Object.entries({ "proc/meminfo": fields, "proc/zoneinfo": zones, "proc/vmstat": counted })
    .flatMap(([path, file]) => file === undefined ? [{ path, howToCapture: `cat /${path}` }] : []);
  if (files.length > 0 || facts.pageSizeBytes !== undefined) return files;
  return [{ path: "the page size", howToCapture: "getconf PAGESIZE" }];
}

/** Who has the pages: by their buffers' own size, or by a record that somebody switched on. */
interface Named extends SourceLine {
  readonly pid?: number;
  readonly bytes: number;
  readonly count: number;
  readonly name: string;
  /** For the title, where the name alone does not tell how many they are. */
  readonly who?: string;
  readonly isPlural?: boolean;
  /** What has them, in words for the title. */
  readonly buffers?: string;
  readonly detail: string;
}

/** One large buffer, or small ones of one kind and program, the largest first: many of these are as much as a large one. */
type Buffers<B extends KernelBuffer = KernelBuffer> = Readonly<Group<B>>;

function byHolder(buffers: readonly KernelBuffer[], largeBytes: number): Buffers[] {
  const groups = groupBy(buffers, (buffer) => {
    const holder = buffer.kind === "perf" ? buffer.comm : buffer.kind === "stripes" ? buffer.array : "";
    return buffer.bytes >= largeBytes ? buffer : `${buffer.kind} ${holder}`;
  });
  return [...groups.values()].filter((group) => sumBytes(group) >= largeBytes)
    .sort((a, b) => sumBytes(b) - sumBytes(a));
}

/** "ftrace", "ftrace's instance a", "ftrace and 3 instances": its own buffers are no instance. */
function traceName(buffers: readonly TraceBuffer[]): string {
  const names = buffers.flatMap(({ instance }) => instance ?? []);
  const own = names.length < buffers.length;
  if (names.length === 0) return "ftrace";
  const instances = names.length === 1 ? `instance ${names[0]}` : formatQuantity(names.length, "instance");
  return own ? `ftrace and its ${instances}` : `ftrace's ${instances}`;
}

function isKind<K extends KernelBuffer["kind"]>(
  buffers: Buffers,
  kind: K,
): buffers is Buffers<Extract<KernelBuffer, { kind: K }>> {
  return buffers[0].kind === kind;
}

function namedByBuffer(buffers: Buffers): Named {
  const { path, line } = buffers[0];
  const where = { path, line, bytes: sumBytes(buffers) };
  const largest = buffers.length === 1 ? "" : `; the largest has ${formatBytes(buffers[0].bytes)}`;
  if (isKind(buffers, "trace")) {
    return {
      ...where,
      count: buffers.length,
      name: traceName(buffers),
      isPlural: buffers.length > 1,
      buffers: buffers.length === 1 ? "its ring buffers" : "their ring buffers",
      detail: `the ring buffers of all CPUs, full or not${largest}`,
    };
  }
  if (isKind(buffers, "perf")) {
    const [{ pid, comm }] = buffers;
    return {
      ...where,
      pid,
      count: buffers.length,
      name: comm,
      ...(buffers.length === 1 ? {} : { who: `${comm} (${formatQuantity(buffers.length, "process", "processes")})` }),
      isPlural: buffers.length > 1,
      buffers: `the ring buffers of ${buffers.length === 1 ? "its" : "their"} perf events`,
      detail: `the ring buffers of its perf events: pinned (VmPin), but not its own memory${largest}`,
    };
  }
  const { array, stripes, disks } = buffers[0] as StripeCache;
  return {
    ...where,
    count: stripes,
    name: array,
    buffers: "its stripe cache",
    detail: `${formatCount(stripes)} stripes, each with a page for each of ${formatQuantity(disks, "disk")}`,
  };
}

/** How many instances are named in a command. */
const MAX_INSTANCES = 100;

/** What shows what traces, and what makes the buffers smaller. */
function shrinkCommands(buffers: readonly TraceBuffer[]): string[] {
  const folders = buffers.slice(0, MAX_INSTANCES).map(({ instance }) =>
    instance === undefined ? "/sys/kernel/tracing" : `/sys/kernel/tracing/instances/${shellWord(instance)}`
  );
  const [folder] = folders as [string];
  if (folders.length === 1) {
    return [
      `cat ${folder}/current_tracer ${folder}/set_event; fuser -v ${folder}/trace_pipe`,
      `echo 1408 > ${folder}/buffer_size_kb`,
    ];
  }
  const each = (command: string): string => `for f in ${folders.join(" ")}; do ${command}; done`;
  return [
    each('grep -H . "$f"/current_tracer "$f"/set_event; fuser -v "$f"/trace_pipe'),
    each('echo 1408 > "$f"/buffer_size_kb'),
  ];
}

/** How the buffers are made smaller. */
function bufferRemedies(buffers: Buffers, known: readonly Process[] | undefined): Remedy[] {
  const verify = "MemFree of /proc/meminfo grows by what they were";
  if (isKind(buffers, "trace")) {
    return [{
      when: "now",
      text:
        `See what traces, then make the buffers as large as the kernel makes them (1,408 KiB for each CPU): what was traced is lost. An instance that nobody needs can be removed (rmdir). ${
          remedyMark("unattributed-kernel", "shrink the buffers of ftrace")
        }`,
      commands: shrinkCommands(buffers),
      verify,
    }, {
      when: "prevent",
      text:
        `Whoever sets them (trace_buf_size= on the kernel's command line, trace-cmd record -b, an agent) does so again: set less there. ${
          remedyMark("unattributed-kernel", "set smaller buffers of ftrace")
        }`,
      commands: [
        "grep -o 'trace_buf_size=[^ ]*' /proc/cmdline",
        "cat /sys/kernel/tracing/buffer_total_size_kb /sys/kernel/tracing/instances/*/buffer_total_size_kb",
      ],
      verify: "the sizes stay small after a boot, and after the agent's start",
    }];
  }
  if (isKind(buffers, "perf")) {
    const [{ pid, comm }] = buffers;
    return [{
      when: "now",
      text: `Restart ${comm} in an orderly way: the buffers go with its perf events. ${
        remedyMark("unattributed-kernel", "end the owner of the perf events")
      }`,
      commands: stopCommands({ comm, pids: buffers.map((buffer) => buffer.pid) }, known),
      verify,
    }, {
      when: "fix",
      text:
        `Configure smaller buffers: each CPU has one for each of its event streams (perf record -m, perf_buffer__new()'s page_cnt of eBPF programs). ${
          remedyMark("unattributed-kernel", "configure smaller perf buffers")
        }`,
      commands: [`grep VmPin /proc/${pid}/status`, `grep -c 'anon_inode:.perf_event' /proc/${pid}/maps`],
      verify: "VmPin of its status is small after the restart",
    }];
  }
  const { array } = buffers[0] as StripeCache;
  return [{
    when: "now",
    text: `Make the cache smaller: 256 stripes are the kernel's own choice. Writing may become slower. ${
      remedyMark("unattributed-kernel", "shrink the stripe cache")
    }`,
    commands: [`echo 256 > /sys/block/${shellWord(array)}/md/stripe_cache_size`],
    verify,
  }];
}

/** Whole pages, and no site that is in an account of its own. */
function namedByAllocinfo(file: Parsed<readonly AllocationSite[]> | undefined, pageSizeBytes: number): Named[] {
  return (file?.value ?? [])
    .filter(({ bytes, calls, place }) =>
      bytes >= calls * pageSizeBytes && bytes % pageSizeBytes === 0 && !ACCOUNTED_PLACES.test(place)
    )
    .map(({ bytes, calls, place, module, func, line }) => ({
      path: (file as Parsed<unknown>).path,
      line,
      bytes,
      count: calls,
      name: module === undefined ? func : `${func} [${module}]`,
      detail: `${formatQuantity(calls, "allocation")} at ${place}${module === undefined ? "" : ` in module ${module}`}`,
    }));
}

function namedByPageOwner(file: Parsed<readonly PageOwnerStack[]> | undefined): Named[] {
  const byCaller = new Map<string, Named>();
  for (const { bytes, frames, line } of file?.value ?? []) {
    const callers = frames.filter((frame) => !ALLOCATOR_FRAMES.test(frame));
    const [name] = callers;
    if (bytes === undefined || name === undefined || callers.some((frame) => ACCOUNTED_FRAMES.test(frame))) continue;
    const known = byCaller.get(name);
    byCaller.set(name, {
      path: (file as Parsed<unknown>).path,
      line: known?.line ?? line,
      bytes: (known?.bytes ?? 0) + bytes,
      count: (known?.count ?? 0) + 1,
      name,
      detail: `called from ${callers.slice(1, 5).join(" < ")}`,
    });
  }
  return [...byCaller.values()];
}

/** Pages of their own that file systems cache, and give back under pressure, that network cards receive into, and that wait in queues which are read. */
interface PrivateCache extends SourceLine {
  readonly bytes: number;
  readonly because: string;
}

function arcBytes({ arcstats: arc }: Seen): number {
  return arc?.value.get("size")?.value ?? 0;
}

function privateCaches(
  { arcstats: arc, slabinfo: slabs, dmBufio: bufio, receiveRings: cards, pageSizeBytes }: Told,
): PrivateCache[] {
  const found: PrivateCache[] = [];
  const size = arc?.value.get("size");
  if (arc !== undefined && size !== undefined) {
    const because = "the ARC of ZFS, which is given back under pressure";
    found.push({ path: arc.path, line: size.line, bytes: size.value, because });
  }
  const xfs = slabs?.value.find(({ name }) => name === "xfs_buf");
  if (slabs !== undefined && xfs !== undefined && xfs.activeObjects > 0) {
    found.push({
      path: slabs.path,
      line: xfs.line,
      // Most buffers are of one block of 4 KiB; larger ones have several pages (fs/xfs/xfs_buf.c).
      bytes: xfs.activeObjects * pageSizeBytes,
      because: `${formatQuantity(xfs.activeObjects, "buffer")} of XFS, which are given back under pressure`,
    });
  }
  if (bufio !== undefined && bufio.value.bytes > 0) {
    const because = "blocks that the device mapper caches, which are given back under pressure";
    found.push({ path: bufio.path, ...bufio.value, because });
  }
  for (const { path, line, bytes, interface: card, rings, descriptors } of cards ?? []) {
    const because = `the receive rings of ${card}: ${formatQuantity(rings, "ring")} of ${
      formatCount(descriptors)
    } packets, each with a page`;
    found.push({ path, line, bytes, because });
  }
  return found;
}

function chargeOf(queues: readonly SocketQueue[]): number {
  return sumOf(queues, (each) => each.chargedBytes);
}

/**
 * What streams are charged for, on a busy server as much as its clients are slow: what was read meanwhile for sure, and the rest as far as it can be none that
 * causes hold.
 */
function streams({ tcpBacklog: tcp, unixBacklog: unix }: Seen, left: number, held: number): PrivateCache[] {
  const shown = [tcp?.received, tcp?.sent, unix].flatMap((backlog): readonly SocketQueue[] => backlog?.queues ?? [])
    .sort((a, b) => b.chargedBytes - a.chargedBytes);
  const charged = Math.max(chargeOf(shown.filter(({ wasRead }) => wasRead)), chargeOf(shown) - held);
  const bytes = Math.min(left, charged);
  const [fullest] = shown;
  if (fullest === undefined || bytes <= MIN_NAMED_SHARE * left) return [];
  const { path, line } = fullest;
  return [{ path, line, bytes, because: "queues of TCP and unix sockets" }];
}

/** What is in no account, and how it comes to be so much. */
interface Residual {
  readonly bytes: number;
  readonly noiseBytes: number;
  /** By causes that are known. */
  readonly heldBytes: number;
  readonly caches: readonly PrivateCache[];
  /** Of the caches. */
  readonly usualBytes: number;
  /** Buffers that tell their own size, a group each. */
  readonly buffers: readonly Buffers[];
  /** They are most of the rest. */
  readonly areBuffers: boolean;
  /** What nobody is known to have but, where they are most of it, buffers. */
  readonly nobodysBytes: number;
  readonly trend: Trend | undefined;
}

function residualOf(told: Told, unclaimed: Unclaimed): Residual {
  const bytes = accountBytes(told.ledger, "unaccounted") ?? 0;
  const left = unclaimed.get("unaccounted") ?? 0;
  const noiseBytes = residualNoiseBytes(told.ledger.totalBytes);
  const caches = [...privateCaches(told), ...streams(told, left, bytes - left)];
  const usualBytes = Math.min(left, sumBytes(caches));
  const uncached = left - usualBytes;
  // What is larger than all there is must be somewhere else.
  const sized = (told.kernelBuffers ?? []).filter((buffer) => buffer.bytes <= uncached + noiseBytes);
  const buffers = byHolder(sized, MIN_NAMED_SHARE * uncached);
  const buffered = sumBytes(buffers.flat());
  const areBuffers = buffers.length > 0 && buffered >= MOST_OF * uncached;
  return {
    bytes,
    noiseBytes,
    heldBytes: bytes - left,
    caches,
    usualBytes,
    buffers,
    areBuffers,
    nobodysBytes: areBuffers ? uncached : Math.max(0, uncached - buffered),
    // Only where nobody else holds the larger part: otherwise it is they who grow.
    trend: uncached < MOST_OF * bytes
      ? undefined
      : growth(accountSeries(told.ledgers, "unaccounted"), MIN_GROWTH_BYTES),
  };
}

function ruledOut({ bytes, noiseBytes, heldBytes, caches, buffers }: Residual): string {
  const parts = [
    ...(heldBytes > 0 ? [`, ${formatBytes(heldBytes)} of it held by causes that are known`] : []),
    ...caches.map((cache) => `, up to ${formatBytes(cache.bytes)} of it by ${cache.because}`),
    ...buffers.map(namedByBuffer).map((buffer) => `, ${formatBytes(buffer.bytes)} of it by ${buffer.name}`),
  ];
  return `${formatBytes(bytes)} are in no account of the kernel${parts.join("")}; up to ${
    formatBytes(noiseBytes)
  } are normal on this host`;
}

/** How those who have it are known. */
type KnownBy = "buffers" | "unseen sockets" | "records";

/** Who has what is in no account, the most first. */
interface Tenants {
  readonly by: KnownBy;
  readonly all: readonly Named[];
}

function tenantsOf({ areBuffers, buffers, nobodysBytes, noiseBytes }: Residual, told: Told): Tenants {
  if (areBuffers) return { by: "buffers", all: buffers.map(namedByBuffer) };
  const unseen = unseenSockets(nobodysBytes, noiseBytes, told);
  return unseen === undefined
    ? { by: "records", all: recorded(nobodysBytes, told) }
    : { by: "unseen sockets", all: [unseen] };
}

/** The kernel counts the queues of all network namespaces. Those that the bundle shows, read or not, are not meant. */
function unseenSockets(
  bytes: number,
  noiseBytes: number,
  { sockstat: files, tcpBacklog: queues }: Seen,
): Named | undefined {
  const counted = protocolMemory(files, "TCP");
  if (counted === undefined || queues === undefined) return undefined;
  const beyond = countedBeyond(counted, [queues.received, queues.sent]);
  if (beyond < MOST_OF * bytes || beyond > bytes + noiseBytes) return undefined;
  return {
    path: counted.path,
    line: counted.line,
    bytes: Math.min(beyond, bytes),
    count: 1,
    name: "TCP sockets that this bundle does not show",
    isPlural: true,
    buffers: "their queues",
    detail: `all TCP sockets are charged ${
      formatBytes(counted.bytes)
    }, those of other network namespaces, too, and those in this bundle ${
      formatBytes(counted.bytes - beyond)
    }; to find whose: ${findSockets("tcp")}`,
  };
}

function recorded(bytes: number, { pageOwnerStacks: stacks, allocinfo: sites, pageSizeBytes }: Told): Named[] {
  const byOwner = namedByPageOwner(stacks);
  return (byOwner.length > 0 ? byOwner : namedByAllocinfo(sites, pageSizeBytes))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_NAMED)
    .filter((tenant) => tenant.bytes >= MIN_NAMED_SHARE * bytes);
}

/** A kernel that is not known may well be new enough. */
function mayBeAtLeast(facts: HostFacts, major: number, minor: number): boolean {
  return isAtLeast(facts, major, minor) !== false;
}

function remedies(facts: HostFacts): Remedy[] {
  const profiling: Remedy = {
    when: "now",
    text:
      "Switch memory allocation profiling on (the kernel needs CONFIG_MEM_ALLOC_PROFILING): it names the line of source for each byte, at little cost. " +
      `It counts from then on; with sysctl.vm.mem_profiling=1 on the kernel's command line, from boot. ${
        remedyMark("unattributed-kernel", "allocation profiling")
      }`,
    commands: [
      'grep MEM_ALLOC_PROFILING "/boot/config-$(uname -r)"',
      "sysctl vm.mem_profiling=1",
      "sleep 600; sort -rn /proc/allocinfo | head -30",
      "nailhouse collect",
    ],
    verify: "the next report names a function, its file and its module",
  };
  const stacks = mayBeAtLeast(facts, 6, 9)
    ? "cat /sys/kernel/debug/page_owner_stacks/show_stacks"
    : "cat /sys/kernel/debug/page_owner > page_owner.txt && page_owner_sort -m page_owner.txt sorted.txt";
  return [
    ...(mayBeAtLeast(facts, 6, 10) ? [profiling] : []),
    {
      when: "now",
      text:
        "See what it goes with: a network card or a module (then reloading the module gives the memory back), a file system, a virtual machine. What the " +
        `memory does while a suspect is stopped is the quickest proof. ${
          remedyMark("unattributed-kernel", "see what it goes with")
        }`,
      commands: ["lsmod | sort -k2 -rn | head", "ls /sys/class/net", "nailhouse collect --snapshots 10 --interval 10"],
      verify: "`unaccounted` of the next report falls when the suspect is stopped",
    },
    {
      when: "fix",
      text:
        `Record the owner of every page: boot with page_owner=on (about 0.6 % of memory). It works on every kernel that has CONFIG_PAGE_OWNER. ${
          remedyMark("unattributed-kernel", "page owners")
        }`,
      commands: [
        "grubby --update-kernel=ALL --args=page_owner=on",
        "reboot",
        "mount -t debugfs none /sys/kernel/debug",
        stacks,
        "nailhouse collect",
      ],
      verify: "the next report names the call stack",
    },
    {
      when: "prevent",
      text: `Keep a record, so that the next report tells since when and at what rate. ${
        remedyMark("unattributed-kernel", "record")
      }`,
      commands: ["nailhouse record --dir /var/lib/nailhouse/ring --every 60"],
      verify: "the next report has a timeline",
    },
  ];
}

function titleOf([first, ...others]: readonly [Named, ...Named[]], by: KnownBy, claimed: number): string {
  const { name, pid, who = `${name}${pid === undefined ? "" : ` (pid ${pid})`}`, isPlural, bytes, buffers } = first;
  if (by === "buffers" && others.length > 0) {
    return `${who} and ${formatQuantity(others.length, "other")} hold ${
      formatBytes(claimed)
    } of kernel pages in buffers`;
  }
  const where = buffers === undefined ? "" : ` in ${buffers}`;
  return `${who} ${isPlural === true ? "hold" : "holds"} ${formatBytes(bytes)} of kernel pages${where}`;
}

function ownerOf({ pid, name, bytes, count, detail }: Named): Owner {
  return { pid: pid ?? null, comm: name, bytes, count, detail };
}

function unknownOwner(bytes: number, facts: HostFacts): Owner {
  const detail = mayBeAtLeast(facts, 6, 10)
    ? "to find the owner: sysctl vm.mem_profiling=1, later sort -rn /proc/allocinfo | head; or boot with page_owner=on"
    : "to find the owner: boot with page_owner=on, later read /sys/kernel/debug/page_owner";
  return { pid: null, comm: "unknown", bytes: Math.round(bytes), count: 1, detail };
}

function remediesOf({ buffers }: Residual, by: KnownBy, told: Told): Remedy[] {
  if (by === "buffers") return buffers.flatMap((group) => bufferRemedies(group, told.processes));
  if (by === "records") return remedies(told.facts);
  return [lookAtSockets("tcp", remedyMark("unattributed-kernel", "look at the sockets of all namespaces"))];
}

function finding(residual: Residual, { by, all }: Tenants, told: Told): FindingDraft {
  const { nobodysBytes: bytes, noiseBytes, trend } = residual;
  const { totalBytes } = told.ledger;
  const [first, ...others] = all;
  const tenant = first !== undefined && (by === "buffers" || first.bytes >= MOST_OF * bytes) ? first : undefined;
  const claimed = tenant === undefined ? bytes : Math.min(bytes, sumBytes(all));
  const rate = trend === undefined ? "" : `, and it grows by ${formatRate(trend.bytesPerSecond)}`;
  return {
    title: tenant === undefined
      ? `No account of the kernel and no known tenant has ${formatBytes(bytes)} (${
        formatShare(bytes, totalBytes)
      } of memory)${rate}: allocation profiling or page_owner would name the caller`
      : `${titleOf([tenant, ...others], by, claimed)} that are in no account of /proc/meminfo${rate}`,
    // Whether anybody reads what is in those queues is not known.
    confidence: tenant !== undefined && by !== "unseen sockets" ? "likely" : "possible",
    material: tenant !== undefined || bytes >= Math.max(noiseBytes, MAJOR_SHARE * totalBytes) ||
      (trend?.changeBytes ?? 0) >= noiseBytes,
    claims: [{ account: "unaccounted", bytes: { low: claimed, high: claimed } }],
    ...forecast(trend, told.ledgers),
    owners: tenant === undefined ? [unknownOwner(bytes, told.facts)] : all.map(ownerOf),
    evidence: [...tenantEvidence(residual, all, told), ...blocks(told.pageFlags), ...excluded(bytes, told)],
    remedies: remediesOf(residual, by, told),
  };
}

/** Who has it, and what is left out. */
function tenantEvidence(residual: Residual, all: readonly Named[], { meminfo: file }: Told): EvidenceLine[] {
  const { bytes, heldBytes, caches, areBuffers, buffers } = residual;
  const lines: EvidenceLine[] = [];
  const memTotal = file.value.bytes.get("MemTotal");
  if (memTotal !== undefined) {
    const ofOthers = heldBytes > 0 ? `, ${formatBytes(heldBytes)} of which causes that are known hold` : "";
    const because = `of this, ${formatBytes(bytes)} are in no account of the kernel${ofOthers}`;
    lines.push({ path: file.path, line: memTotal.line, because });
  }
  for (const { path, line, bytes: size, detail } of all) {
    lines.push({ path, line, because: `${formatBytes(size)}: ${detail}` });
  }
  for (const { path, line, bytes: size, because } of caches) {
    lines.push({ path, line, because: `up to ${formatBytes(size)} are left out: ${because}` });
  }
  for (const { path, line, bytes: size, name, detail } of areBuffers ? [] : buffers.map(namedByBuffer)) {
    lines.push({ path, line, because: `${formatBytes(size)} are left out, which ${name} has: ${detail}` });
  }
  return lines;
}

/** Compound pages that carry no flag but their own: the block size is a hint at who made them. */
function blocks(file: Parsed<PageFlags> | undefined): EvidenceLine[] {
  const fraction = file?.value.sampledFraction;
  if (file === undefined || fraction === undefined || fraction === 0) return [];
  const [top] = file.value.rows
    .filter(({ flags, bytes }) => flags.size === 1 && flags.has("HEAD") && bytes !== undefined)
    .toSorted((a, b) => (b.bytes as number) - (a.bytes as number));
  if (top === undefined) return [];
  return [{
    path: file.path,
    line: top.line,
    because: `${fraction < 1 ? "about " : ""}${
      formatBytes((top.bytes as number) / fraction)
    } are blocks of 2^${top.order} pages that are no slab, no page cache and no process's`,
  }];
}

/** What so many bytes are not, each with its figure. */
function excluded(bytes: number, told: Told): EvidenceLine[] {
  return [...noSockets(bytes, told), ...noZspages(told), ...balloonEvidence(told)];
}

function noSockets(bytes: number, { sockstat: files, packet: packets }: Told): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  const sockets = files?.find(({ value }) => value.get("TCP")?.memBytes !== undefined);
  for (const protocol of ["TCP", "UDP"]) {
    const entry = sockets?.value.get(protocol);
    if (sockets === undefined || entry?.memBytes === undefined || entry.memBytes >= MOST_OF * bytes) continue;
    const because = `no socket buffers: all ${protocol} sockets are charged ${formatBytes(entry.memBytes)}`;
    lines.push({ path: sockets.path, line: entry.line, because });
  }
  for (const { path, value } of packets ?? []) {
    if (value.length === 0) lines.push({ path, line: 1, because: "no packet ring: there is no packet socket" });
  }
  return lines;
}

function noZspages({ vmstat: { path, value }, pageSizeBytes }: Told): EvidenceLine[] {
  const zspages = value.get("nr_zspages");
  if (zspages === undefined) return [];
  const size = formatBytes(zspages.value * pageSizeBytes);
  return [{ path, line: zspages.line, because: `no zram or zswap: their ${size} are an account of their own` }];
}

/** No balloon, or one that may be behind it. */
function balloonEvidence({ uncountedBalloons: balloons, vmstat: { path, value } }: Told): EvidenceLine[] {
  const inflate = value.get("balloon_inflate");
  const deflate = value.get("balloon_deflate");
  const lines = (balloons ?? []).map((driver) => ({
    path: driver.path,
    line: driver.line,
    because: `perhaps the hypervisor's: ${driver.name} is loaded, and nothing counts what it has (${driver.find})`,
  }));
  if (balloons?.length !== 0 || inflate === undefined || inflate.value !== deflate?.value) return lines;
  return [{
    path,
    line: inflate.line,
    because: `no balloon: ${formatCount(inflate.value)} pages taken and as many given back`,
  }];
}

/** Where `free` and a list of all processes, or smem's sums, are all there is: it is none of these. */
function beyondProcesses(outside: OutsideProcesses | undefined, { totalBytes }: Ledger): FindingDraft | undefined {
  if (outside === undefined || outside.bytes.low < MAJOR_SHARE * totalBytes) return undefined;
  const { bytes, processes: those, evidence } = outside;
  const orMore = bytes.high > bytes.low ? " or more" : "";
  return {
    title: `${formatBytes(bytes.low)}${orMore} of the memory in use is in no process: ${those}`,
    confidence: "possible",
    material: true,
    claims: [{ account: "unaccounted", bytes }],
    owners: [],
    evidence: [evidence],
    remedies: [{
      when: "now",
      text:
        "Let the kernel tell which of its own it is: slab, huge pages, page tables and vmalloc are in /proc/meminfo; what is in none of them has a socket, a ring " +
        `or a driver. ${remedyMark("unattributed-kernel", "let the kernel tell")}`,
      commands: [
        "nailhouse collect",
        "cat /proc/meminfo",
        "slabtop -o -s c | head -20",
        "cat /proc/net/sockstat",
        "ss -amnp",
      ],
      verify: "the next report has it in an account, or in a finding",
    }],
  };
}

export const unattributedKernel: Analyzer = defineAnalyzer({
  id: "unattributed-kernel",
  title: "Kernel pages outside every account, with no known tenant",
  mechanism:
    "Drivers and subsystems take whole pages from the page allocator (alloc_pages), and no field of /proc/meminfo counts them. What remains of MemTotal " +
    "when every account is subtracted, and every known tenant (sockets, pipes, rings, io_uring, page fragments) has claimed its own, are buffers of ftrace, " +
    "perf or a RAID, which tell their own size, or belong to somebody who can be named only with a record of who allocates.",
  lookAlikes:
    "Free pages on per-CPU lists, zram and a balloon: accounts of their own here. Caches of XFS, ZFS and the device mapper: outside the page cache, but given " +
    "back under pressure. A network card's receive rings: constant from the start, and left out where ethtool tells how large they are.",
  references: [
    "https://docs.kernel.org/mm/allocation-profiling.html",
    "https://docs.kernel.org/mm/page_owner.html",
    "https://docs.kernel.org/dev-tools/kmemleak.html",
    "https://github.com/oracle-samples/drgn-tools memstate.py",
  ],
  needs,
  uses,
  last: true,
  judges: "unaccounted",
  analyze(values, facts, unclaimed) {
    const seen = { ...values, facts };
    const { meminfo: fields, vmstat: counters } = seen;
    const { pageSizeBytes } = facts;
    const lacks = missing(seen);
    if (lacks.length > 0 || fields === undefined || counters === undefined || pageSizeBytes === undefined) {
      const beyond = beyondProcesses(seen.outsideProcesses, seen.ledger);
      if (beyond !== undefined) return { findings: [beyond] };
      // Whatever else is not known, ZFS tells what is its own.
      return { notAssessed: lacks, usualBytes: Math.min(unclaimed.get("unaccounted") ?? 0, arcBytes(seen)) };
    }
    const told = { ...seen, meminfo: fields, vmstat: counters, pageSizeBytes };
    const residual = residualOf(told, unclaimed);
    const { nobodysBytes: bytes, noiseBytes, usualBytes, trend } = residual;
    const isMuch = (trend?.changeBytes ?? 0) >= noiseBytes;
    if (bytes < noiseBytes && !isMuch) return { ruledOut: ruledOut(residual), usualBytes };
    const tenants = tenantsOf(residual, told);
    // Up to Linux 5.2 only the areas tell what vmalloc has: some tens to hundreds of MiB of hash tables and drivers.
    const isVmallocIn = accountBytes(told.ledger, "vmalloc") === undefined;
    if (isVmallocIn && tenants.all.length === 0 && bytes < MAJOR_SHARE * told.ledger.totalBytes && !isMuch) {
      return { notAssessed: [VMALLOC_AREAS] };
    }
    return { findings: [finding(residual, tenants, told)], usualBytes };
  },
});
