import { describe, expect, it } from "vitest";
import { loosePath } from "../../src/bundle/_loose.ts";
import { parseFree } from "../../src/parsers/free.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const [KIB, MIB, GIB] = [2 ** 10, 2 ** 20, 2 ** 30];

function parse(text: string): { [field: string]: number } {
  const { bytes } = parseFree(text, { facts: {}, warn() {} });
  return Object.fromEntries([...bytes].map(([field, { bytes: amount }]) => [field, amount]));
}

describe("parseFree()", () => {
  // https://github.com/raspberrypi/bookworm-feedback/issues/275
  it("reads the table of procps 3.3.10 and newer", () => {
    const text = `               total        used        free      shared  buff/cache   available
Mem:         3862616     1817412     1306520      148232      964400     2045204
Swap:              0           0           0
`;
    expect(parse(text)).toEqual({
      MemTotal: 3_862_616 * KIB,
      MemFree: 1_306_520 * KIB,
      Shmem: 148_232 * KIB,
      "buff/cache": 964_400 * KIB,
      MemAvailable: 2_045_204 * KIB,
      SwapTotal: 0,
      SwapFree: 0,
    });
    expect(parseFree(text, { facts: {}, warn() {} }).bytes.get("MemFree")?.line).toBe(2);
  });

  // https://github.com/rfjakob/earlyoom/issues/20
  it("reads the old table, and units of free -h", () => {
    const text = `             total       used       free     shared    buffers     cached
Mem:           30G        27G       3.6G        13G       228M        15G
-/+ buffers/cache:        11G        19G
Swap:           0B         0B         0B
`;
    expect(parse(text)).toEqual({
      MemTotal: 30 * GIB,
      MemFree: Math.round(3.6 * GIB),
      Shmem: 13 * GIB,
      Buffers: 228 * MIB,
      Cached: 15 * GIB,
      SwapTotal: 0,
      SwapFree: 0,
    });
  });

  it("reads the head of top in other languages, and with decimal commas", () => {
    const german = `MiB Spch:  15884,4 gesamt,    512,3 frei,  14012,2 belegt,   1359,9 Puff/Cache
MiB Swap:   2048,0 gesamt,   2048,0 frei,      0,0 belegt.   1500,2 verfü Spch
`;
    const english = `MiB Mem :  15884,4 total,    512,3 free,  14012,2 used,   1359,9 buff/cache
MiB Swap:   2048,0 total,   2048,0 free,      0,0 used.   1500,2 avail Mem
`;
    const expected = {
      MemTotal: Math.round(15_884.4 * MIB),
      MemFree: Math.round(512.3 * MIB),
      "buff/cache": Math.round(1359.9 * MIB),
      MemAvailable: Math.round(1500.2 * MIB),
      SwapTotal: 2048 * MIB,
      SwapFree: 2048 * MIB,
    };
    for (const text of [german, english]) {
      expect(loosePath(new TextEncoder().encode(text))).toBe("sos_commands/memory/free");
      expect(parse(text)).toEqual(expected);
    }
    // Of 3.3.9 and before, where what is free stands third.
    expect(() => parse("KiB Spch:   1000000 gesamt,  900000 belegt,   100000 frei,    5000 Puffer\n")).toThrow(
      "Cannot parse free",
    );
  });

  // numactl/numactl#150
  it("adds up what the kernel tells of each node", () => {
    const node = (number: number, free: number): string =>
      ["MemTotal:       8000000 kB", `MemFree:        ${free} kB`, "SUnreclaim:      1000 kB", "HugePages_Total:     5"]
        .map((row) => `Node ${number} ${row}\n`).join("");
    const text = node(0, 7_000_000) + node(1, 500_000);
    expect(loosePath(new TextEncoder().encode(text))).toBe("sos_commands/memory/free");
    const { bytes } = parseFree(text, { facts: {}, warn() {} });
    expect(["MemTotal", "MemFree", "SUnreclaim", "Hugetlb"].map((field) => bytes.get(field)?.bytes)).toEqual(
      [16_000_000, 7_500_000, 2000].map((kib) => kib * 1024).concat([undefined as never]),
    );
  });

  it("reads numastat -m, whose last column is of all nodes", () => {
    const text = `Per-node system memory usage (in MBs):
Token FileHugePages not in hash table.
                          Node 0          Node 1           Total
                 --------------- --------------- ---------------
MemTotal                 7452.83         8029.30        15482.13
MemFree                  5217.58         5529.51        10747.09
MemUsed                  2235.25         2499.79         4735.04
Active(anon)                0.77            0.40            1.18
FilePages                  61.59          231.61          293.20
SUnreclaim                 10.00           20.50           30.50
HugePages_Total            20.00           20.00           40.00
`;
    expect(loosePath(new TextEncoder().encode(text))).toBe("sos_commands/memory/free");
    expect(parse(text)).toEqual({
      MemTotal: Math.round(15_482.13 * MIB),
      MemFree: Math.round(10_747.09 * MIB),
      Cached: Math.round(293.2 * MIB),
      SUnreclaim: 30.5 * MIB,
      Hugetlb: 40 * MIB,
    });
  });

  // smem 1.4, showsystem(): userspace is AnonPages and Mapped, the kernel's the rest; what the firmware has is no part of MemTotal.
  it("reads smem -w, also with units", () => {
    const text = `Area                           Used      Cache   Noncache
firmware/hardware            678488          0     678488
kernel image                      0          0          0
kernel dynamic memory      10681456    2290100    8391356
userspace memory            1216324     212340    1003984
free memory                 4200948    4200948          0
----------------------------------------------------------
                           16098728    6703388    9395340
`;
    expect(parse(text)).toEqual({
      MemTotal: (10_681_456 + 1_216_324 + 4_200_948) * KIB,
      MemFree: 4_200_948 * KIB,
      "buff/cache": (2_290_100 + 212_340) * KIB,
      AnonPages: 1_003_984 * KIB,
      Mapped: 212_340 * KIB,
    });
    const withUnits = text.replace(/kernel dynamic .*/, "kernel dynamic memory  10.2G    2.2G    8.0G");
    expect(parse(withUnits).MemTotal).toBe(Math.round(10.2 * GIB) + (1_216_324 + 4_200_948) * KIB);
    // Percentages (-p) have no unit.
    expect(() => parse(text.replaceAll(/(?<= )(\d+)(?= |$)/gm, "1.00%"))).toThrow(/no row/);
  });

  it("takes nothing for 0 that the old table does not tell", () => {
    const text = "             total       used       free     shared    buffers     cached\n" +
      "Mem:        515792     501372      14420          0      54784     240360\n";
    expect(parse(text)).not.toHaveProperty("Shmem");
    // The new one tells it.
    expect(parse(text.replace("buffers     cached", "buff/cache  available"))).toMatchObject({ Shmem: 0 });
  });

  it("reads what free -w tells apart as one", () => {
    const text = "               total        used        free      shared     buffers       cache   available\n" +
      "Mem:        16266528     7607364      184564        3616      100000     8374600     8104800\n";
    expect(parse(text)).toMatchObject({ "buff/cache": 8_474_600 * KIB });
    expect(parse(text)).not.toHaveProperty("Buffers");
  });

  it.each([
    ["$ free -m", MIB],
    ["$ free --mebi", MIB],
    ["$ free -g", GIB],
    ["$ free", KIB],
    ["$ free && grep Slab /proc/meminfo", KIB],
    ["$ free -tm", MIB],
    ["$ free -b", 1],
    ["$ free --mega", 1_000_000],
    ["$ free -m --si", 1_000_000],
  ])("takes the unit from the command line above: %s", (command, unit) => {
    const text = `${command}\n total used free shared buff/cache available\nMem: 982 680 88 6 213 156\n`;
    expect(parse(text)).toMatchObject({ MemTotal: 982 * unit, MemFree: 88 * unit });
  });

  it("reads crash's kmem -i, whose pages tell more than its rounded sizes", () => {
    const text = `crash> kmem -i
                 PAGES        TOTAL      PERCENTAGE
    TOTAL MEM  8151424      31.1 GB         ----
         FREE    74133     289.6 MB    0% of TOTAL MEM
         USED  8077291      30.8 GB   99% of TOTAL MEM
       SHARED     8842      34.5 MB    0% of TOTAL MEM
      BUFFERS     1041       4.1 MB    0% of TOTAL MEM
       CACHED    70145       274 MB    0% of TOTAL MEM
         SLAB  7412220      28.3 GB   90% of TOTAL MEM

   TOTAL SWAP        0            0         ----
`;
    expect(loosePath(new TextEncoder().encode(text.slice(text.indexOf("\n") + 1)))).toBe("sos_commands/memory/free");
    expect(parse(text)).toEqual({
      MemTotal: 8151424 * 4096,
      MemFree: 74133 * 4096,
      Buffers: 1041 * 4096,
      Cached: 70145 * 4096,
      Slab: 7412220 * 4096,
      SwapTotal: 0,
    });
  });

  it.each([
    [
      "German",
      "              gesamt       benutzt     frei      gemns.     Puffer/Cache verf\u00fcgbar\nSpeicher:    7,8Gi       7,1Gi       150Mi       100Mi       561Mi       221Mi\nSwap:          2,0Gi       2,0Gi        10Mi\n",
      7.8 * GIB,
      221 * MIB,
      2 * GIB,
    ],
    [
      "French",
      "$ free -m\n               total       utilis\u00e9      libre     partag\u00e9 tamp/cache   disponible\nMem:            7821        6903         211          12         706         640\nPartition d'\u00e9change:    2047        2047           0\n",
      7821 * MIB,
      640 * MIB,
      2047 * MIB,
    ],
    [
      "Chinese",
      "$ free -m\n               \u603b\u8ba1         \u5df2\u7528        \u7a7a\u95f2      \u5171\u4eab    \u7f13\u51b2/\u7f13\u5b58    \u53ef\u7528\n\u5185\u5b58\uff1a         7821        6903         211          12         706         640\n\u4ea4\u6362\uff1a         2047        2047           0\n",
      7821 * MIB,
      640 * MIB,
      2047 * MIB,
    ],
    [
      "French of long ago",
      "             total       utilis\u00e9     libre     partag\u00e9    tampons      cache\nMem:       8009048     7900412     108636          0      12404     201292\n-/+ tampons/cache:  7686716     322332\nPartition d'\u00e9change: 2104496    2104496    0\n",
      8009048 * KIB,
      undefined,
      2104496 * KIB,
    ],
  ])("has the same columns in other languages: %s", (_, text, total, available, swap) => {
    expect(loosePath(new TextEncoder().encode(text.replace(/^\$.*\n/, "")))).toBe("sos_commands/memory/free");
    const { MemTotal, MemAvailable, SwapTotal, Cached } = parse(text);
    expect({ MemTotal, MemAvailable, SwapTotal }).toEqual({
      MemTotal: Math.round(total),
      MemAvailable: available,
      SwapTotal: swap,
    });
    expect(Cached).toBe(available === undefined ? 201292 * KIB : undefined);
  });

  it.each([
    // Not all are multiples of 4, as numbers of pages in KiB are.
    ["7746 323 6686 647 737 6598", MIB],
    ["16268028 6917832 168252 3616 9181944 5733016", KIB],
    ["515753 402413 20410 31 92930 108022", MIB],
    ["4112408576 1861029888 1337876480 151789568 987545600 2094288896", 1],
  ])("tells the unit by the numbers themselves: %s", (numbers, unit) => {
    const text = `total used free shared buff/cache available\nMem: ${numbers}\n`;
    expect(parse(text)).toMatchObject({ MemTotal: Number(numbers.split(" ")[0]) * unit });
  });

  it.each([
    ["GiB and MiB", "62 41 2 1 18 19"],
    // https://github.com/mate-desktop/mate-applets/pull/467: free --kilo, in a script.
    ["kB and MiB", "33667661 331567 32742289 5193 593805 32931643"],
    ["too few numbers to tell", "7744 0 0 0 0 0"],
  ])("does not guess between %s", (_, numbers) => {
    const text = `total used free shared buff/cache available\nMem: ${numbers}\n`;
    expect(() => parse(text)).toThrow("nothing tells the unit");
    // A unit would not help where its lines were joined.
    expect(() => parse("total used free shared buffers cached Mem: 8000 7000 1000 0 0 4000\n")).toThrow("no row");
  });

  it.each([
    [
      "KiB Mem :  1005740 total,    93400 free,   699632 used,   212708 buff/cache\n" +
      "KiB Swap:  2097148 total,  1540604 free,   556544 used.   157672 avail Mem \n",
      {
        MemTotal: 1_005_740 * KIB,
        MemFree: 93_400 * KIB,
        "buff/cache": 212_708 * KIB,
        SwapTotal: 2_097_148 * KIB,
        SwapFree: 1_540_604 * KIB,
        MemAvailable: 157_672 * KIB,
      },
    ],
    [
      "Mem:    48168M total, 48015M used,   152M free,  173M buffers\n" +
      "Swap:   99331M total, 10290M used, 89041M free, 2086M cached\n",
      {
        MemTotal: 48_168 * MIB,
        MemFree: 152 * MIB,
        Buffers: 173 * MIB,
        SwapTotal: 99_331 * MIB,
        SwapFree: 89_041 * MIB,
        Cached: 2086 * MIB,
      },
    ],
    [
      "\tMiB Mem :   7945.3 total,    502.1 free,   5121.9 used,   2321.3 buff/cache\n",
      {
        MemTotal: Math.round(7945.3 * MIB),
        MemFree: Math.round(502.1 * MIB),
        "buff/cache": Math.round(2321.3 * MIB),
      },
    ],
    // As top of RHEL 7 prints numbers of 9 digits, and of 10.
    [
      "KiB Mem : 19765432+total, 20123456 free, 15531087+used, 22220000 buff/cache\n" +
      "KiB Swap: 10485759+total, 98765432 free,  6092167 used. 11234567+avail Mem \n",
      {
        MemTotal: 197_654_320 * KIB,
        MemFree: 20_123_456 * KIB,
        "buff/cache": 22_220_000 * KIB,
        SwapTotal: 104_857_590 * KIB,
        MemAvailable: 112_345_670 * KIB,
      },
    ],
    [
      "KiB Mem : 15839123+total, 41234567+free, 80123456+used, 37033210+buff/cache\n",
      { MemTotal: 1_583_912_300 * KIB, MemFree: 412_345_670 * KIB, "buff/cache": 370_332_100 * KIB },
    ],
    ["MiB Mem : 1031851.+total, 500100.2 free, 200200.3 used, 331550.7 buff/cache\n", { MemTotal: 1_031_851 * MIB }],
    [
      "MEM | tot    62.5G  | free    1.2G |               |  cache   3.9G | dirty   4.4M  | buff    4.6M |  slab    0.7G |\t\t |\n" +
      "MEM | numnode    2  |              |  shmem   2.0G |               | shrss   0.5M  | tcpsk   6.0M |\n" +
      "SWP | tot     8.0G  | free    0.0M |               |  swcac   0.1M |\n",
      {
        MemTotal: 62.5 * GIB,
        MemFree: Math.round(1.2 * GIB),
        Cached: Math.round(3.9 * GIB),
        Slab: Math.round(0.7 * GIB),
        Shmem: 2 * GIB,
        SwapTotal: 8 * GIB,
        SwapFree: 0,
      },
    ],
    [
      "      4020152 K total memory\n       452268 K used memory\n      2448760 K free memory\n       384428 K buffer memory\n" +
      "       734696 K swap cache\n      4192252 K total swap\n            0 K used swap\n      4192248 K free swap\n",
      {
        MemTotal: 4_020_152 * KIB,
        MemFree: 2_448_760 * KIB,
        "buff/cache": (384_428 + 734_696) * KIB,
        SwapTotal: 4_192_252 * KIB,
        SwapFree: 4_192_248 * KIB,
      },
    ],
    // busybox
    [
      "Mem: 113788K used, 5472K free, 1424K shrd, 0K buff, 4864K cached\n",
      { MemTotal: 119_260 * KIB, MemFree: 5472 * KIB, Buffers: 0, Cached: 4864 * KIB },
    ],
  ])("reads the head of top and of atop, and vmstat -s: %j", (text, expected) => {
    expect(loosePath(new TextEncoder().encode(text))).toBe("sos_commands/memory/free");
    expect(parse(text)).toMatchObject(expected);
  });

  it("does not take a number for one of 9 digits where top leaves it open", () => {
    const swap = "KiB Swap:        0 total,        0 free,        0 used. 79123456+avail Mem \n";
    const text = `KiB Mem : 15839123+total, 41234567+free, 80123456+used, 37033210+buff/cache\n${swap}`;
    expect(parse(text)).not.toHaveProperty("MemAvailable");
    expect(() => parse("KiB Mem : 15839123+total, 41234567+free, 10123456+used, 37033210+buff/cache\n")).toThrow();
  });

  it("adds up only what the sum is of, however many numbers did not fit", () => {
    const names = "total free used shrd shmem buff/cache buffers buff cached avail".split(" ");
    const row = `KiB Mem : ${names.map((name, i) => `${i === 0 ? 12345678 : 1}+${name}`).join(", ")}\n`;
    const started = performance.now();
    expect(() => parse(row.repeat(3000))).toThrow();
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each(["", "free: command not found\n", "Mem: x y z\n", "total used free\nMem: 9999999999999999999 1 2\n"])(
    "throws for what tells no size: %j",
    (text) => expect(() => parse(text)).toThrow("Cannot parse free"),
  );

  it("takes time in proportion to the length of a hostile row", async () => {
    const row = (size: number) => `KiB Mem : ${"1 ".repeat(size)}${" ".repeat(size)}1 total`;
    expect(await growth((size) => parse(row(size)), 50_000)).toBeLessThan(IN_PROPORTION);
  });
});
