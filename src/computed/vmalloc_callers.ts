import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { vmallocinfo } from "../parsers/vmallocinfo.ts";

/** Areas that one function asked for. */
export interface VmallocCaller {
  readonly caller: string;
  /** Undefined for the kernel itself. */
  readonly module: string | undefined;
  readonly bytes: number;
  readonly areas: number;
  readonly largest: SourceLine & { readonly bytes: number };
}

/** Memory of the vmalloc areas that own their pages, by who asked for it, the most first. */
export const vmallocCallers: Source<readonly VmallocCaller[]> = defineComputed({
  name: "vmalloc by caller",
  needs: { vmallocinfo },
  uses: {},
  compute({ vmallocinfo: { path, value } }): VmallocCaller[] {
    const callers = new Map<string, { -readonly [K in keyof VmallocCaller]: VmallocCaller[K] }>();
    for (const { caller = "unknown", module, flags, pagesBytes: bytes, line } of value) {
      if (bytes === undefined || !flags.includes("vmalloc")) continue;
      const known = callers.get(caller);
      if (known === undefined) callers.set(caller, { caller, module, bytes, areas: 1, largest: { path, line, bytes } });
      else {
        known.bytes += bytes;
        known.areas++;
        if (bytes > known.largest.bytes) known.largest = { path, line, bytes };
      }
    }
    return [...callers.values()].sort((a, b) => b.bytes - a.bytes || (a.caller < b.caller ? -1 : 1));
  },
});
