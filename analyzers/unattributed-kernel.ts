import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { accountBytes, type SourceLine } from "../src/core/ledger.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import { type HostFacts, type Missing, overTime, type Parsed } from "../src/core/source.ts";
import { uncountedBalloons } from "../src/computed/balloon_drivers.ts";
import {
  type KernelBuffer,
  kernelBuffers,
  type StripeCache,
  type TraceBuffer,
} from "../src/computed/kernel_buffers.ts";
import { ledger } from "../src/computed/ledger.ts";
import { residualNoiseBytes } from "../src/computed/material.ts";
import { stopCommands } from "../src/computed/owners.ts";
import { protocolMemory } from "../src/computed/protocol_memory.ts";
import { receiveRings } from "../src/computed/receive_rings.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import type { Backlog, SocketQueue } from "../src/computed/socket_queues.ts";
import { tcpBacklog } from "../src/computed/tcp_backlog.ts";
import { exhaustion, recentTrend, type Trend } from "../src/computed/trend.ts";
import { unixBacklog } from "../src/computed/unix_backlog.ts";
import { countedBeyond, findSockets, lookAtSockets } from "../src/computed/unseen_sockets.ts";
import { type AllocationSite, allocinfo } from "../src/parsers/allocinfo.ts";
import { arcstats } from "../src/parsers/arcstats.ts";
import { dmBufio } from "../src/parsers/dm_bufio.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { packet } from "../src/parsers/packet.ts";
import { type PageFlags, pageFlags } from "../src/parsers/page_flags.ts";
import { type PageOwnerStack, pageOwnerStacks } from "../src/parsers/page_owner_stacks.ts";
import { slabinfo } from "../src/parsers/slabinfo.ts";
import { sockstat } from "../src/parsers/sockstat.ts";
import { vmstat } from "../src/parsers/vmstat.ts";
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
type Buffers<B extends KernelBuffer = KernelBuffer> = readonly [B, ...B[]];

