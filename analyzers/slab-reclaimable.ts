import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatShare } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import { WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import type { Remedy } from "../src/core/report.ts";
import { ledger } from "../src/computed/ledger.ts";
import { LEAST_MATERIAL_SLAB_BYTES, MATERIAL_SHARE, materialSlabBytes } from "../src/computed/material.ts";
import { largestFirst, type SizedCache, slabCaches, type SlabUse, usedSlabBytes } from "../src/computed/slab_caches.ts";
import { type DentryState, dentryState } from "../src/parsers/dentry_state.ts";
import { type Meminfo, meminfo } from "../src/parsers/meminfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";
import type { Parsed } from "../src/core/source.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";

/** A host that does its work looks up mostly names that exist. */
const MOST_OF = 0.5;
const CACHES_LISTED = 4;

const NEGATIVE_REMEDY: Remedy = {
  when: "fix",
  text:
    "Find the program that looks up names that do not exist, over and over new ones (temporary names, a search path, a health check), and let it stop: it costs " +
    `time more than memory. ${remedyMark("slab-reclaimable", "stop the look-ups")}`,
  commands: ["timeout 10 strace -f -e trace=file -Z -p PID", "timeout 10 opensnoop-bpfcc -x"],
  verify: "the fifth number of /proc/sys/fs/dentry-state stays level",
};

const REMEDIES: readonly Remedy[] = [
  {
    when: "now",
    text:
      `Nothing need be done: the kernel gives this back when memory is short, and MemAvailable counts most of it. Emptying caches by hand only makes the host slower. ${
        remedyMark("slab-reclaimable", "do nothing")
      }`,
    commands: ["grep -E 'MemAvailable|SReclaimable' /proc/meminfo"],
    verify: "MemAvailable stays well above the low watermarks",
  },
  {
    when: "prevent",
    text:
      "Where a container runs into its limit because of it (the slab is charged to it), give back early: a higher vfs_cache_pressure for the host, or memory.high for " +
      `the cgroup. ${remedyMark("slab-reclaimable", "give back early")}`,
    commands: setSysctl("vm.vfs_cache_pressure=200"),
    verify: "slab_reclaimable of the cgroup's memory.stat stays below its limit",
  },
];

function evidence(
  size: string,
  reclaimable: readonly SlabUse[],
  file: Parsed<Meminfo> | undefined,
  dentries: Parsed<DentryState> | undefined,
): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  const line = file?.value.bytes.get("SReclaimable")?.line;
  if (file !== undefined && line !== undefined) {
    lines.push({ path: file.path, line, because: `reclaimable slab is ${size}` });
  }
  if (dentries !== undefined) {
    const { all: names, unused, negative: missing, line: at } = dentries.value;
    lines.push({
      path: dentries.path,
      line: at,
      because: `${formatCount(names)} names are remembered, ${formatCount(unused)} of them are in use by nobody${
        missing > 0 ? `, ${formatCount(missing)} do not exist` : ""
      }`,
    });
  }
  for (const { path, line: at, name, usedBytes } of reclaimable.slice(0, CACHES_LISTED)) {
    lines.push({ path, line: at, because: `${name}: ${formatBytes(usedBytes)} in use` });
  }
  return lines;
}

export const slabReclaimable: Analyzer = defineAnalyzer({
  id: "slab-reclaimable",
  title: "Names and inodes of files that the kernel remembers",
  mechanism:
    "The kernel keeps a dentry for each name that was looked up, also for names that do not exist, and an inode for each file that was looked at. They stay until " +
    "memory is short. A backup, a search through all files, or a program that keeps asking for new names makes them gigabytes.",
  lookAlikes:
    "Not a leak: it is given back, and MemAvailable counts it. But dentries of open files are not given back (fd-leak), and in a container they count against " +
    "its limit (memcg-oom). Half-empty slabs are slab-fragmentation.",
  references: [
    "https://docs.kernel.org/admin-guide/sysctl/fs.html#dentry-state",
    "https://docs.kernel.org/admin-guide/sysctl/vm.html#vfs-cache-pressure",
  ],
  needs: { slabCaches },
  uses: { ledger, meminfo, dentryState },
  analyze({ ledger, slabCaches: { caches, isReclaimable, useOf }, meminfo: file, dentryState: dentries }) {
    const reclaimable = caches.filter(isReclaimable).map(useOf).sort(largestFirst);
    const negative = negativeBytes(caches, dentries?.value);
    const account = ledger && accountBytes(ledger, "slab-reclaimable");
    // slabtop's screen alone: its largest caches come first.
    const all = account ?? sumBytes(reclaimable);
    const material = ledger === undefined ? LEAST_MATERIAL_SLAB_BYTES : materialSlabBytes(ledger.totalBytes);
    const size = ledger === undefined
      ? formatBytes(all)
      : `${formatBytes(all)} (${formatShare(all, ledger.totalBytes)} of memory)`;
    const isLarge = all >= Math.max(material, MATERIAL_SHARE * (ledger?.totalBytes ?? 0));
    if (negative < material && !isLarge) {
      // What is not in a list of some caches may well be large.
      return account === undefined
        ? { notAssessed: [WHOLE_MEMINFO] }
        : { ruledOut: `reclaimable slab is ${size}, which is usual` };
    }
    return { findings: [finding(all)] };

    /** Never material: it is memory that the host can have back, whoever filled it. */
    function finding(held: number): FindingDraft {
      const isNegative = negative >= material;
      const bytes = Math.round(isNegative ? negative : held);
      const most = reclaimable.slice(0, 2).map(({ name }) => name).join(", ");
      return {
        title: isNegative
          ? `${formatCount(dentries?.value.negative ?? 0)} remembered names of files that do not exist take ${
            formatBytes(bytes)
          }; the kernel gives them back when memory is short`
          : most === ""
          ? `Caches in slab that can be given back take ${size}; the kernel does so when memory is short`
          : `Remembered names and inodes of files (${most}) take ${size}; the kernel gives them back when memory is short`,
        // That it is these names is known; that it is no problem, too.
        confidence: isNegative ? "likely" : "possible",
        material: false,
        claims: [{ account: "slab-reclaimable", bytes: { low: bytes, high: bytes } }],
        owners: reclaimable.slice(0, CACHES_LISTED).map(({ name, usedBytes, activeObjects, objectBytes }) => ({
          pid: null,
          comm: name,
          bytes: Math.round(usedBytes),
          count: activeObjects,
          detail: `${formatCount(activeObjects)} objects of ${
            formatCount(objectBytes)
          } B; to see who looks files up: opensnoop-bpfcc, or strace -e trace=file`,
        })),
        evidence: evidence(size, reclaimable, file, dentries),
        remedies: isNegative ? [...REMEDIES, NEGATIVE_REMEDY] : REMEDIES,
      };
    }
  },
});

/** Dentries of missing names and, in kmalloc caches of their own, the names that are too long to be in the dentry. */
function negativeBytes(caches: readonly SizedCache[], state: DentryState | undefined): number {
  const dentry = caches.find(({ name }) => name === "dentry");
  // nr_negative was a constant 0 before 4.20 (commit af0c9af1b3f6).
  if (
    dentry === undefined || state === undefined || dentry.activeObjects === 0 || state.negative < MOST_OF * state.all
  ) return 0;
  const share = Math.min(1, state.negative / dentry.activeObjects);
  const names = sumOf(caches.filter(({ name }) => name.startsWith("kmalloc-rcl-")), usedSlabBytes);
  return share * (usedSlabBytes(dentry) + names);
}
