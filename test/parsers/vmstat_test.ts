import { describe, expect, it } from "vitest";
import { pagesBytes, parseVmstat } from "../../src/parsers/vmstat.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `nr_free_pages 6096733
nr_zspages 12
nr_foll_pin_acquired 0
pgfault 1234567
`;

describe("parseVmstat()", () => {
  itIsRobust("parseVmstat", FIXTURE, parseVmstat);

  it("gives the raw numbers with their lines", () => {
    expect([...parseClean(parseVmstat, FIXTURE)]).toEqual([
      ["nr_free_pages", { value: 6_096_733, line: 1 }],
      ["nr_zspages", { value: 12, line: 2 }],
      ["nr_foll_pin_acquired", { value: 0, line: 3 }],
      ["pgfault", { value: 1_234_567, line: 4 }],
    ]);
  });

  it.each(["pgfault", "pgfault -1", "pgfault 18446744073709551615", "pgfault 1 2", "pgfault NaN"])(
    "skips %s with a warning",
    (line) => {
      const { value, warnings } = parseWithWarnings(parseVmstat, `a 1\n${line}\nb 2\n`);
      expect([...value.keys()]).toEqual(["a", "b"]);
      expect(warnings).toEqual([`2: not a name and a number: ${JSON.stringify(line)}`]);
    },
  );

  const text = live("/proc/vmstat");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    expect(parseClean(parseVmstat, text as string).size).toBe((text as string).trimEnd().split("\n").length);
  });
});

describe("pagesBytes()", () => {
  const vmstat = parseClean(parseVmstat, FIXTURE);

  it("multiplies by the bundle's page size", () => {
    expect(pagesBytes(vmstat, "nr_zspages", { pageSizeBytes: 65_536 })).toEqual({ bytes: 786_432, line: 2 });
  });

  it("is undefined, not 0, without the field or the page size", () => {
    expect(pagesBytes(vmstat, "nr_iommu_pages", { pageSizeBytes: 4096 })).toBeUndefined();
    expect(pagesBytes(vmstat, "nr_zspages", {})).toBeUndefined();
  });
});
