import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity } from "../src/core/format.ts";
import { accountBytes, type AccountId, type SourceLine } from "../src/core/ledger.ts";
import type { Claim, Confidence, Owner, Remedy } from "../src/core/report.ts";
import type { HostFacts, MaybeValues, Missing, Values } from "../src/core/source.ts";
import { sumBytes, sumOf, sumRanges } from "../src/core/sums.ts";
import { type Descriptors, descriptors } from "../src/computed/descriptors.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { MOST_OWNERS } from "../src/computed/owners.ts";
import { percpuIndexBytes } from "../src/computed/percpu_index.ts";
import { type VmallocCaller, vmallocCallers } from "../src/computed/vmalloc_callers.ts";
import { type BpfMap, bpfMaps as mapList } from "../src/parsers/bpf_maps.ts";
import { bpfPrograms } from "../src/parsers/bpf_programs.ts";
import { vmallocinfo } from "../src/parsers/vmallocinfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** Cilium, the largest user of maps, sizes them to 0.25 % of memory (its bpf-map-dynamic-size-ratio): twice that is beyond a busy node. */
const MATERIAL_SHARE = 0.005;

/** Functions under which maps stand in vmallocinfo: those that call bpf_map_area_alloc(), or itself, as the compiler inlined it. */
const MAP_CALLER =
  /^(?:__)?bpf_map_area_|^(?:array|htab|trie|dev|cpu|xsk|sock|queue_stack|stack|reuseport_array|bloom|sock_hash|prealloc|cgroup_storage)_?map_(?:area_)?alloc|^prealloc_|^stack_map_alloc|^htab_init_buckets/;

/** Pages of a ring buffer: its data is mapped twice in a row (kernel/bpf/ringbuf.c bpf_ringbuf_area_alloc()), in an area that does not own it. */
const RING_CALLER = /^(?:bpf_)?ringbuf_(?:map_|area_)?alloc/;
const RING_MAPPINGS = 2;

const HOLDERS_LISTED = 3;

/** Slab: entries that are allocated one by one. */
const SLAB_TYPES: ReadonlySet<string> = new Set([
  "lpm_trie",
  "hash_of_maps",
  "cgroup_storage",
  "sk_storage",
  "inode_storage",
  "task_storage",
  "cgrp_storage",
  "sockhash",
]);
/** Pages that are mapped twice in a row, which is no vmalloc memory. */
const PAGE_TYPES: ReadonlySet<string> = new Set(["ringbuf", "user_ringbuf", "arena"]);

/** What precedes an entry's key, and the link that the allocator keeps with each (kernel/bpf/hashtab.c struct htab_elem; memalloc.c, Linux 6.1). */
const ENTRY_HEAD_BYTES = 48;
const ALLOCATOR_BYTES = 8;
/** What precedes a prefix's data: two children, its length and flags; and the length that a key begins with (struct lpm_trie_node, struct bpf_lpm_trie_key). */
const NODE_HEAD_BYTES = 24;
const PREFIX_LENGTH_BYTES = 4;
/** A hash has a list for each entry that it may have, up to a power of two (struct bucket, 64 bits): they are vmalloc memory. */
const BUCKET_BYTES = 16;

function nextPowerOfTwo(number: number): number {
  return 2 ** Math.ceil(Math.log2(number));
}

/** Objects of kmalloc: powers of two, and 96 and 192. */
function kmallocBytes(bytes: number): number {
  return [96, 192].find((size) => bytes <= size && bytes > size * 2 / 3) ?? nextPowerOfTwo(bytes);
}

/** A hash whose entries are allocated one by one: the kernel tells their size, and not that of the objects that they are in. */
function hashClaims({ bytes, maxEntries, keyBytes, valueBytes }: BpfMap): Claim[] {
  const lists = Math.min(bytes, maxEntries ? BUCKET_BYTES * nextPowerOfTwo(maxEntries) : 0);
  const aligned = (size: number): number => Math.ceil(size / 8) * 8;
  const entry = keyBytes === undefined || valueBytes === undefined
    ? undefined
    : ENTRY_HEAD_BYTES + aligned(keyBytes) + aligned(valueBytes);
  const low = bytes - lists;
  const high = Math.round(low * (entry === undefined ? 2 : kmallocBytes(entry + ALLOCATOR_BYTES) / entry));
  return [
    { account: "slab-unreclaimable", bytes: { low, high } },
    { account: "vmalloc", bytes: { low: lists, high: lists } },
  ];
}

