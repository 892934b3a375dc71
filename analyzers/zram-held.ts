import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatShare } from "../src/core/format.ts";
import { accountBytes, type SourceLine } from "../src/core/ledger.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import type { MaybeValues, Parsed, Values } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialSlabBytes } from "../src/computed/material.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { type Swap, swaps } from "../src/parsers/swaps.ts";
import { vmstat } from "../src/parsers/vmstat.ts";
import { zramMmStat } from "../src/parsers/zram_mm_stat.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/** Swap that compresses below this gains little for its time: zstd and lzo make 2 to 4 of ordinary process memory. */
const GOOD_RATIO = 2;

const needs = { ledger, vmstat };
const uses = { zramMmStat, swaps, meminfo };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** A zram device, or zswap. */
interface Store extends SourceLine {
  readonly name: string;
  /** What it costs; undefined where only what is stored is known. */
  readonly usedBytes: number | undefined;
  readonly storedBytes: number;
  readonly isSwap: boolean;
}

function deviceOf(path: string): string {
  return path.split("/").at(-2) ?? path;
}

function isSwap(device: string, areas: Parsed<readonly Swap[]> | undefined): boolean {
  return areas?.value.some(({ filename }) => filename === `/dev/${device}`) ?? false;
}

function zram({ zramMmStat: files, swaps: areas }: Seen): Store[] {
  return (files ?? []).filter(({ value }) => value.usedBytes > 0).map(({ path, value }) => ({
    path,
    line: value.line,
    name: deviceOf(path),
    usedBytes: value.usedBytes,
    storedBytes: value.originalBytes,
    isSwap: isSwap(deviceOf(path), areas),
  }));
}

/** Swap on zram where mm_stat was not captured (a sosreport). */
function unlistedSwap({ zramMmStat: files, swaps: areas }: Seen): Store[] {
  if (files !== undefined || areas === undefined) return [];
  return areas.value.filter(({ filename, usedBytes }) => filename.startsWith("/dev/zram") && usedBytes > 0)
    .map(({ filename, line, usedBytes }) => ({
      path: areas.path,
      line,
      name: filename.slice("/dev/".length),
      usedBytes: undefined,
      storedBytes: usedBytes,
      isSwap: true,
    }));
}

function zswap({ meminfo: file }: Seen): Store[] {
  const used = file?.value.bytes.get("Zswap");
  const original = file?.value.bytes.get("Zswapped");
  if (file === undefined || used === undefined || original === undefined || used.bytes === 0) return [];
  return [{
    path: file.path,
    line: used.line,
    name: "zswap",
    usedBytes: used.bytes,
    storedBytes: original.bytes,
    isSwap: true,
  }];
}

function bytesStoredIn(stores: readonly Store[]): number {
  return sumOf(stores, (each) => each.storedBytes);
}

/** Swap that compresses well works as it should, whatever its size. */
function isUseful(stores: readonly Store[], heldBytes: number): boolean {
  return stores.every((store) => store.isSwap) && bytesStoredIn(stores) >= GOOD_RATIO * heldBytes;
}

function nameOf([first, ...others]: readonly Store[]): string {
  if (first === undefined) return "zram or zswap";
  return others.length === 0 ? first.name : `${first.name} and ${others.length} more`;
}

/** @param bytes All compressed pages: where a device's own are not told, they are divided by what is stored. */
function owners(stores: readonly Store[], bytes: number): Owner[] {
  if (stores.length === 0) {
    const detail = "to find the device: zramctl; cat /sys/block/zram*/mm_stat; grep -i zswap /proc/meminfo";
    return [{ pid: null, comm: "zram or zswap", bytes, count: 1, detail }];
  }
  return stores.map(({ name, usedBytes, storedBytes, isSwap: swap }) => ({
    pid: null,
    comm: name,
    bytes: usedBytes ?? Math.round((storedBytes / bytesStoredIn(stores)) * bytes),
    count: 1,
    detail: `${formatBytes(storedBytes)} of data, ${
      swap ? "swap" : "no swap: a RAM disk; what is on it: lsblk, findmnt"
    }`,
  }));
}

function evidence({ path, line, name, usedBytes, storedBytes }: Store): EvidenceLine {
  return {
    path,
    line,
    because: usedBytes === undefined
      ? `${formatBytes(storedBytes)} are swapped to ${name}`
      : `${name} costs ${formatBytes(usedBytes)} for ${formatBytes(storedBytes)} of data: ${
        (storedBytes / usedBytes).toFixed(1)
      } to 1`,
  };
}

