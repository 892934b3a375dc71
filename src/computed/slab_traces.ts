/** Who allocated the objects of slab caches, where tracing tells. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes, formatCount } from "../core/format.ts";
import type { Parsed } from "../core/source.ts";
import { sumBytes } from "../core/sums.ts";
import type { AllocationSite } from "../parsers/allocinfo.ts";
import type { LostObject } from "../parsers/kmemleak.ts";
import type { SlabCaller } from "../parsers/slab_alloc_traces.ts";
import { type Suspect, usedBytesOf } from "./slab_suspects.ts";

const CACHES_LOOKED_FOR = 3;
/** What has less than this share of what the caches have is something else. */
const MIN_SITE_SHARE = 0.1;

/** What somebody switched on. */
export interface SlabTraces {
  readonly traces: readonly Parsed<readonly SlabCaller[]>[] | undefined;
  readonly lost: Parsed<readonly LostObject[]> | undefined;
  readonly sites: Parsed<readonly AllocationSite[]> | undefined;
}

/** What it says of these caches, the largest first. */
export function tracedAllocations(suspects: readonly Suspect[], { traces, lost, sites }: SlabTraces): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  for (const { name } of suspects.slice(0, CACHES_LOOKED_FOR)) {
    const file = traces?.find(({ path }) => path.split("/").at(-2) === name);
    const top = file?.value[0];
    if (file !== undefined && top !== undefined) {
      lines.push({
        path: file.path,
        line: top.line,
        because: `${formatCount(top.count)} objects of ${name} were allocated by ${top.caller}`,
      });
    }
  }
  const bytes = sumBytes(lost?.value ?? []);
  const first = lost?.value[0];
  if (lost !== undefined && first !== undefined) {
    lines.push({
      path: lost.path,
      line: first.line,
      because: `kmemleak: nothing points any more to ${formatCount(lost.value.length)} objects of ${
        formatBytes(bytes)
      }, such as this one${first.frames[0] === undefined ? "" : ` of ${first.frames.at(-1)}`}`,
    });
  }
  // The slab allocator's own sites stand for all that kmalloc's callers are listed for.
  const site = sites?.value.filter(({ place }) => /^(?:drivers|net|fs|kernel|security|sound|lib)\//.test(place))
    .toSorted((a, b) => b.bytes - a.bytes)[0];
  if (sites !== undefined && site !== undefined && site.bytes >= MIN_SITE_SHARE * usedBytesOf(suspects)) {
    lines.push({
      path: sites.path,
      line: site.line,
      because: `the largest allocation outside the memory manager: ${
        formatBytes(site.bytes)
      } by ${site.func} (${site.place})`,
    });
  }
  return lines;
}