/**
 * A trie of prefixes: the kernel tells the size of each entry, and neither that of the object that it is in, nor the nodes between entries, of which there are
 * fewer than entries, and which are as large where the allocator has one size for all (kernel/bpf/lpm_trie.c, trie_mem_usage()).
 */
function trieClaims({ bytes, keyBytes, valueBytes }: BpfMap): Claim[] {
  const entry = keyBytes === undefined || valueBytes === undefined
    ? undefined
    : NODE_HEAD_BYTES + Math.max(0, keyBytes - PREFIX_LENGTH_BYTES) + valueBytes;
  const high = Math.round(2 * bytes * (entry === undefined ? 2 : kmallocBytes(entry + ALLOCATOR_BYTES) / entry));
  return [{ account: "slab-unreclaimable", bytes: { low: bytes, high } }];
}

function claimsOf(map: BpfMap): Claim[] {
  if (map.type === "hash" && map.oneByOne === true) return hashClaims(map);
  if (map.type === "lpm_trie") return trieClaims(map);
  return [{ account: accountOf(map.type), bytes: { low: map.bytes, high: map.bytes } }];
}

function accountOf(type: string): AccountId {
  if (type.includes("percpu")) return "percpu";
  if (SLAB_TYPES.has(type)) return "slab-unreclaimable";
  return PAGE_TYPES.has(type) ? "unaccounted" : "vmalloc";
}

/** @param holders Programs that have maps open. */
function remedies(map: BpfMap | undefined, holders: readonly Descriptors[]): Remedy[] {
  const show = map === undefined ? "bpftool map list" : `bpftool map show id ${map.id}`;
  const showPins = show.replace("bpftool", "bpftool -f");
  return [
    {
      when: "now",
      text: `Find what holds the map: a process that has it open${
        holders.length === 0 ? "" : " (map_id tells which: end or restart it in an orderly way)"
      }, a loaded program, or a file in bpffs. A pin is removed like a file; the map goes with its last user. ${
        remedyMark("bpf-maps", "remove the pin")
      }`,
      commands: [
        showPins,
        ...holders.slice(0, HOLDERS_LISTED).map(({ pid }) => `grep -H '^map_id:' /proc/${pid}/fdinfo/*`),
        "bpftool prog list",
        ...(map === undefined
          ? []
          : [`${showPins} | sed -n 's/^[[:space:]]*pinned //p' | tr '\\n' '\\0' | xargs -0 -r rm --`]),
      ],
      verify:
        "VmallocUsed (Percpu for per-CPU maps) of /proc/meminfo falls when the last pin, descriptor and program are gone",
    },
    {
      when: "fix",
      text: `Give the map as few max_entries as needed, or BPF_F_NO_PREALLOC where it is a hash that is mostly empty. ${
        remedyMark("bpf-maps", "BPF_F_NO_PREALLOC")
      }`,
      commands: [show],
      verify: "bytes_memlock of `bpftool -j map list`",
    },
    {
      when: "prevent",
      text: `Run the loader in a memory cgroup with a limit: from Linux 5.11 maps are charged to it. ${
        remedyMark("bpf-maps", "limit the loader's cgroup")
      }`,
      commands: [],
      verify: "memory.stat of its cgroup counts vmalloc and percpu",
    },
  ];
}

const needs = { ledger };
const uses = { mapList, bpfPrograms, vmallocCallers, vmallocinfo, descriptors };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

/** Maps, the largest first, and what they are charged together. */
interface Maps {
  readonly path: string;
  readonly all: readonly BpfMap[];
  readonly bytes: number;
}

/** Areas that are a map's, by the function that took them: vmalloc memory, and ring buffers, whose pages are in no account. */
interface Areas {
  readonly callers: readonly VmallocCaller[];
  readonly bytes: number;
  /** The largest first. */
  readonly rings: readonly (SourceLine & { readonly bytes: number })[];
  readonly ringBytes: number;
}

function mapsOf({ mapList: file }: Seen): Maps | undefined {
  if (file === undefined) return undefined;
  const all = file.value.toSorted((a, b) => b.bytes - a.bytes || a.id - b.id);
  return { path: file.path, all, bytes: sumBytes(all) };
}

function areasOf({ vmallocCallers: callers, vmallocinfo: file }: Seen): Areas {
  const ofMaps = (callers ?? []).filter(({ caller }) => MAP_CALLER.test(caller));
  const rings = (file?.value ?? []).filter(({ caller, flags }) =>
    flags.includes("vmap") && RING_CALLER.test(caller ?? "")
  )
    .map(({ bytes, line }) => ({ path: file?.path ?? "", line, bytes: bytes / RING_MAPPINGS }))
    .sort((a, b) => b.bytes - a.bytes);
  return { callers: ofMaps, bytes: sumBytes(ofMaps), rings, ringBytes: sumBytes(rings) };
}

