import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseSlabinfo } from "../../src/parsers/slabinfo.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const HEADER = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
`;
const FIXTURE =
  `${HEADER}btrfs_delayed_node      0      0    312   13    1 : tunables    0    0    0 : slabdata      0      0      0
kmalloc-2k           544    560   2048   16    8 : tunables    0    0    0 : slabdata     34     35      0
skbuff_head_cache  12320  12320    256   16    1 : tunables    0    0    0 : slabdata    770    770      0
`;

describe("parseSlabinfo()", () => {
  itIsRobust("parseSlabinfo", FIXTURE, parseSlabinfo);

  it("reads all columns and multiplies by the page size", () => {
    expect(parseClean(parseSlabinfo, FIXTURE)[1]).toEqual({
      name: "kmalloc-2k",
      activeObjects: 544,
      objects: 560,
      objectBytes: 2048,
      objectsPerSlab: 16,
      activeSlabs: 34,
      slabs: 35,
      slabBytes: 32_768,
      totalBytes: 35 * 32_768,
      line: 4,
    });
  });

  it.each([
    "CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME\nffff890c47c0e800     2048      48835     58464   3654    32k  kmalloc-2048\n",
    "CACHE            NAME                 OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE\nffff88083fc0e000 kmalloc-2048            2048      48835     58464   3654    32k\n",
  ])("reads crash's kmem -s", (text) => {
    const context = { facts: {}, warn: (): void => expect.unreachable() };
    expect(parseSlabinfo(text, context)).toEqual([{
      name: "kmalloc-2048",
      activeObjects: 48835,
      objects: 58464,
      objectBytes: 2048,
      objectsPerSlab: 16,
      activeSlabs: 3654,
      slabs: 3654,
      slabBytes: 32768,
      totalBytes: 3654 * 32768,
      line: 2,
    }]);
  });

  it("reads vmstat -m, and takes such a row for nothing without its header", () => {
    const header = "Cache                       Num  Total   Size  Pages\n";
    const rows =
      "kmalloc-2048             4199990 4200000   2048     16\next3_inode_cache          11017  12882    824     19\n";
    const caches = parseClean(parseSlabinfo, `${header}${rows}${header}dentry 40000 42000 192 21\n`);
    expect(caches).toMatchObject([
      { name: "kmalloc-2048", activeObjects: 4_199_990, objectBytes: 2048, slabs: 262_500, slabBytes: 32_768 },
      { name: "ext3_inode_cache", slabBytes: 16_384, totalBytes: 678 * 16_384, line: 3 },
      { name: "dentry", slabBytes: 4096 },
    ]);
    expect(() => parseSlabinfo(rows, { facts: {}, warn() {} })).toThrow(ParseError);
  });

  it("reads slabtop's table", () => {
    // https://github.com/coreos/bugs/issues/2637
    const text = ` Active / Total Objects (% used)    : 739390584 / 740008326 (99.9%)
 Active / Total Slabs (% used)      : 11594275 / 11594275 (100.0%)
 Active / Total Caches (% used)     : 105 / 129 (81.4%)
 Active / Total Size (% used)       : 47121380.33K / 47376581.93K (99.5%)
 Minimum / Average / Maximum Object : 0.01K / 0.06K / 8.00K

  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME                   
