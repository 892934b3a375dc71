import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Outcome,
} from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { accountBytes, type Ledger } from "../src/core/ledger.ts";
import type { Confidence, Owner, Remedy } from "../src/core/report.ts";
import { type HostFacts, type MaybeValues, overTime, type Values } from "../src/core/source.ts";
import { WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { controlGroups } from "../src/computed/control_groups.ts";
import { descriptors } from "../src/computed/descriptors.ts";
import { importedHistory, type LongGrowth, longGrowth, longGrowthEvidence } from "../src/computed/imported_history.ts";
import { forecast } from "../src/computed/forecast.ts";
import { ledger } from "../src/computed/ledger.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { processes } from "../src/computed/processes.ts";
import { isPacketCache } from "../src/computed/skb_memory.ts";
import { receiveCharges } from "../src/computed/receive_charges.ts";
import { udpBacklog } from "../src/computed/udp_backlog.ts";
import { unixBacklog } from "../src/computed/unix_backlog.ts";
import { processStatuses, seesAllDescriptors } from "../src/computed/process_statuses.ts";
import { queuedSignals } from "../src/computed/queued_signals.ts";
import { LEAST_MATERIAL_SLAB_BYTES, materialSlabBytes } from "../src/computed/material.ts";
import { cacheName, namesOf, type SlabCaches, slabCaches, WHOLE_SLABINFO } from "../src/computed/slab_caches.ts";
import { socketCaches } from "../src/computed/socket_caches.ts";
import { knownObjects } from "../src/computed/slab_objects.ts";
import { type SlabSpread, slabSpreads } from "../src/computed/slab_spread.ts";
import {
  cacheTrends,
  candidates,
  explainedBy,
  grows,
  LARGE_KMALLOC,
  SHARE_OF_LARGEST,
  type SlabSuspects,
  slabSuspects,
  type Suspect,
  usedBytesOf,
} from "../src/computed/slab_suspects.ts";
import {
  isSameCount,
  MOSTLY,
  SAME_COUNT,
  type Tenant,
  tenantOf,
  type TenantWitnesses,
} from "../src/computed/slab_tenants.ts";
import { type SlabTraces, tracedAllocations } from "../src/computed/slab_traces.ts";
import { allocinfo } from "../src/parsers/allocinfo.ts";
import { dfInodes } from "../src/parsers/df.ts";
import { eventQueues } from "../src/parsers/event_queues.ts";
import { kmemleak } from "../src/parsers/kmemleak.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { mounts } from "../src/parsers/mounts.ts";
import { netDev } from "../src/parsers/net_dev.ts";
import { neighbourStat } from "../src/parsers/neighbour_stat.ts";
import { slabAllocTraces } from "../src/parsers/slab_alloc_traces.ts";
import { slabinfo } from "../src/parsers/slabinfo.ts";
import { keyUsers } from "../src/parsers/key_users.ts";
import { sysvipcMsg } from "../src/parsers/sysvipc_msg.ts";
import { sysvipcSem } from "../src/parsers/sysvipc_sem.ts";
import { udp } from "../src/parsers/udp.ts";
import { lookAtSockets } from "../src/computed/unseen_sockets.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/**
 * A healthy kernel's unreclaimable slab is spread over some two hundred caches: none of them has half of it, nor has it together with one or two whose
 * objects come and go with its own (a route has one in ip_fib_alias and one in ip_fib_trie).
 */
const DOMINATES_SLAB = 0.5;
/** From this share of memory on unreclaimable slab is the problem, however it is spread (Oracle's memstate calls 10 % major). */
const DOMINATES_HOST = 0.1;
/** Where known tenants account for the larger part, the rest is what their figures are off by. */
const MIN_UNEXPLAINED = 0.5;
/** Watched for this long, growth is no burst, and a cache that does not grow is not leaking now. */
const LONG_WATCH_SECONDS = 600;
const CACHES_LISTED = 3;

const ALLOCATION_SITES = "sysctl vm.mem_profiling=1 && sort -rn /proc/allocinfo | head -30";

/** What a kernel has of unreclaimable objects without any leak (see materialSlabBytes). */
const USUAL_SLAB_BYTES = 100 * 2 ** 20;

const needs = { slabCaches, socketCaches };
const uses = {
  ledger,
  meminfo,
  ledgers: overTime(ledger),
  history: overTime(slabinfo),
  recorded: importedHistory,
  traces: slabAllocTraces,
  lost: kmemleak,
  sites: allocinfo,
  neighbours: neighbourStat,
  signals: queuedSignals,
  statuses: processStatuses,
  queues: sysvipcMsg,
  semaphores: sysvipcSem,
  keys: keyUsers,
  events: eventQueues,
  inodes: dfInodes,
  mounts,
  descriptors,
  groups: controlGroups,
  devices: netDev,
  processes,
  udp,
  receiveCharges,
  udpBacklog,
  unixBacklog,
  seesAllDescriptors,
};

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

/** What a cache's objects are, and the command on the host that tells whose they are. */
function whose(suspect: Suspect): string {
  const known = knownObjects(suspect);
  if (known.length === 0) {
    // No cache has them: SLUB's own records do not, either.
    if (suspect.name === LARGE_KMALLOC) return `to find who allocates them: ${ALLOCATION_SITES}`;
    return "to find who allocates them: boot with slub_debug=U and read /sys/kernel/debug/slab/*/alloc_traces";
  }
  // Of caches that the kernel merged, and of kmalloc's, the objects may be somebody else's.
  const areKnown = suspect.aliases.length === 0 && !suspect.isPackets;
  return known.map(({ objects, find }) => `${areKnown ? "" : `if they are ${objects}, `}whose: ${find}`).join("; ");
}

function countOf({ activeObjects, objectBytes }: Suspect): string {
  return activeObjects === 0 ? "" : `${formatCount(activeObjects)} objects of ${formatCount(objectBytes)} B`;
}

function cacheOwner(cache: Suspect): Owner {
  const also = cache.aliases.length === 0 ? "" : `also: ${cache.aliases.join(", ")}`;
  return {
    pid: null,
    comm: cache.name,
    bytes: Math.round(cache.usedBytes),
    count: cache.activeObjects,
    detail: [countOf(cache), also, whose(cache)].filter((part) => part !== "").join("; "),
  };
}

function processOwners({ usedBytes, activeObjects }: Suspect, tenant: Tenant | undefined): Owner[] {
  return (tenant?.groups ?? []).map((group) => ({
    pid: group.pids[0] ?? null,
    comm: group.comm,
    bytes: Math.round(usedBytes * Math.min(1, group.count / activeObjects)),
    count: group.count,
    detail: `${formatCount(group.count)} ${tenant?.what} in ${
      formatQuantity(group.pids.length, "process", "processes")
    }${tenant?.see === undefined ? "" : `; to see them: ${tenant.see(group.pids[0])}`}`,
  }));
}

function holder(
  suspect: Suspect,
  tenant: Tenant | undefined,
  group: Tenant["groups"][number] | undefined,
): string {
  const { isPackets, aliases } = suspect;
  if (isPackets) return "Network packets in no socket that is known";
  if (tenant === undefined) {
    // Of caches that the kernel merged, the name may be another one's.
    const [known] = aliases.length === 0 ? knownObjects(suspect) : [];
    return `Unreclaimable kernel objects${known === undefined ? "" : ` (${known.objects})`}`;
  }
  const what = `${tenant.what[0]?.toUpperCase()}${tenant.what.slice(1)}`;
  return group === undefined ? what : `${what} of ${nameOfGroup(group)}`;
}

function restart(commands: readonly string[]): Remedy {
  return {
    when: "now",
    text:
      "Restart the program whose objects these are (see the owners) in an orderly way: most kernel objects go with the process or the " +
      `network namespace that has them. Dropping caches does not help: this slab is not reclaimable. ${
        remedyMark("slab-leak", "end the owner")
      }`,
    commands,
    verify: "SUnreclaim of /proc/meminfo falls by what the caches held",
  };
}

/** What outlives the program that has it. */
function removal({ kind, command }: NonNullable<Tenant["stays"]>): Remedy {
  if (kind === "files") {
    return {
      when: "now",
      text:
        "Delete the files that nobody needs, empty ones, too: they stay when all programs have ended, and dropping caches does not give them back. " +
        remedyMark("slab-leak", "delete files on tmpfs"),
      commands: [command],
      verify: "SUnreclaim of /proc/meminfo falls, and so does IUsed of df -i",
    };
  }
  if (kind === "groups") {
    return {
      when: "now",
      text:
        "Remove the groups that have no process any more (rmdir, the innermost first): they stay when all programs have ended. Then find what makes them " +
        `and does not remove them: a container runtime, a session or scope manager. ${
          remedyMark("slab-leak", "remove control groups")
        }`,
      commands: [command, "systemd-cgls | tail -n 50"],
      verify: "num_cgroups of /proc/cgroups falls, and SUnreclaim of /proc/meminfo with it",
    };
  }
  if (kind === "devices") {
    return {
      when: "now",
      text:
        "Delete the devices that nobody uses (ip link del): they stay when all programs have ended. Then find what makes them and does not remove them: a " +
        `container runtime, a plug-in of its network, a VPN or hypervisor. ${
          remedyMark("slab-leak", "delete network devices")
        }`,
      commands: [command],
      verify: "SUnreclaim of /proc/meminfo falls, and fewer lines are in /proc/net/dev",
    };
  }
  if (kind === "semaphores" || kind === "keys") {
    return {
      when: "now",
      text: `${
        kind === "keys"
          ? "See what the keys are, and unlink those that nobody needs from their keyring (keyctl unlink KEY RING; keyctl clear RING): a session's keyring goes with its last process, a user's own stays."
          : "See whose the sets are, and remove those that no program needs (ipcrm -s ID): they stay when all programs have ended, and the kernel does not tell which process made them."
      } ${remedyMark("slab-leak", "look at what stays")}`,
      commands: [command],
      verify: "SUnreclaim of /proc/meminfo falls, and their number with it",
    };
  }
  return {
    when: "now",
    text:
      `Let the program that should receive the messages do so. What nobody wants any more must be removed queue by queue: the queues stay when all programs have ended. ${
        remedyMark("slab-leak", "remove the message queues")
      }`,
    commands: ["ipcs -q", "ipcs -q -p", command],
    verify: "SUnreclaim of /proc/meminfo falls, ipcs -q no longer lists it",
  };
}

function remedies(
  [first]: readonly [Suspect, ...Suspect[]],
  stop: readonly string[],
  stays: Tenant["stays"],
): Remedy[] {
  const known = knownObjects(first);
  return [
    stays === undefined
      ? restart(stop.length > 0 ? stop : [...known.map(({ find }) => find), "slabtop -o -s c | head -20"])
      : removal(stays),
    {
      when: "fix",
      text:
        "If no process has them, the kernel or a module leaks: record who allocates. slub_debug=U on the kernel's command line keeps the callers of one " +
        `cache; from Linux 6.10 on, allocation profiling keeps them for all at little cost. ${
          remedyMark("slab-leak", "record who allocates")
        }`,
      commands: [
        first.name === LARGE_KMALLOC
          ? ALLOCATION_SITES
          : `grubby --update-kernel=ALL --args=slub_debug=U,${first.name.replace(/[^\w-]/g, "")}`,
        "nailhouse collect",
      ],
      verify: "the next report names the function that allocates",
    },
    {
      when: "prevent",
      text: `Alert on SUnreclaim: on a steady host it is level. ${remedyMark("slab-leak", "alert")}`,
      commands: ["nailhouse record --dir /var/lib/nailhouse/ring --every 60"],
      verify: "its slope over a day is about nothing",
    },
  ];
}

/**
 * Where nothing tells how much slab there is, as of slabtop's screen alone.
 *
 * @param totalBytes The size of the host, which `free` tells, too; undefined where it is not known.
 */
function bySizeAlone(caches: SlabCaches, inUse: ReadonlySet<string>, totalBytes: number | undefined): Outcome {
  const material = totalBytes === undefined ? LEAST_MATERIAL_SLAB_BYTES : materialSlabBytes(totalBytes);
  const large = candidates(caches, new Map(), inUse, explainedBy(caches))
    .filter(({ usedBytes }) => usedBytes >= material)
    .sort((a, b) => b.usedBytes - a.usedBytes)
    .slice(0, CACHES_LISTED)
    .map((cache): Suspect => ({ ...cache, trend: undefined, isPackets: isPacketCache(cache) }));
  const [first, ...others] = large;
  if (first === undefined) return { notAssessed: [WHOLE_MEMINFO] };
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  const dominates = totalBytes !== undefined && usedBytesOf(large) >= DOMINATES_HOST * totalBytes;
  // Packets may be in sockets, which may be read.
  const isSure = dominates && !first.isPackets;
  return {
    findings: [{
      title: `the slab cache ${cacheName(first)}${more} ${others.length === 0 ? "has" : "have"} ${
        formatBytes(usedBytesOf(large))
      }${
        totalBytes === undefined ? "" : ` (${formatShare(usedBytesOf(large), totalBytes)} of memory)`
      } in use that cannot be reclaimed${totalBytes === undefined ? "; the size of the host is not told" : ""}`,
      confidence: isSure ? "likely" : "possible",
      material: isSure,
      claims: [{
        account: "slab-unreclaimable",
        bytes: { low: Math.round(usedBytesOf(large)), high: Math.round(usedBytesOf(large)) },
      }],
      owners: large.map(cacheOwner),
      evidence: large.map((cache) => ({
        path: cache.path,
        line: cache.line,
        because: `${cacheName(cache)}: ${formatBytes(cache.usedBytes)} in use, of ${formatBytes(cache.bytes)}`,
      })),
      remedies: remedies([first, ...others], [], undefined),
    }],
  };
}

/** All unreclaimable slab, and what of it may be a leak. */
interface Slab extends SlabSuspects {
  readonly seen: Seen;
  readonly ledger: Ledger;
  /** In all. */
  readonly bytes: number;
  readonly materialBytes: number;
  /** What tells what objects of its caches are, and who allocates them. */
  readonly witnesses: TenantWitnesses & SlabTraces;
  /** How long its caches were watched. */
  readonly spanSeconds: number;
}

/** @param notClaimed What of it other causes have not claimed. */
function slabOf(seen: Seen, ledger: Ledger, bytes: number, notClaimed: number): Slab {
  const trends = cacheTrends(seen.history ?? []);
  const suspects = slabSuspects(
    {
      caches: seen.slabCaches,
      inUse: seen.socketCaches,
      trends,
      ledger,
      meminfo: seen.meminfo,
      charges: seen.receiveCharges,
      udp: seen.udpBacklog,
      unix: seen.unixBacklog,
      pageSizeBytes: seen.facts.pageSizeBytes,
    },
    bytes,
    notClaimed,
  );
  return {
    ...suspects,
    seen,
    ledger,
    bytes,
    materialBytes: materialSlabBytes(ledger.totalBytes),
    witnesses: { ...seen, pageSizeBytes: seen.facts.pageSizeBytes },
    spanSeconds: [...trends.values()].reduce((most, trend) => Math.max(most, trend.spanSeconds), 0),
  };
}

/** Sockets that are too many are another cause's. What comes along with objects of the others, in caches of kmalloc, is theirs, too. */
function inSocketsBytes({ bytes, left, ofSockets }: Slab): number {
  return Math.max(0, ofSockets - (bytes - left));
}

/** How much there is, and what of it is known, for the reader. */
function levelOf({ bytes, ledger, left, ofSockets, ofOthers, ofDebugging }: Slab): string {
  const parts = [
    ...(ofSockets === 0 ? [] : [`, of which ${formatBytes(ofSockets)} are sockets in use`]),
    ...(ofOthers === 0 ? [] : [
      `, of which ${
        formatBytes(ofOthers)
      } are in caches of ZFS, XFS, long file names, KSM or zram, which explain themselves`,
    ]),
    ...(ofDebugging < 1
      ? []
      : [`, and without ${formatBytes(ofDebugging)} that slub_debug adds to packets in sockets`]),
  ];
  return `SUnreclaim is ${formatBytes(bytes)} (${formatShare(bytes, ledger.totalBytes)} of memory), ${
    formatBytes(left)
  } of it not held by a cause that is known${parts.join("")}`;
}

/** What has not been found to be somebody's yet. */
interface Rest {
  readonly caches: readonly Suspect[];
  readonly left: number;
}

/** Whether something else counts its objects, and no other cause's. */
function isCounted(cache: Suspect, { materialBytes, witnesses }: Slab): boolean {
  if (cache.isPackets || cache.usedBytes < materialBytes) return false;
  const tenant = tenantOf(cache, witnesses);
  return tenant !== undefined && tenant.mayBeClaimed === undefined;
}

/** Caches of which something else tells what their objects are: somebody's, whatever else there is. */
function countedFindings(slab: Slab): { readonly findings: readonly FindingDraft[]; readonly rest: Rest } {
  const findings: FindingDraft[] = [];
  let rest: Rest = { caches: slab.suspects, left: slab.left };
  const counted = new Set(slab.suspects.filter((cache) => isCounted(cache, slab)));
  for (const cache of counted) {
    // None of what is counted is larger than a page.
    const along = cameAlong(cache, rest.caches.filter((other) => !counted.has(other) && other.name !== LARGE_KMALLOC));
    // These objects are no other cause's, but those beside them may be.
    const beside = Math.max(0, usedBytesOf(along) - slab.heldElsewhere);
    const bytes = Math.round(Math.min(rest.left, cache.usedBytes + beside));
    if (bytes < slab.materialBytes) continue;
    const caches = [cache, ...along] as const;
    findings.push(finding(caches, bytes, cache.usedBytes >= DOMINATES_SLAB * rest.left, slab));
    rest = { caches: rest.caches.filter((other) => !caches.includes(other)), left: rest.left - bytes };
  }
  return { findings, rest };
}

/** Of what does not stand out. */
const UNCERTAIN = { confidence: "possible", material: false } as const;

/** The rest has to stand out. */
function uncounted(rest: Rest, slab: Slab): Outcome {
  const { caches, left } = rest;
  const spread = spreadOf(left, slab);
  if (spread !== undefined) {
    return { findings: [spreadFinding(spread, [{ ...spread.cache, trend: undefined, isPackets: false }], slab)] };
  }
  const grown = grownSuspects(caches, slab);
  const [first, ...others] = grown ?? largeSuspects(caches);
  // What known tenants hold is taken to be in the caches that stand out: a descriptor leak makes just those grow.
  const bytes = first === undefined
    ? 0
    : Math.round(Math.min(left, Math.max(0, usedBytesOf([first, ...others]) - slab.heldElsewhere)));
  const level = levelOf(slab);
  if (first === undefined || bytes < slab.materialBytes) return manyCaches(rest, slab) ?? none(level, rest, slab);
  const suspects = [first, ...others] as const;
  if (left < MIN_UNEXPLAINED * usedBytesOf(suspects)) {
    return { ruledOut: `${level}: less than half of what ${cacheName(first)} has` };
  }
  const dominates = usedBytesOf(bornWith(first, suspects)) >= DOMINATES_SLAB * (left - inSocketsBytes(slab)) ||
    bytes >= DOMINATES_HOST * slab.ledger.totalBytes;
  if (dominates || grown !== undefined) return { findings: [finding(suspects, bytes, dominates, slab)] };
  // Beside another tenant neither stands out: one that grows is to be watched.
  if (grows(first)) return { findings: [{ ...finding(suspects, bytes, false, slab), ...UNCERTAIN }] };
  const largest = `${level}; the largest cache, ${cacheName(first)}, has ${
    formatBytes(first.usedBytes)
  } and does not stand out`;
  return manyCaches(rest, slab) ?? none(largest, rest, slab);
}

/** What a list that is cut off, or filtered, leaves out may be a leak. */
function none(because: string, { caches, left }: Rest, { seen, ofSockets, ofOthers, materialBytes }: Slab): Outcome {
  const unlisted = left - ofSockets - ofOthers - usedBytesOf(caches);
  return !seen.slabCaches.isWhole && unlisted >= materialBytes
    ? { notAssessed: [WHOLE_SLABINFO] }
    : { ruledOut: because };
}

/** What many caches have together, where that is most of what is left. */
function spreadOf(left: number, slab: Slab): SlabSpread | undefined {
  const { seen: { slabCaches: caches, groups, devices }, materialBytes } = slab;
  const unusual = left - inSocketsBytes(slab) - USUAL_SLAB_BYTES;
  return slabSpreads(caches, { groups, devices }, left)
    .find(({ bytes: { low, high } }) => low >= materialBytes && (low + high) / 2 >= MOSTLY * unusual);
}

/** The few caches whose objects come and go with those of this one, and itself. */
function bornWith(first: Suspect, suspects: readonly Suspect[]): readonly Suspect[] {
  const alike = suspects.filter((other) => isSameCount(first.activeObjects, other)).slice(0, CACHES_LISTED);
  // Whether there are too many open files is fd-leak's to judge: a busy server has as many, with an object of epoll each.
  return alike.some((cache) => namesOf(cache).includes("filp")) ? [first] : alike;
}

/** From a share of memory on it is the problem however it is spread. */
function manyCaches({ caches, left }: Rest, slab: Slab): Outcome | undefined {
  const [most, ...others] = caches;
  const listed = slab.seen.slabCaches.isWhole ? Infinity : usedBytesOf(caches);
  const high = Math.max(0, Math.min(left - slab.ofSockets - slab.ofOthers, listed));
  const low = high - USUAL_SLAB_BYTES;
  // On a small host what is usual is a tenth of memory.
  if (most === undefined || high < DOMINATES_HOST * slab.ledger.totalBytes || low < slab.materialBytes) {
    return undefined;
  }
  const suspects = [most, ...others.slice(0, CACHES_LISTED - 1)] as const;
  const evidence = suspects.flatMap((cache) => cacheEvidence(cache, slab));
  const spread = { name: "Unreclaimable kernel objects", bytes: { low, high }, evidence };
  return { findings: [spreadFinding(spread, suspects, slab)] };
}

/** Caches that grew by what is material while they were watched. */
function grownSuspects(caches: readonly Suspect[], { materialBytes }: Slab): Suspect[] | undefined {
  const growing = caches.filter(grows).sort((a, b) => changeOf(b) - changeOf(a));
  const [most] = growing;
  if (most === undefined || changeOf(most) < materialBytes) return undefined;
  return growing.filter((cache) => changeOf(cache) >= SHARE_OF_LARGEST * changeOf(most));
}

function changeOf({ trend }: Suspect): number {
  return trend?.changeBytes ?? 0;
}

function largeSuspects([most, ...others]: readonly Suspect[]): Suspect[] {
  return most === undefined ? [] : [most, ...cameAlong(most, others)];
}

/** Caches whose objects may come along with those of this one: there are as many at least. */
function cameAlong(most: Suspect, others: readonly Suspect[]): Suspect[] {
  return others.filter((other) =>
    other !== most && other.usedBytes >= SHARE_OF_LARGEST * most.usedBytes &&
    (other.name === LARGE_KMALLOC || other.activeObjects >= (1 - SAME_COUNT) * most.activeObjects)
  );
}

type Caches = readonly [Suspect, ...Suspect[]];

/** What no single cache has. */
function spreadFinding(
  { name, bytes, evidence, stays }: Omit<SlabSpread, "cache">,
  suspects: Caches,
  slab: Slab,
): FindingDraft {
  return {
    title: `${name} hold about ${formatBytes((bytes.low + bytes.high) / 2)}, spread over many slab caches`,
    confidence: "likely",
    material: true,
    claims: [{ account: "slab-unreclaimable", bytes }],
    owners: suspects.map(cacheOwner),
    evidence: [...accountEvidence(slab), ...evidence, ...tracedAllocations(suspects, slab.witnesses)],
    remedies: remedies(suspects, [], stays),
  };
}

function confidenceOf(suspects: Caches, dominates: boolean, { seen, spanSeconds }: Slab): Confidence {
  // Packets of sockets that the bundle does not show, such as those of a network namespace that was not captured: root captures all.
  if (suspects[0].isPackets) return seen.facts.privileged === true && seen.udp !== undefined ? "likely" : "possible";
  const watchedLong = spanSeconds >= LONG_WATCH_SECONDS;
  if (suspects.some(grows)) return dominates || watchedLong ? "confirmed" : "likely";
  return watchedLong ? "possible" : "likely";
}

function finding(suspects: Caches, bytes: number, dominates: boolean, slab: Slab): FindingDraft {
  const [first] = suspects;
  const { seen, witnesses } = slab;
  const confidence = confidenceOf(suspects, dominates, slab);
  const fastest = suspects.find(grows)?.trend;
  const others = suspects.length === 1 ? "" : ` and ${suspects.length - 1} more`;
  const tenant = tenantOf(first, witnesses);
  const [group] = tenant?.groups ?? [];
  return {
    title: `${holder(first, tenant, group)} hold ${formatBytes(bytes)}, mostly in the slab cache ${
      cacheName(first)
    }${others}${fastest === undefined ? "" : `, and grow by ${formatRate(fastest.bytesPerSecond)}`}`,
    confidence,
    material: confidence !== "possible",
    claims: [{ account: "slab-unreclaimable", bytes: { low: bytes, high: bytes } }],
    ...forecast(fastest, seen.ledgers),
    owners: [...processOwners(first, tenant), ...suspects.map(cacheOwner)],
    evidence: [
      ...accountEvidence(slab),
      ...suspects.slice(0, CACHES_LISTED).flatMap((cache) => cacheEvidence(cache, slab)),
      ...longGrowthEvidence(grownForLong(slab)),
      ...tracedAllocations(suspects, witnesses),
    ],
    remedies: [
      // From inside of a container the host's sockets are none that are known, and without a list nobody's are.
      ...(first.isPackets && (seen.seesAllDescriptors === false || seen.udpBacklog === undefined)
        ? [lookAtSockets("any", remedyMark("slab-leak", "look at the sockets of all namespaces"))]
        : []),
      ...remedies(suspects, group === undefined ? [] : stopCommands(group, seen.processes), tenant?.stays),
    ],
  };
}

function grownForLong({ seen: { recorded }, ledger, bytes }: Slab): LongGrowth | undefined {
  // sysstat keeps the sum of both kinds only.
  const all = (accountBytes(ledger, "slab-reclaimable") ?? 0) + bytes;
  return longGrowth(recorded, "SUnreclaim", bytes) ?? longGrowth(recorded, "Slab", all);
}

function accountEvidence(slab: Slab): EvidenceLine[] {
  const { meminfo: file } = slab.seen;
  const line = file?.value.bytes.get("SUnreclaim")?.line;
  return file === undefined || line === undefined ? [] : [{ path: file.path, line, because: levelOf(slab) }];
}

function cacheEvidence(cache: Suspect, { bytes, witnesses }: Slab): EvidenceLine[] {
  const { path, line, trend, usedBytes } = cache;
  const change = grows(cache) && trend !== undefined
    ? `; grew by ${formatBytes(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s without a fall`
    : "";
  const share = `${formatBytes(usedBytes)} in use, ${formatShare(usedBytes, bytes)} of SUnreclaim`;
  return [
    { path, line, because: `${cacheName(cache)}: ${share}${change}` },
    ...(tenantOf(cache, witnesses)?.evidence ?? []),
  ];
}

export const slabLeak: Analyzer = defineAnalyzer({
  id: "slab-leak",
  title: "Unreclaimable kernel objects that grow, or dominate",
  mechanism:
    "The kernel's own objects (timers, neighbours, watches, structures of a driver) are allocated in slab caches and not given back, because a program " +
    "or a module keeps asking for new ones. SUnreclaim in /proc/meminfo grows; slabinfo tells in which cache. No process is charged, and nothing that " +
    "frees caches gives it back.",
  lookAlikes:
    "Queued packets: kmalloc-2k and skbuff_head_cache grow, but the sockets tell (socket-backlog-udp and its like): what known tenants hold is left out here, so that " +
    "packets which remain are in no socket: a TAP device that its program does not read, a queueing discipline, a driver. " +
    "slab-reclaimable: dentries and inodes, which are given back. slab-fragmentation: the objects are gone, their pages are not. Caches of one size are merged: " +
    "the name in slabinfo is that of the first one.",
  references: [
    "https://man7.org/linux/man-pages/man5/slabinfo.5.html",
    "https://docs.kernel.org/mm/slab.html",
    "mm/slub.c create_unique_id()",
    "mm/oom_kill.c should_dump_unreclaim_slab()",
  ],
  needs,
  uses,
  last: true,
  // From a tenth of memory on it is the problem however it is spread.
  judges: "slab-unreclaimable",
  analyze(values, facts, unclaimed) {
    const seen = { ...values, facts };
    const bytes = seen.ledger && accountBytes(seen.ledger, "slab-unreclaimable");
    const notClaimed = unclaimed.get("slab-unreclaimable");
    if (seen.ledger === undefined || bytes === undefined || notClaimed === undefined) {
      return bySizeAlone(seen.slabCaches, seen.socketCaches, seen.ledger?.totalBytes);
    }
    const slab = slabOf(seen, seen.ledger, bytes, notClaimed);
    const { findings: counted, rest } = countedFindings(slab);
    const outcome = uncounted(rest, slab);
    if (counted.length === 0) return outcome;
    return { findings: [...counted, ...("findings" in outcome ? outcome.findings : [])] };
  },
});