function claimsOfAll(maps: readonly BpfMap[], seen: Seen): Claim[] {
  const byAccount = new Map<AccountId, { low: number; high: number }>();
  const add = ({ account, bytes: { low, high } }: Claim): void => {
    const known = byAccount.get(account) ?? { low: 0, high: 0 };
    byAccount.set(account, { low: known.low + low, high: known.high + high });
  };
  for (const map of maps) claimsOf(map).forEach(add);
  const index = percpuIndexBytes(byAccount.get("percpu")?.low ?? 0, seen.facts.cpus, seen.vmallocCallers);
  if (index > 0) add({ account: "vmalloc", bytes: { low: index, high: index } });
  return Array.from(byAccount, ([account, bytes]) => ({ account, bytes })).filter(({ bytes }) => bytes.high > 0);
}

/** Maps that a loaded program uses may be meant to be as large as they are; nobody needs those that no program uses. */
function confidenceOf({ all }: Maps, { bpfPrograms: programs }: Seen, materialBytes: number): Confidence {
  if (programs === undefined) return "likely";
  return sumBytes(all.filter(({ id }) => !programs.value.has(id))) >= materialBytes ? "confirmed" : "possible";
}

/** Programs that have maps open: bpftool tells which, where the kernel has what it needs for that. It has each open itself while it lists it. */
function holdersOf({ descriptors: table }: Seen): Descriptors[] {
  return (table?.processes ?? []).filter(({ comm, kinds }) => comm !== "bpftool" && kinds.has("bpf-map"));
}

function openIn(seen: Seen): string {
  const holders = holdersOf(seen);
  if (holders.length === 0) return "";
  const named = holders.slice(0, HOLDERS_LISTED).map(({ comm, pid }) => `${comm} (pid ${pid})`).join(", ");
  return `; maps are open in ${named}${holders.length > HOLDERS_LISTED ? ", and others" : ""}`;
}

function use(id: number, { bpfPrograms: programs }: Seen): string {
  if (programs === undefined) return "";
  return programs.value.has(id) ? ", used by a loaded program" : ", used by no loaded program";
}

function ownerOf({ id, name, type, bytes, maxEntries, pids }: BpfMap, seen: Seen): Owner {
  const entries = maxEntries === undefined ? "" : ` of ${formatQuantity(maxEntries, "entry", "entries")}`;
  const holders = pids.length > 0
    ? `, open in pid ${pids.join(", ")}`
    : `; who holds it: bpftool -f map list, bpftool prog list${openIn(seen)}`;
  return {
    pid: pids[0] ?? null,
    comm: `BPF map ${id} ${name}`.trim(),
    bytes,
    count: maxEntries ?? 1,
    detail: `${type}${entries}${holders}`,
  };
}

function areaEvidence({ callers, rings, ringBytes }: Areas): EvidenceLine[] {
  const ofRings = rings.slice(0, 1).map(({ path, line, bytes }) => ({
    path,
    line,
    because: `the largest of ${formatQuantity(rings.length, "ring buffer")} of ${formatBytes(ringBytes)}: ${
      formatBytes(bytes)
    } of pages, mapped twice in a row, which are in no account`,
  }));
  const ofValues = callers.slice(0, 1).map(({ caller, largest, areas: count, bytes }) => ({
    path: largest.path,
    line: largest.line,
    because: `the largest area of ${caller}, which has ${formatBytes(bytes)} in ${
      formatQuantity(count, "area")
    }: the values of a map`,
  }));
  return [...ofValues, ...ofRings];
}

function mapFinding(maps: Maps, areas: Areas, seen: Seen, materialBytes: number): FindingDraft {
  const { path, all, bytes: listed } = maps;
  const [largest] = all as [BpfMap];
  const claims = claimsOfAll(all, seen);
  const total = sumRanges(claims).low;
  const others = all.length > 1
    ? `, and ${formatBytes(listed - largest.bytes)} in ${formatQuantity(all.length - 1, "other")}`
    : "";
  return {
    title: `BPF map ${largest.id} (${largest.name === "" ? "no name" : largest.name}, ${largest.type}) holds ${
      formatBytes(largest.bytes)
    }${others}${total > listed * 1.1 ? `; with the index of per-CPU memory ${formatBytes(total)}` : ""}`,
    confidence: confidenceOf(maps, seen, materialBytes),
    material: true,
    claims,
    owners: all.filter(({ bytes }) => bytes > listed / 100).slice(0, MOST_OWNERS).map((map) => ownerOf(map, seen)),
    evidence: [{
      path,
      line: largest.line,
      because: `map ${largest.id} is charged ${formatBytes(largest.bytes)} (bytes_memlock)${use(largest.id, seen)}`,
    }, ...areaEvidence(areas)],
    remedies: remedies(largest, holdersOf(seen)),
  };
}

