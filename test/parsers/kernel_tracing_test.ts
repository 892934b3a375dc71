/** Files that exist only where somebody switched a kernel's own tracing on, from their documented formats, and small ones about slab. */
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseAllocinfo } from "../../src/parsers/allocinfo.ts";
import { parseArcstats } from "../../src/parsers/arcstats.ts";
import { parseDentryState } from "../../src/parsers/dentry_state.ts";
import { parseKmemleak } from "../../src/parsers/kmemleak.ts";
import { parseNeighbourStat } from "../../src/parsers/neighbour_stat.ts";
import { parsePageOwnerStacks } from "../../src/parsers/page_owner_stacks.ts";
import { parseSlabAliases } from "../../src/parsers/slab_aliases.ts";
import { parseSlabAllocTraces } from "../../src/parsers/slab_alloc_traces.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

const ALLOCINFO = `allocinfo - version: 1.0
#     <size>  <calls> <tag info>
           0        0 init/main.c:1364 func:do_initcalls
   127664128    31168 mm/page_ext.c:270 func:alloc_page_ext
    14797824     3612 drivers/net/foo/rx.c:114 [foo] func:foo_alloc_rx
        8192        2 net/core/skbuff.c:770 func:__alloc_skb accurate:no
`;

describe("parseAllocinfo()", () => {
  itIsRobust("parseAllocinfo", ALLOCINFO, parseAllocinfo);

  it("reads sites with and without a module, and later kernels' fields", () => {
    expect(parseClean(parseAllocinfo, ALLOCINFO)).toEqual([
      {
        bytes: 127_664_128,
        calls: 31_168,
        place: "mm/page_ext.c:270",
        module: undefined,
        func: "alloc_page_ext",
        line: 4,
      },
      {
        bytes: 14_797_824,
        calls: 3612,
        place: "drivers/net/foo/rx.c:114",
        module: "foo",
        func: "foo_alloc_rx",
        line: 5,
      },
      { bytes: 8192, calls: 2, place: "net/core/skbuff.c:770", module: undefined, func: "__alloc_skb", line: 6 },
    ]);
  });

  it("leaves out what holds nothing, and warns of what is no row", () => {
    const { value, warnings } = parseWithWarnings(
      parseAllocinfo,
      "  -4096 1 a.c:1 func:f\n99999999999999999999 1 a.c:1 func:f\n",
    );
    expect(value).toEqual([]);
    expect(warnings).toHaveLength(1);
  });
});

const STACKS = ` get_page_from_freelist+0x15d9/0x1a40
 __alloc_pages_noprof+0x1b2/0x3a0
 foo_alloc_rx+0x4a/0x120 [foo]
nr_base_pages: 122880

 post_alloc_hook+0x10a/0x130
 new_slab+0x24/0x300
nr_base_pages: 16
`;

describe("parsePageOwnerStacks()", () => {
  itIsRobust("parsePageOwnerStacks", STACKS, parsePageOwnerStacks);

  it("reads stacks with their pages", () => {
    expect(parseClean(parsePageOwnerStacks, STACKS)).toEqual([
      {
        bytes: 122_880 * 4096,
        frames: ["get_page_from_freelist", "__alloc_pages_noprof", "foo_alloc_rx [foo]"],
        line: 4,
      },
      { bytes: 16 * 4096, frames: ["post_alloc_hook", "new_slab"], line: 8 },
    ]);
  });

  it("knows no bytes without the page size, and the older spelling", () => {
    expect(parseClean(parsePageOwnerStacks, " f+0x1/0x2\nstack_count: 3\n", {})).toEqual([{
      bytes: undefined,
      frames: ["f"],
      line: 2,
    }]);
  });
});

const KMEMLEAK = `unreferenced object 0xffff888102a1c400 (size 256):
  comm "modprobe", pid 812, jiffies 4294901234 (age 120.500s)
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace:
    [<ffffffff8133a6c5>] kmalloc_trace+0x25/0x90
    [<ffffffffc0a1c0e5>] foo_init+0x25/0x1000 [foo]
unreferenced object 0xffff888102a1c800 (size 128):
  comm "foo", pid 900, jiffies 4294901299
  backtrace (crc 0):
    foo_open+0x2/0x3 [foo]
`;

