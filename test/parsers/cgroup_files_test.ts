import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseCgroupFolders } from "../../src/parsers/cgroup_folders.ts";
import { parseCgroupStat } from "../../src/parsers/cgroup_stat.ts";
import { parseCgroups } from "../../src/parsers/cgroups.ts";
import { parseMemoryEvents } from "../../src/parsers/memory_events.ts";
import { parseMemoryLimit } from "../../src/parsers/memory_limit.ts";
import { parseMemoryStat } from "../../src/parsers/memory_stat.ts";
import { parseZramMmStat } from "../../src/parsers/zram_mm_stat.ts";
import { parseClean, parseWithWarnings } from "./_context.ts";

describe("parseCgroups()", () => {
  it("reads controllers of both versions", () => {
    const text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t12049\t1\ncpuset\t0\t63\t0\n";
    expect([...parseClean(parseCgroups, text)]).toEqual([
      ["memory", { hierarchy: 4, groups: 12_049, enabled: true, line: 2 }],
      ["cpuset", { hierarchy: 0, groups: 63, enabled: false, line: 3 }],
    ]);
  });

  it("keeps rows after a bad one and fails without any", () => {
    const { value, warnings } = parseWithWarnings(parseCgroups, "memory\tx\t1\t1\ncpu\t1\t1\t1\n");
    expect(value.size).toBe(1);
    expect(warnings).toHaveLength(1);
    expect(() => parseClean(parseCgroups, "#subsys_name\n")).toThrow(ParseError);
  });
});

describe("parseCgroupStat(), parseMemoryEvents() and parseMemoryStat()", () => {
  it.each([parseCgroupStat, parseMemoryEvents, parseMemoryStat])("read names and numbers", (parse) => {
    expect([...parseClean(parse, "a 1\nb 2\n")]).toEqual([["a", { value: 1, line: 1 }], ["b", { value: 2, line: 2 }]]);
    expect(parseWithWarnings(parse, "a 1\nb -2\n").warnings).toHaveLength(1);
    expect(() => parseClean(parse, "\n")).toThrow(ParseError);
  });
});

describe("parseMemoryLimit() and the limits in memory.stat", () => {
  // Of pages of 4 and 64 KiB, and of 32 bits.
  it.each(["9223372036854771712", "9223372036854710272", "8796093018112", "max"])("take %s for what it is", (text) => {
    expect(parseMemoryLimit(`${text}\n`)).toBe(text === "8796093018112" ? 8_796_093_018_112 : undefined);
    const stat = `a 1\nhierarchical_memory_limit ${text.replace("max", "18446744073709551615")}\nb 2\n`;
    expect(parseClean(parseMemoryStat, stat).get("b")).toEqual({ value: 2, line: 3 });
  });

  it.each(["", "-1", "1 2", "0x10", "12M", "123456789012345678901"])("fail of %j", (text) => {
    expect(() => parseMemoryLimit(text)).toThrow(ParseError);
  });
});

describe("parseCgroupFolders()", () => {
  it("counts the memory controller's folders and no others", () => {
    expect(
      parseCgroupFolders("/sys/fs/cgroup/memory\n/sys/fs/cgroup/memory/a\n/sys/fs/cgroup/memoryless\nfind: denied\n")
        .count,
    ).toBe(2);
    expect(parseCgroupFolders("").count).toBe(0);
  });
});

describe("parseZramMmStat()", () => {
  it("reads the columns of 4.2 and later ones", () => {
    expect(parseZramMmStat(" 314572800 314572800 315031552 0 315031552 0 0 76800 76800\n")).toEqual({
      originalBytes: 314_572_800,
      compressedBytes: 314_572_800,
      usedBytes: 315_031_552,
      limitBytes: 0,
      line: 1,
    });
    expect(() => parseZramMmStat("1 2\n")).toThrow(ParseError);
  });
});
