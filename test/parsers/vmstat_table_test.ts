import { describe, expect, it } from "vitest";
import { parseVmstatTable } from "../../src/parsers/vmstat_table.ts";

const TITLES = `procs -----------memory---------- ---swap-- -----io---- -system-- ----cpu----
 r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa
`;
/** https://pc-freak.net/blog/2011/03/13/ */
const SINCE_START = " 3  3 641308  90468  75180 3357452    1    1    14    31    0    0  3  1 95  1\n";
const row = (si: number, so: number): string =>
  ` 1  1 641308  60828  74900 3383536 ${si} ${so}     6   524 3729 2179  4  1 94  1\n`;

describe("parseVmstatTable()", () => {
  it("leaves out what is or may be of the time since the start: the rows right below titles", () => {
    const rows = parseVmstatTable(`${TITLES}${SINCE_START}${row(9120, 8340)}${TITLES}${row(9, 9)}${row(0, 4)}`);
    expect(rows).toEqual([
      { swapInBytes: 9120 * 1024, swapOutBytes: 8340 * 1024, line: 4 },
      { swapInBytes: 0, swapOutBytes: 4096, line: 8 },
    ]);
    expect(parseVmstatTable(`${TITLES}${SINCE_START}`)).toEqual([]);
    // `vmstat; sleep 60; vmstat`
    expect(parseVmstatTable(`${TITLES}${row(9120, 8340)}${TITLES}${row(9120, 8340)}`)).toEqual([]);
  });

  it.each([["vmstat -S M 1", 2 ** 20], ["vmstat -Sm 1", 1e6], ["vmstat 1", 1024], ["vmstat -w -S k", 1000]])(
    "has the unit of the command above: %s",
    (command, unit) => {
      const [first] = parseVmstatTable(`$ ${command}\n${TITLES}${SINCE_START}${row(3, 2)}`);
      expect(first).toMatchObject({ swapInBytes: 3 * unit, swapOutBytes: 2 * unit });
    },
  );

  it("refuses what is none", () => expect(() => parseVmstatTable("r b\n1 2\n")).toThrow("no title"));
});