describe("parseKmemleak()", () => {
  itIsRobust("parseKmemleak", KMEMLEAK, parseKmemleak);

  it("reads objects in both forms of backtrace", () => {
    expect(parseClean(parseKmemleak, KMEMLEAK)).toEqual([
      { bytes: 256, frames: ["kmalloc_trace", "foo_init [foo]"], line: 1 },
      { bytes: 128, frames: ["foo_open [foo]"], line: 8 },
    ]);
  });

  it("takes an empty file for none, and other text for what it is", () => {
    expect(parseClean(parseKmemleak, "")).toEqual([]);
    expect(() => parseClean(parseKmemleak, "cat: kmemleak: Device or resource busy\n")).toThrow(ParseError);
  });
});

const ALIASES = `total 0
drwxr-xr-x 2 root root 0 Nov 23 06:11 :A-0000384
drwxr-xr-x 2 root root 0 Nov 23 06:11 dentry
lrwxrwxrwx 1 root root 0 Nov 23 06:11 mnt_cache -> :A-0000384
lrwxrwxrwx 1 root root 0 Nov 23 06:11 posix_timers_cache -> :A-0000384
`;

describe("parseSlabAliases()", () => {
  it("tells which caches are merged", () => {
    expect([...parseClean(parseSlabAliases, ALIASES)]).toEqual([
      ["mnt_cache", { target: ":A-0000384", line: 4 }],
      ["posix_timers_cache", { target: ":A-0000384", line: 5 }],
    ]);
  });

  it("warns of other lines, and fails when there is nothing else", () => {
    expect(parseWithWarnings(parseSlabAliases, `${ALIASES}ls: cannot access\n`).warnings).toHaveLength(1);
    expect(() => parseClean(parseSlabAliases, "")).toThrow(ParseError);
  });
});

describe("parseSlabAllocTraces()", () => {
  it("reads callers without their stacks", () => {
    const text =
      "  85248 neigh_alloc+0x11a/0x9f0 waste=20459520/240 age=1/2/3 pid=812-901 cpus=0-1\n\t__kmalloc_noprof+0x1d2/0x4a0\n\n   12 <not-available> age=1\n";
    expect(parseClean(parseSlabAllocTraces, text)).toEqual([
      { count: 85_248, caller: "neigh_alloc", line: 1 },
      { count: 12, caller: "<not-available>", line: 4 },
    ]);
    expect(parseClean(parseSlabAllocTraces, "No data\n")).toEqual([]);
  });
});

describe("parseNeighbourStat()", () => {
  it("reads the entries of all namespaces", () => {
    expect(parseNeighbourStat("entries,allocs\n0007a6fd 002105ef\n0007a6fd 00151420\n").entries).toBe(501_501);
    expect(() => parseNeighbourStat("entries  allocs\n")).toThrow(ParseError);
  });
});

describe("parseDentryState()", () => {
  it("reads this machine's", () => {
    const text = live("/proc/sys/fs/dentry-state");
    if (text !== undefined) expect(parseDentryState(text).all).toBeGreaterThan(0);
  });

  it("fails on what cannot be: counters of several CPUs may be below zero", () => {
    for (const bad of ["", "1 2 3\n", "1 -2 45 0 0 0\n", "x 2 45 0 0 0\n"]) {
      expect(() => parseDentryState(bad)).toThrow(ParseError);
    }
  });
});

describe("parseArcstats()", () => {
  it("reads the counters below the two headers", () => {
    const text =
      "9 1 0x01 147 39984 4161562930 1102345678901\nname                            type data\nhits 4 12\nsize 4 8123456789\n";
    expect([...parseClean(parseArcstats, text)]).toEqual([
      ["hits", { value: 12, line: 3 }],
      ["size", { value: 8_123_456_789, line: 4 }],
    ]);
  });
});
