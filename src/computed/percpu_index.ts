import { sumBytes } from "../core/sums.ts";
import type { VmallocCaller } from "./vmalloc_callers.ts";

/** 8 bytes for each 4 bytes of one CPU's share where memory cgroups count it (struct pcpuobj_ext, mm/percpu.c). */
const INDEX_PER_SHARE = 2;

const INDEX_CALLER = /^pcpu_(?:create_chunk|alloc_chunk|mem_zalloc)/;

/** What the index of so much per-CPU memory takes of vmalloc; 0 where /proc/vmallocinfo does not show it, or the number of CPUs is not known. */
export function percpuIndexBytes(
  percpuBytes: number,
  cpus: number | undefined,
  callers: readonly VmallocCaller[] | undefined,
): number {
  if (cpus === undefined) return 0;
  const shown = sumBytes((callers ?? []).filter(({ caller }) => INDEX_CALLER.test(caller)));
  return Math.min(shown, (percpuBytes / cpus) * INDEX_PER_SHARE);
}
