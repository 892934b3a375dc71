import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseCgroupFolders } from "../../src/parsers/cgroup_folders.ts";
import { parseCgroupStat } from "../../src/parsers/cgroup_stat.ts";
import { parseCgroups } from "../../src/parsers/cgroups.ts";
import { parseMemoryEvents } from "../../src/parsers/memory_events.ts";
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

describe("parseCgroupStat() and parseMemoryEvents()", () => {
  it.each([parseCgroupStat, parseMemoryEvents])("read names and numbers", (parse) => {
    expect([...parseClean(parse, "a 1\nb 2\n")]).toEqual([["a", { value: 1, line: 1 }], ["b", { value: 2, line: 2 }]]);
    expect(parseWithWarnings(parse, "a 1\nb -2\n").warnings).toHaveLength(1);
    expect(() => parseClean(parse, "\n")).toThrow(ParseError);
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