function remedies(stores: readonly Store[]): Remedy[] {
  const disks = stores.filter((store) => !store.isSwap && store.name !== "zswap").map(({ name }) => shellWord(name));
  const areas = stores.filter((store) => store.isSwap).map(({ name }) => shellWord(`/dev/${name}`));
  return [
    {
      when: "now",
      text: disks.length > 0
        ? `A zram device that is no swap is a RAM disk: unmount it and reset it, when what is on it is not needed. This deletes its content. ${
          remedyMark("zram-held", "reset the disk")
        }`
        : `Taking compressed swap away brings its pages back into memory uncompressed: do so only with that much memory free. ${
          remedyMark("zram-held", "swapoff")
        }`,
      commands: disks.length > 0
        ? disks.flatMap((name) => [`findmnt -S /dev/${name}; lsof /dev/${name}`, `echo 1 > /sys/block/${name}/reset`])
        : areas.map((area) => `swapoff ${area}`),
      verify: "nr_zspages of /proc/vmstat falls",
    },
    {
      when: "fix",
      text:
        `Bound what it may cost, and see what is stored in it: data that does not compress costs as much as it saves. ${
          remedyMark("zram-held", "mem_limit")
        }`,
      commands: stores.filter(({ name }) => name !== "zswap").map(({ name }) =>
        `echo 512M > ${shellWord(`/sys/block/${name}/mem_limit`)}`
      ),
      verify: "`zramctl` shows DATA well above TOTAL",
    },
    {
      when: "prevent",
      text: `Size zram by memory, not by guess: half of memory at the most, or zswap, which writes back to disk. ${
        remedyMark("zram-held", "size by memory")
      }`,
      commands: ["zramctl", "cat /etc/systemd/zram-generator.conf"],
      verify: "TOTAL of `zramctl` stays below the limit under load",
    },
  ];
}

function finding(stores: readonly Store[], bytes: number, line: number, seen: Seen): FindingDraft {
  const what = stores.length === 0 ? "" : ` for ${formatBytes(bytesStoredIn(stores))} of data`;
  const works = isUseful(stores, bytes);
  return {
    title: `${nameOf(stores)} holds ${formatBytes(bytes)} of memory${what}${
      works ? ": compressed swap that works as it should" : ""
    }`,
    confidence: stores.some(({ usedBytes }) => usedBytes !== undefined) ? "confirmed" : "likely",
    material: !works,
    claims: [{ account: "zspages", bytes: { low: bytes, high: bytes } }],
    owners: owners(stores, bytes),
    evidence: [{
      path: seen.vmstat.path,
      line,
      because: `${formatBytes(bytes)} (${formatShare(bytes, seen.ledger.totalBytes)} of memory) are compressed pages`,
    }, ...stores.map(evidence)],
    remedies: remedies(stores),
  };
}

export const zramHeld: Analyzer = defineAnalyzer({
  id: "zram-held",
  title: "Compressed memory of zram and zswap",
  mechanism:
    "zram is a block device in memory, mostly used for swap; zswap keeps pages on their way to swap. Both store compressed pages in zsmalloc's pool, which is in no " +
    "field of /proc/meminfo: only nr_zspages of /proc/vmstat counts it. With data that does not compress, or as a RAM disk that is full, it is just memory gone.",
  lookAlikes:
    "Swap that works: what compresses to a third saves twice what it costs, however large the pool is. A driver that leaks pages, where vmstat was not looked at.",
  references: [
    "https://docs.kernel.org/admin-guide/blockdev/zram.html",
    "https://docs.kernel.org/admin-guide/mm/zswap.html",
  ],
  needs,
  uses,
  analyze(seen) {
    const bytes = accountBytes(seen.ledger, "zspages");
    const line = seen.vmstat.value.get("nr_zspages")?.line;
    if (bytes === undefined || line === undefined) {
      return { ruledOut: "this kernel has no zsmalloc: neither zram nor zswap" };
    }
    if (bytes < materialSlabBytes(seen.ledger.totalBytes)) {
      return { ruledOut: `zram and zswap hold ${formatBytes(bytes)}` };
    }
    const stores = [...zram(seen), ...unlistedSwap(seen), ...zswap(seen)];
    stores.sort((a, b) => b.storedBytes - a.storedBytes);
    return { findings: [finding(stores, bytes, line, seen)] };
  },
});
