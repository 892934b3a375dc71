import { describe, expect, it } from "vitest";
import { parsePageFlags } from "../../src/parsers/page_flags.ts";
import { itIsRobust, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `# nailhouse page-flags census
# pages_total 6553600
# pages_read 3276800
# order flags pages symbols
0 0x0000000000000400 5730000 BUDDY
3 0x0000000000008000 62664 HEAD
9 0x0000000000409868 1024 UPTODATE,LRU,ACTIVE,MMAP,ANON,HEAD,THP
0 0x8000000100000000 12 RESERVED
`;

describe("parsePageFlags()", () => {
  itIsRobust("parsePageFlags", FIXTURE, parsePageFlags);

  it("names the flags, counts bytes and tells what part was read", () => {
    const { rows, sampledFraction } = parseClean(parsePageFlags, FIXTURE);
    expect(sampledFraction).toBe(0.5);
    expect(rows).toEqual([
      { order: 0, flags: new Set(["BUDDY"]), bytes: 5_730_000 * 4096, line: 5 },
      { order: 3, flags: new Set(["HEAD"]), bytes: 62_664 * 4096, line: 6 },
      {
        order: 9,
        flags: new Set(["UPTODATE", "LRU", "ACTIVE", "MMAP", "ANON", "HEAD", "THP"]),
        bytes: 1024 * 4096,
        line: 7,
      },
      { order: 0, flags: new Set(["RESERVED", "BIT63"]), bytes: 12 * 4096, line: 8 },
    ]);
  });

  // include/uapi/linux/kernel-page-flags.h
  it.each([
    [5, "LRU"],
    [7, "SLAB"],
    [11, "MMAP"],
    [16, "TAIL"],
    [17, "HUGE"],
    [19, "HWPOISON"],
    [20, "NOPAGE"],
    [
      23,
      "OFFLINE",
    ],
    [26, "PGTABLE"],
    [27, "BIT27"],
    [33, "MLOCKED"],
  ])("calls bit %i %s", (bit, name) => {
    const { rows } = parseClean(parsePageFlags, `0 0x${(2n ** BigInt(bit)).toString(16)} 1 ?\n`);
    expect(rows[0]?.flags).toEqual(new Set([name]));
  });

  it("knows neither bytes without the page size nor the part that was read without the totals", () => {
    const { rows, sampledFraction } = parseClean(parsePageFlags, "3 0x8000 8 HEAD\n", {});
    expect(rows).toMatchObject([{ order: 3, bytes: undefined }]);
    expect(sampledFraction).toBeUndefined();
    expect(parseClean(parsePageFlags, "# pages_total 0\n# pages_read 0\n0 0x0 1\n").sampledFraction).toBeUndefined();
  });

  it.each(["x 0x400 1 BUDDY", "31 0x400 1 BUDDY", "0 400 1 BUDDY", "0 0x1ffffffffffffffff 1", "0 0x400 -1", "0 0x400"])(
    "skips %s with a warning",
    (line) => {
      const { value, warnings } = parseWithWarnings(parsePageFlags, `${line}\n${FIXTURE}`);
      expect(value.rows).toHaveLength(4);
      expect(warnings).toEqual([`1: not a row of the census: ${JSON.stringify(line)}`]);
    },
  );
});