/** Without a list of maps: the functions that allocate them are named, the maps are not. */
function areaFinding(areas: Areas, seen: Seen): FindingDraft {
  const { callers, bytes, rings, ringBytes } = areas;
  const held = [
    ...callers.slice(0, 1).map(({ largest }) =>
      `${formatBytes(bytes)} of vmalloc memory, the largest ${formatBytes(largest.bytes)}`
    ),
    ...rings.slice(0, 1).map((largest) =>
      `${formatBytes(ringBytes)} in ring buffers, the largest ${formatBytes(largest.bytes)}`
    ),
  ];
  return {
    title: `BPF maps hold ${held.join(", and ")}`,
    confidence: "likely",
    material: true,
    claims: [
      { account: "vmalloc" as const, bytes: { low: bytes, high: bytes } },
      { account: "unaccounted" as const, bytes: { low: ringBytes, high: ringBytes } },
    ].filter((claim) => claim.bytes.high > 0),
    owners: [{
      pid: null,
      comm: "BPF maps",
      bytes: bytes + ringBytes,
      count: sumOf(callers, (each) => each.areas) + rings.length,
      detail: `which maps, and who holds them: bpftool -f map list, bpftool prog list${openIn(seen)}`,
    }],
    evidence: areaEvidence(areas),
    remedies: remedies(undefined, holdersOf(seen)),
  };
}

const MAP_LIST: Missing = { path: "sos_commands/ebpf/bpftool_-j_map_list", howToCapture: "bpftool -j map list" };

export const bpfMaps: Analyzer = defineAnalyzer({
  id: "bpf-maps",
  title: "Maps of BPF programs",
  mechanism:
    "A BPF map is allocated in full when it is created: arrays and hashes in vmalloc memory, per-CPU maps in per-CPU memory once for every CPU; with " +
    "BPF_F_NO_PREALLOC entry by entry in slab. It lives as long as a " +
    "descriptor, a loaded program or a file in bpffs refers to it: a loader that pins its maps and is started again and again leaves them behind, in no process.",
  lookAlikes:
    "Cilium and other network agents, whose maps are meant to be large: about 0.25 % of memory. vmalloc-leak: other callers in /proc/vmallocinfo. percpu-growth and " +
    "dying-memcg: per-CPU memory without maps.",
  references: [
    "https://docs.kernel.org/bpf/maps.html",
    "kernel/bpf/syscall.c bpf_map_area_alloc()",
    "https://man7.org/linux/man-pages/man2/bpf.2.html",
  ],
  needs,
  uses,
  analyze(values, facts) {
    const seen = { ...values, facts };
    const { totalBytes } = seen.ledger;
    const materialBytes = Math.max(materialQueueBytes(totalBytes), MATERIAL_SHARE * totalBytes);
    const maps = mapsOf(seen);
    const areas = areasOf(seen);
    if (maps !== undefined && maps.bytes >= materialBytes) {
      return { findings: [mapFinding(maps, areas, seen, materialBytes)] };
    }
    if (areas.bytes + areas.ringBytes >= materialBytes) return { findings: [areaFinding(areas, seen)] };
    if (maps !== undefined) {
      return { ruledOut: `${formatQuantity(maps.all.length, "map takes", "maps take")} ${formatBytes(maps.bytes)}` };
    }
    // vmallocinfo tells of per-CPU memory how much there is, and not whose.
    if ((accountBytes(seen.ledger, "percpu") ?? 0) >= materialBytes) return { notAssessed: [MAP_LIST] };
    if (seen.vmallocCallers !== undefined) {
      const ofRings = areas.rings.length === 0 ? "" : `, and ${formatBytes(areas.ringBytes)} in ring buffers`;
      return { ruledOut: `maps take ${formatBytes(areas.bytes)} of vmalloc memory${ofRings}` };
    }
    const vmalloc = accountBytes(seen.ledger, "vmalloc");
    if (vmalloc === undefined || vmalloc >= materialBytes) return { notAssessed: [MAP_LIST] };
    return { ruledOut: `there is no list of maps, and vmalloc as a whole is ${formatBytes(vmalloc)}` };
  },
});