function byHolder(buffers: readonly KernelBuffer[], largeBytes: number): Buffers[] {
  const groups = new Map<string, [KernelBuffer, ...KernelBuffer[]]>();
  for (const buffer of buffers) {
    const holder = buffer.kind === "perf" ? buffer.comm : buffer.kind === "stripes" ? buffer.array : "";
    const key = buffer.bytes >= largeBytes ? `large ${groups.size}` : `${buffer.kind} ${holder}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [buffer]);
    else group.push(buffer);
  }
  return [...groups.values()].filter((group) => sum(group) >= largeBytes).sort((a, b) => sum(b) - sum(a));
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
  const where = { path, line, bytes: sum(buffers) };
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

function sum(parts: readonly { readonly bytes: number }[]): number {
  return parts.reduce((bytes, part) => bytes + part.bytes, 0);
}

/** Pages of their own that file systems cache, and give back under pressure, that network cards receive into, and that wait in queues which are read. */
interface PrivateCache extends SourceLine {
  readonly bytes: number;
  readonly because: string;
}

function isAtLeast(release: string | undefined, major: number, minor: number): boolean {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(release ?? "") ?? [];
  // An unknown kernel may well be new enough.
  return a === undefined || Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

function remedies({ kernelRelease }: HostFacts): Remedy[] {
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
  const stacks = isAtLeast(kernelRelease, 6, 9)
    ? "cat /sys/kernel/debug/page_owner_stacks/show_stacks"
    : "cat /sys/kernel/debug/page_owner > page_owner.txt && page_owner_sort -m page_owner.txt sorted.txt";
  return [
    ...(isAtLeast(kernelRelease, 6, 10) ? [profiling] : []),
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
  needs: { ledger },
  uses: {
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
    pageFlags,
    allocinfo,
    pageOwnerStacks,
  },
  last: true,
  judges: "unaccounted",
  analyze(
    {
      ledger,
      meminfo: fields,
      zoneinfo: zones,
      vmstat: counted,
      ledgers,
      sockstat: sockstats,
      packet: packets,
      slabinfo: slabs,
      arcstats: arc,
      uncountedBalloons: balloons,
      dmBufio: bufio,
      kernelBuffers: buffers = [],
      receiveRings: cards = [],
      tcpBacklog: queues,
      unixBacklog: unix,
      processes: running,
      pageFlags: census,
      allocinfo: sites,
      pageOwnerStacks: stacks,
    },
    facts,
    unclaimed,
  ) {
    const { pageSizeBytes } = facts;
    // Whatever else is not known, ZFS tells what is its own.
    const arcBytes = Math.min(unclaimed.get("unaccounted") ?? 0, arc?.value.get("size")?.value ?? 0);
    // Without the last two, free pages on per-CPU lists and compressed memory would be taken for a leak.
    if (fields === undefined || zones === undefined || counted === undefined) {
      const missing = Object.entries({ "proc/meminfo": fields, "proc/zoneinfo": zones, "proc/vmstat": counted })
        .flatMap(([path, file]) => file === undefined ? [{ path, howToCapture: `cat /${path}` }] : []);
      return { notAssessed: missing, usualBytes: arcBytes };
    }
    if (pageSizeBytes === undefined) {
      return { notAssessed: [{ path: "the page size", howToCapture: "getconf PAGESIZE" }], usualBytes: arcBytes };
    }
    const [file, counters] = [fields, counted];
    const total = ledger.totalBytes;
    const noise = residualNoiseBytes(total);
    const all = accountBytes(ledger, "unaccounted") ?? 0;
    const left = unclaimed.get("unaccounted") ?? 0;
    /** By causes that are known. */
    const held = all - left;
    const caches = [...privateCaches(pageSizeBytes), ...streams()];
    const usualBytes = Math.min(left, sum(caches));
    const uncached = left - usualBytes;
    // What is larger than all there is must be somewhere else.
    const known = byHolder(buffers.filter(({ bytes }) => bytes <= uncached + noise), MIN_NAMED_SHARE * uncached);
    const knownTenants = known.map(namedByBuffer);
    const isKnown = known.length > 0 && sum(knownTenants) >= MOST_OF * uncached;
    const bytes = isKnown ? uncached : Math.max(0, uncached - sum(knownTenants));
    const trend = growth();
    const grown = trend?.changeBytes ?? 0;
    const amount = `${formatBytes(bytes)} (${formatShare(bytes, total)} of memory)`;
    if (bytes < noise && grown < noise) return { ruledOut: ruledOut(), usualBytes };
    const unseen = unseenSockets();
    const named = isKnown ? knownTenants : unseen.length > 0 ? unseen : recorded(pageSizeBytes);
    // Up to Linux 5.2 only the areas tell what vmalloc has: some tens to hundreds of MiB of hash tables and drivers.
    const isVmallocIn = accountBytes(ledger, "vmalloc") === undefined;
    if (isVmallocIn && named.length === 0 && bytes < MAJOR_SHARE * total && grown < noise) {
      return { notAssessed: [VMALLOC_AREAS] };
    }
    return { findings: [finding()], usualBytes };

    function ruledOut(): string {
      const others = held > 0 ? `, ${formatBytes(held)} of it held by causes that are known` : "";
      const cached = caches.map(({ bytes: size, because }) => `, up to ${formatBytes(size)} of it by ${because}`);
      const buffered = knownTenants.map(({ bytes: size, name }) => `, ${formatBytes(size)} of it by ${name}`);
      return `${formatBytes(all)} are in no account of the kernel${others}${[...cached, ...buffered].join("")}; up to ${
        formatBytes(noise)
      } are normal on this host`;
    }

    /** Only where nobody else holds the larger part: otherwise it is they who grow. */
    function growth(): Trend | undefined {
      if (uncached < MOST_OF * all) return undefined;
      const series = (ledgers ?? []).flatMap(({ time, value }) => {
        const residual = accountBytes(value, "unaccounted");
        return residual === undefined ? [] : [{ time, bytes: residual }];
      });
      const line = recentTrend(series);
      return line !== undefined && line.low > 0 && line.changeBytes >= MIN_GROWTH_BYTES ? line : undefined;
    }

    function privateCaches(pageSize: number): PrivateCache[] {
      const found: PrivateCache[] = [];
      const size = arc?.value.get("size");
      if (arc !== undefined && size !== undefined) {
        found.push({
          path: arc.path,
          line: size.line,
          bytes: size.value,
          because: "the ARC of ZFS, which is given back under pressure",
        });
      }
      const xfs = slabs?.value.find(({ name }) => name === "xfs_buf");
      if (slabs !== undefined && xfs !== undefined && xfs.activeObjects > 0) {
        found.push({
          path: slabs.path,
          line: xfs.line,
          // Most buffers are of one block of 4 KiB; larger ones have several pages (fs/xfs/xfs_buf.c).
          bytes: xfs.activeObjects * pageSize,
          because: `${formatQuantity(xfs.activeObjects, "buffer")} of XFS, which are given back under pressure`,
        });
      }
      if (bufio !== undefined && bufio.value.bytes > 0) {
        found.push({
          path: bufio.path,
          ...bufio.value,
          because: "blocks that the device mapper caches, which are given back under pressure",
        });
      }
      for (const { path, line, bytes: size, interface: card, rings, descriptors } of cards) {
        found.push({
          path,
          line,
          bytes: size,
          because: `the receive rings of ${card}: ${formatQuantity(rings, "ring")} of ${
            formatCount(descriptors)
          } packets, each with a page`,
        });
      }
      return found;
    }

    /**
     * What streams are charged for, on a busy server as much as its clients are slow: what was read meanwhile for sure, and the rest as far as it can be none that
     * causes hold.
     */
    function streams(): PrivateCache[] {
      const backlogs: readonly (Backlog | undefined)[] = [queues?.received, queues?.sent, unix];
      const shown = backlogs.flatMap((backlog) => backlog?.queues ?? [])
        .sort((a, b) => b.chargedBytes - a.chargedBytes);
      const charged = Math.max(chargeOf(shown.filter(({ wasRead }) => wasRead)), chargeOf(shown) - held);
      const bytes = Math.min(left, charged);
      const [fullest] = shown;
      if (fullest === undefined || bytes <= MIN_NAMED_SHARE * left) return [];
      const { path, line } = fullest;
      return [{ path, line, bytes, because: "queues of TCP and unix sockets" }];
    }

    /** The kernel counts the queues of all network namespaces. Those that the bundle shows, read or not, are not meant. */
    function unseenSockets(): Named[] {
      const counted = protocolMemory(sockstats, "TCP");
      if (counted === undefined || queues === undefined) return [];
      const size = countedBeyond(counted, [queues.received, queues.sent]);
      if (size < MOST_OF * bytes || size > bytes + noise) return [];
      return [{
        path: counted.path,
        line: counted.line,
        bytes: Math.min(size, bytes),
        count: 1,
        name: "TCP sockets that this bundle does not show",
        buffers: "their queues",
        detail: `all TCP sockets are charged ${
          formatBytes(counted.bytes)
        }, those of other network namespaces, too, and those in this bundle ${
          formatBytes(counted.bytes - size)
        }; to find whose: ${findSockets("tcp")}`,
      }];
    }

    function recorded(pageSize: number): Named[] {
      const byOwner = namedByPageOwner(stacks);
      return (byOwner.length > 0 ? byOwner : namedByAllocinfo(sites, pageSize))
        .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
        .slice(0, MAX_NAMED)
        .filter((tenant) => tenant.bytes >= MIN_NAMED_SHARE * bytes);
    }

    function finding(): FindingDraft {
      const [first] = named;
      const isNamed = first !== undefined && (isKnown || first.bytes >= MOST_OF * bytes);
      const claimed = isNamed ? Math.min(bytes, sum(named)) : bytes;
      const last = ledgers?.at(-1);
      const available = last?.value.availableBytes;
      const rate = trend === undefined ? "" : `, and it grows by ${formatRate(trend.bytesPerSecond)}`;
      return {
        title: isNamed
          ? `${titleOf(first, claimed)} that are in no account of /proc/meminfo${rate}`
          : `No account of the kernel and no known tenant has ${amount}${rate}: allocation profiling or page_owner would name the caller`,
        // Whether anybody reads what is in those queues is not known.
        confidence: isNamed && (isKnown || unseen.length === 0) ? "likely" : "possible",
        material: isNamed || bytes >= Math.max(noise, MAJOR_SHARE * total) || grown >= noise,
        claims: [{ account: "unaccounted", bytes: { low: claimed, high: claimed } }],
        ...(trend === undefined ? {} : { growthBytesPerSecond: { low: trend.low, high: trend.high } }),
        exhaustion: trend === undefined || last === undefined || available === undefined
          ? null
          : exhaustion(trend, available, last.time),
        owners: isNamed ? named.map(ownerOf) : [{
          pid: null,
          comm: "unknown",
          bytes: Math.round(bytes),
          count: 1,
          detail: isAtLeast(facts.kernelRelease, 6, 10)
            ? "to find the owner: sysctl vm.mem_profiling=1, later sort -rn /proc/allocinfo | head; or boot with page_owner=on"
            : "to find the owner: boot with page_owner=on, later read /sys/kernel/debug/page_owner",
        }],
        evidence: evidence(),
        remedies: isKnown
          ? known.flatMap((group) => bufferRemedies(group, running))
          : unseen.length > 0
          ? [lookAtSockets("tcp", remedyMark("unattributed-kernel", "look at the sockets of all namespaces"))]
          : remedies(facts),
      };
    }

    function titleOf(
      { name, pid, who = `${name}${pid === undefined ? "" : ` (pid ${pid})`}`, isPlural, bytes: size, buffers }: Named,
      claimed: number,
    ): string {
      if (isKnown && named.length > 1) {
        return `${who} and ${formatQuantity(named.length - 1, "other")} hold ${
          formatBytes(claimed)
        } of kernel pages in buffers`;
      }
      return `${who} ${isPlural === true || unseen.length > 0 && !isKnown ? "hold" : "holds"} ${
        formatBytes(size)
      } of kernel pages${buffers === undefined ? "" : ` in ${buffers}`}`;
    }

    function ownerOf({ pid, name, bytes: size, count, detail }: Named): Owner {
      return { pid: pid ?? null, comm: name, bytes: size, count, detail };
    }

    function evidence(): EvidenceLine[] {
      const lines: EvidenceLine[] = [];
      const memTotal = file.value.bytes.get("MemTotal");
      if (memTotal !== undefined) {
        const ofOthers = held > 0 ? `, ${formatBytes(held)} of which causes that are known hold` : "";
        lines.push({
          path: file.path,
          line: memTotal.line,
          because: `of this, ${formatBytes(all)} are in no account of the kernel${ofOthers}`,
        });
      }
      for (const { path, line, bytes: size, detail } of named) {
        lines.push({ path, line, because: `${formatBytes(size)}: ${detail}` });
      }
      for (const { path, line, bytes: size, because } of caches) {
        lines.push({ path, line, because: `up to ${formatBytes(size)} are left out: ${because}` });
      }
      for (const { path, line, bytes: size, name, detail } of isKnown ? [] : knownTenants) {
        lines.push({ path, line, because: `${formatBytes(size)} are left out, which ${name} has: ${detail}` });
      }
      return [...lines, ...blocks(census), ...excluded()];
    }

    /** What it is not, each with its figure. */
    function excluded(): EvidenceLine[] {
      const lines: EvidenceLine[] = [];
      const sockets = sockstats?.find(({ value }) => value.get("TCP")?.memBytes !== undefined);
      for (const protocol of ["TCP", "UDP"]) {
        const entry = sockets?.value.get(protocol);
        if (sockets === undefined || entry?.memBytes === undefined || entry.memBytes >= MOST_OF * bytes) continue;
        lines.push({
          path: sockets.path,
          line: entry.line,
          because: `no socket buffers: all ${protocol} sockets are charged ${formatBytes(entry.memBytes)}`,
        });
      }
      for (const { path, value } of packets ?? []) {
        if (value.length === 0) lines.push({ path, line: 1, because: "no packet ring: there is no packet socket" });
      }
      const zspages = counters.value.get("nr_zspages");
      if (zspages !== undefined) {
        lines.push({
          path: counters.path,
          line: zspages.line,
          because: `no zram or zswap: their ${
            formatBytes(zspages.value * (pageSizeBytes as number))
          } are an account of their own`,
        });
      }
      const inflate = counters.value.get("balloon_inflate");
      const deflate = counters.value.get("balloon_deflate");
      for (const { path, line, name, find } of balloons ?? []) {
        lines.push({
          path,
          line,
          because: `perhaps the hypervisor's: ${name} is loaded, and nothing counts what it has (${find})`,
        });
      }
      if (balloons?.length === 0 && inflate !== undefined && deflate !== undefined && inflate.value === deflate.value) {
        lines.push({
          path: counters.path,
          line: inflate.line,
          because: `no balloon: ${formatCount(inflate.value)} pages taken and as many given back`,
        });
      }
      return lines;
    }
  },
});

function chargeOf(queues: readonly SocketQueue[]): number {
  return queues.reduce((bytes, { chargedBytes }) => bytes + chargedBytes, 0);
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