734506368 734506368 100%    0.06K 11476662       64  45906648K ebitmap_node           
328160  80830  24%    0.50K  10255       32    164080K kmalloc-512            
`;
    expect(parseClean(parseSlabinfo, text, {})).toEqual([
      {
        name: "ebitmap_node",
        activeObjects: 734_506_368,
        objects: 734_506_368,
        objectBytes: 61,
        objectsPerSlab: 64,
        activeSlabs: 11_476_662,
        slabs: 11_476_662,
        slabBytes: 4096,
        totalBytes: 45_906_648 * 1024,
        line: 8,
      },
      expect.objectContaining({ name: "kmalloc-512", activeObjects: 80_830, slabBytes: 16_384, line: 9 }),
    ]);
  });

  it("reads slabtop's table without units, as uutils prints it", () => {
    // https://github.com/uutils/procps/pull/42
    const text =
      "  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME\n   632    632 100%    8.00K    158        4       5056 kmalloc-8k\n";
    expect(parseClean(parseSlabinfo, text)).toMatchObject([{ name: "kmalloc-8k", totalBytes: 5056 * 1024 }]);
  });

  it("reads slabtop's table in a language with a decimal comma", () => {
    // https://github.com/markfasheh/duperemove/issues/42
    const text =
      "  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME\n 22330  11894  53%    0,56K   3190        7     12760K radix_tree_node\n";
    expect(parseClean(parseSlabinfo, text)).toMatchObject([{
      name: "radix_tree_node",
      objectBytes: 573,
      totalBytes: 12_760 * 1024,
    }]);
  });

  it("has no total without the page size, and an empty cache has one of 0", () => {
    // Half of the objects that would fit: its rows do not tell it either.
    const other = FIXTURE.replaceAll(/ (13|16) +(?=\d+ :)/g, " 3 ");
    expect(parseClean(parseSlabinfo, other, {})[1]).toMatchObject({ slabBytes: undefined, totalBytes: undefined });
    expect(parseClean(parseSlabinfo, FIXTURE)[0]).toMatchObject({ totalBytes: 0 });
  });

  it("keeps rows after a malformed one", () => {
    const bad = [
      "",
      "kmalloc-4k",
      "kmalloc-4k 1 2 3 : tunables 0 0 0 : slabdata 1 1 0",
      "kmalloc-4k -1 2 3 4 5 : tunables 0 0 0 : slabdata 1 1 0",
      "kmalloc-4k 1 2 3 4 5 : tunables 0 0 0 : slabdata 1 99999999999999999999 0",
      "1 2 3 4 5 : tunables 0 0 0 : slabdata 1 1 0",
    ];
    const { value, warnings } = parseWithWarnings(parseSlabinfo, `${bad.join("\n")}\n${FIXTURE}`);
    expect(value.map(({ name }) => name)).toEqual(["btrfs_delayed_node", "kmalloc-2k", "skbuff_head_cache"]);
    expect(warnings.map((warning) => warning.split(":", 1)[0])).toEqual(["2", "3", "4", "5", "6"]);
  });

  it.each([
    // Linux 2.5: https://lore.kernel.org/lkml/ (Dieter Nützel, 2.5.53); an e-mail as it was sent: https://bugzilla.kernel.org/show_bug.cgi?id=12832
    "slabinfo - version: 1.2\nreiser_inode_cache   3900  19320    384 1932 1932    1 :  120   60\n",
    "slabinfo - version: 2.1\nfasync_cache      313798 313820     24  170    1 : tunables    0    0    0 =\n: slabdata   1846   1846      0\n",
  ])("does not take rows that it does not know for no caches", (text) => {
    expect(() => parseSlabinfo(text, { facts: {}, warn() {} })).toThrow(ParseError);
  });

  it("reads a name with blanks, and the statistics that a SLAB kernel adds", () => {
    const text = "slabinfo - version: 2.1 (statistics)\n" +
      "my own cache 1 2 64 64 1 : tunables 120 60 8 : slabdata 1 2 0 : globalstat 1 1 1 0 0 0 0 0 0 : cpustat 1 1 0 0\n";
    expect(parseClean(parseSlabinfo, text)).toMatchObject([{ name: "my own cache", objects: 2, totalBytes: 8192 }]);
  });

  it("takes time in proportion to the length of a hostile row of slabtop", async () => {
    const row = (size: number) => ` 100 100 100%    2.00K   4 16 137952K kmalloc-2048${" ".repeat(size)}x`;
    // 45 billion steps for 300,000 if each space were tried for the last one.
    const read = (size: number) => expect(parseClean(parseSlabinfo, `${row(size)}\n`)).toHaveLength(1);
    expect(await growth(read, 200_000)).toBeLessThan(IN_PROPORTION);
  });

  // https://github.com/ryran/xsos/issues/194, and sizes as a kernel of 64 KiB pages has them
  it.each([
    [
      4096,
      "dentry             47807  50589    192   21    1 : tunables    0    0    0 : slabdata   2409   2409      0\n" +
      "radix_tree_node    45266  45395    584   28    4 : tunables    0    0    0 : slabdata   1622   1622      0\n" +
      "task_struct         1388   1792   5952    5    8 : tunables    0    0    0 : slabdata     64     64      0\n",
    ],
    [65_536, "dentry  47807  50589    192   341    1 : tunables    0    0    0 : slabdata   149   149      0\n"],
    // No kernel makes such a slab.
    [undefined, "a  1 1 8 1 1 : tunables 0 0 0 : slabdata 1 1 0\n"],
  ])("tells the page size by what fits in a slab: %s", (pageSize, text) => {
    const [cache] = parseSlabinfo(text, { facts: {}, warn() {} });
    expect(cache?.slabBytes).toBe(pageSize);
    // Where it is known it is that one.
    expect(parseSlabinfo(text, { facts: { pageSizeBytes: 16_384 }, warn() {} })[0]?.slabBytes).toBe(16_384);
  });

  // https://github.com/vel21ripn/nDPI/issues/116, and a blog's slabtop
  it("reads rows that people marked", () => {
    const text =
      "**ndpi_ctinfo       4147038 4147038    176   23    1 : tunables    0    0    0 : slabdata 180306 180306      0**\n" +
      "14565320 14565248  99%    0.19K 728266       20   2913064K dentry <==\n" +
      "\t926480 925875  99%    0.10K  25040       37    100160K buffer_head\n";
    expect(parseClean(parseSlabinfo, text)).toMatchObject([
      { name: "ndpi_ctinfo", objects: 4_147_038, slabs: 180_306 },
      { name: "dentry", totalBytes: 2_913_064 * 1024 },
      { name: "buffer_head" },
    ]);
  });

  it("reads the usual rows as it reads all others", () => {
    const numbers = fc.constantFrom("0", "7", "00", "544", "9".repeat(15));
    const odd = fc.constantFrom(
      "",
      "a",
      "#",
      "-1",
      "9".repeat(17),
      "\t",
      "\u00a0",
      "7 8",
      " : slabdata 1 2 0",
      "x : tunables 1",
    );
    const names = fc.constantFrom("kmalloc-2k", "dentry(12:pod)", "7", "#", ":");
    const list = (length: number) => fc.array(numbers, { minLength: length, maxLength: length });
    // Most are as usual; of the others one word is not.
    const rows = fc.tuple(names, list(5), list(3), list(3), fc.option(fc.tuple(fc.nat(11), odd), { freq: 2 })).map(
      ([name, sizes, tunables, slabs, change]) => {
        const words = [name, ...sizes, ...tunables, ...slabs];
        if (change !== null) words[change[0]] = change[1];
        return `${words.slice(0, 6).join("  ")} : tunables ${words.slice(6, 9).join(" ")} : slabdata ${
          words.slice(9).join("  ")
        }`;
      },
    );
    const parse = (row: string) => parseWithWarnings(parseSlabinfo, `${FIXTURE}${row}\n`);
    fc.assert(
      fc.property(rows, (row) => {
        // What follows a colon makes it a row that the expression for the usual ones does not take.
        const [usual, other] = [parse(row), parse(`${row} : cpustat 1`)];
        expect(usual.value).toEqual(other.value);
        expect(usual.warnings.length).toBe(other.warnings.length);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps the first of what is there at several times", () => {
    const [, , ...rows] = FIXTURE.trimEnd().split("\n");
    const twice = parseWithWarnings(parseSlabinfo, `${FIXTURE}${FIXTURE}`);
    expect(twice.value).toEqual(parseClean(parseSlabinfo, FIXTURE));
    expect(twice.warnings).toEqual(["6: the caches at another time: left out"]);
    // freifunk-gluon/gluon#1768: of a loop that greps one cache.
    const picked = parseWithWarnings(parseSlabinfo, `${rows[1]}\n${rows[1]?.replace("544", "560")}\n${rows[2]}\n`);
    expect(picked.value.map(({ name, activeObjects }) => [name, activeObjects])).toEqual([
      ["kmalloc-2k", 544],
      ["skbuff_head_cache", 12_320],
    ]);
    expect(picked.warnings).toEqual(['2: "kmalloc-2k" at another time: left out']);
  });

  it("is empty for a header alone, but throws for an empty file", () => {
    expect(parseClean(parseSlabinfo, HEADER)).toEqual([]);
    expect(() => parseWithWarnings(parseSlabinfo, "")).toThrow(ParseError);
  });

  const text = live("/proc/slabinfo");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    const caches = parseClean(parseSlabinfo, text as string);
    expect(caches).toHaveLength((text as string).trimEnd().split("\n").length - 2);
    expect(caches.every(({ slabs, objects, objectsPerSlab }) => slabs * objectsPerSlab === objects)).toBe(true);
  });
});
