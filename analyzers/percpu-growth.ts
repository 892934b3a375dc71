import { type Analyzer, defineAnalyzer, type FindingDraft, type Unclaimed } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Claim, Remedy } from "../src/core/report.ts";
import { type HostFacts, type MaybeValues, type Missing, overTime, type Values } from "../src/core/source.ts";
import { sumBytes } from "../src/core/sums.ts";
import { isWhole, WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { controlGroups } from "../src/computed/control_groups.ts";
import { MEMCG_BYTES_A_CPU } from "../src/computed/dying_memcgs.ts";
import { forecast } from "../src/computed/forecast.ts";
import { accountSeries, growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { percpuIndexBytes } from "../src/computed/percpu_index.ts";
import type { Trend } from "../src/computed/trend.ts";
import { vmallocCallers } from "../src/computed/vmalloc_callers.ts";
import { bpfMaps } from "../src/parsers/bpf_maps.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** What a CPU takes on a host with hundreds of containers: network statistics, cgroups and filters come to some MiB of each CPU's area. */
const USUAL_BYTES_A_CPU: number = 16 * 2 ** 20;
/** Chunks are made and given back in steps of their size, up to some MiB: less than this is no growth. */
const MIN_GROWTH_BYTES: number = 8 * 2 ** 20;

const remedies: readonly Remedy[] = [
  {
    when: "now",
    text:
      `Find out who allocates. With memory allocation profiling (Linux 6.10) the kernel tells by line of source; else trace the allocator for a minute. ${
        remedyMark("percpu-growth", "find who allocates")
      }`,
    commands: [
      "sysctl -w vm.mem_profiling=1; grep -E 'percpu|pcpu' /proc/allocinfo | sort -rn | head",
      "bpftrace -e 'tracepoint:percpu:percpu_alloc_percpu { @[kstack(6)] = sum(args->bytes_alloc); }'",
    ],
    verify: "Percpu of /proc/meminfo falls when the holder is gone",
  },
  {
    when: "fix",
    text:
      `The usual holders are memory cgroups (removed ones too), per-CPU BPF maps, network namespaces and interfaces, and counters of firewall rules: look at their numbers. ${
        remedyMark("percpu-growth", "look at the usual holders")
      }`,
    commands: [
      "cat /sys/fs/cgroup/cgroup.stat",
      "bpftool map list",
      "lsns -t net | wc -l; ls /sys/class/net | wc -l",
      "nft list ruleset | grep -c counter",
    ],
    verify: "one of these numbers rises together with Percpu",
  },
];

/** Percpu is the next line of meminfo, or there is none. */
const LINE_BEFORE = "VmallocChunk";
const COUNTED: Missing = {
  path: "Percpu of proc/meminfo, which kernels before Linux 4.20 do not have",
  howToCapture: "grep -c pcpu_get_vm_areas /proc/vmallocinfo",
};

/** Tells how many CPUs there are. */
const CPUS: Missing = { path: "proc/zoneinfo", howToCapture: "cat /proc/zoneinfo" };

const needs = { ledger, meminfo };
const uses = { ledgers: overTime(ledger), bpfMaps, controlGroups, vmallocCallers };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

/** Per-CPU maps have a cause of their own, and so have removed groups. */
function bytesOfNobody(allBytes: number, { bpfMaps: maps }: Seen, unclaimed: Unclaimed): number {
  const mapBytes = sumBytes((maps?.value ?? []).filter(({ type }) => type.includes("percpu")));
  return Math.max(0, Math.min(allBytes - mapBytes, unclaimed.get("percpu") ?? allBytes));
}

function usualBytesOfCpu({ controlGroups: groups }: Seen): number {
  return USUAL_BYTES_A_CPU + (groups?.count ?? 0) * MEMCG_BYTES_A_CPU;
}

/** An area a CPU: without their number only growth can be judged. */
function usualBytes(seen: Seen): number {
  const { cpus = Infinity } = seen.facts;
  return cpus * usualBytesOfCpu(seen);
}

/** "1.00 GiB (5.0 %), 16.0 MiB on each of 64 CPUs" */
function amount(bytes: number, { ledger, facts: { cpus } }: Seen): string {
  const ofEach = cpus === undefined ? "" : `, ${formatBytes(bytes / cpus)} on each of ${formatQuantity(cpus, "CPU")}`;
  return `${formatBytes(bytes)} (${formatShare(bytes, ledger.totalBytes)})${ofEach}`;
}

function indexBytes(bytes: number, { facts: { cpus }, vmallocCallers: callers }: Seen): number {
  return percpuIndexBytes(bytes, cpus, callers);
}

function claimsOf(bytes: number, seen: Seen): Claim[] {
  const unusual = Math.max(0, bytes - usualBytes(seen));
  const claims: readonly Claim[] = [
    { account: "percpu", bytes: { low: unusual, high: bytes } },
    { account: "vmalloc", bytes: { low: indexBytes(unusual, seen), high: indexBytes(bytes, seen) } },
  ];
  return claims.filter(({ bytes: { high } }) => high > 0);
}

function finding(bytes: number, line: number, growing: Trend | undefined, seen: Seen): FindingDraft {
  const counted = amount(bytes, seen);
  const index = indexBytes(bytes, seen);
  const together = index === 0 ? "" : `, and ${formatBytes(index)} more for the index of it`;
  const rate = growing === undefined ? "" : `, and grows by ${formatRate(growing.bytesPerSecond)}`;
  return {
    title: `Per-CPU memory holds ${counted}${together}${rate}; its holder is not known`,
    confidence: growing === undefined ? "possible" : "likely",
    material: true,
    claims: claimsOf(bytes, seen),
    ...forecast(growing, seen.ledgers),
    owners: [{
      pid: null,
      comm: "per-CPU allocator",
      bytes: bytes + index,
      count: 1,
      detail: "to see who allocates: sysctl -w vm.mem_profiling=1; sort -rn /proc/allocinfo | head",
    }],
    evidence: [{
      path: seen.meminfo.path,
      line,
      because: growing === undefined
        ? `${counted}: ${formatBytes(usualBytesOfCpu(seen))} a CPU is much already`
        : `${counted}, and it grew by ${formatBytes(growing.changeBytes)} in ${Math.round(growing.spanSeconds)} s`,
    }],
    remedies,
  };
}

export const percpuGrowth: Analyzer = defineAnalyzer({
  id: "percpu-growth",
  title: "Per-CPU memory",
  mechanism:
    "Counters that every CPU has a copy of: of cgroups, network namespaces and interfaces, firewall rules, BPF maps. Each is small and is multiplied by the number of " +
    "possible CPUs, so that what is harmless on a laptop is gigabytes on a host of 256 CPUs. Of one CPU's share memory cgroups have an index in vmalloc, twice as large: on a host " +
    "of one CPU most of it. Percpu of /proc/meminfo is all that the kernel tells of it.",
  lookAlikes: "bpf-maps and dying-memcg, which name the holder. Many CPUs: per-CPU memory of some MiB each is normal.",
  references: ["mm/percpu.c", "https://docs.kernel.org/filesystems/proc.html"],
  needs,
  uses,
  last: true,
  analyze(values, facts, unclaimed) {
    const seen = { ...values, facts };
    const { ledger, meminfo: { value } } = seen;
    const allBytes = accountBytes(ledger, "percpu");
    const line = value.bytes.get("Percpu")?.line;
    if (!isWhole(ledger)) return { notAssessed: [WHOLE_MEMINFO] };
    if (allBytes === undefined || line === undefined) {
      return { notAssessed: [value.bytes.has(LINE_BEFORE) ? COUNTED : WHOLE_MEMINFO] };
    }
    const bytes = bytesOfNobody(allBytes, seen, unclaimed);
    const growing = growth(accountSeries(seen.ledgers, "percpu"), MIN_GROWTH_BYTES);
    const isMuch = bytes >= materialQueueBytes(ledger.totalBytes);
    if (isMuch && growing === undefined && facts.cpus === undefined) return { notAssessed: [CPUS] };
    if (!isMuch || (growing === undefined && bytes <= usualBytes(seen))) {
      return { ruledOut: `per-CPU memory${bytes < allBytes ? " that no cause has" : ""} is ${amount(bytes, seen)}` };
    }
    return { findings: [finding(bytes, line, growing, seen)] };
  },
});
