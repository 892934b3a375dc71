/** aio_rings.ts, modules.ts, net_dev.ts, pressure.ts, loadavg.ts, file_nr.ts, swaps.ts, buddyinfo.ts and thp.ts. */
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseAioRings } from "../../src/parsers/aio_rings.ts";
import { parseBuddyinfo } from "../../src/parsers/buddyinfo.ts";
import { parseFileNr } from "../../src/parsers/file_nr.ts";
import { parseHugepages } from "../../src/parsers/hugepages.ts";
import { parseLoadavg } from "../../src/parsers/loadavg.ts";
import { parseModules } from "../../src/parsers/modules.ts";
import { parseNetDev } from "../../src/parsers/net_dev.ts";
import { parsePressure } from "../../src/parsers/pressure.ts";
import { parseSwaps } from "../../src/parsers/swaps.ts";
import { parseThp } from "../../src/parsers/thp.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

/** Cut anywhere, a one-line file is either parsed or a ParseError. */
function throwsOnlyParseErrors(fixture: string, parse: (text: string) => unknown): void {
  for (let cut = 0; cut <= fixture.length; cut++) {
    try {
      parse(fixture.slice(0, cut));
    } catch (error) {
      expect(error, `cut at ${cut}`).toBeInstanceOf(ParseError);
    }
  }
  expect(() => parse("")).toThrow(ParseError);
}

describe("parseAioRings()", () => {
  const FIXTURE = `# process contexts bytes
/proc/3310/maps 600 307200000
/proc/3312/maps 1 4096
`;
  itIsRobust("parseAioRings", FIXTURE, parseAioRings);

  it("reads a process a line, warns of others, and of nobody who has some there is a header", () => {
    expect(parseClean(parseAioRings, FIXTURE)[0]).toEqual({ pid: 3310, contexts: 600, bytes: 307_200_000, line: 2 });
    expect(parseClean(parseAioRings, "# process contexts bytes\n")).toEqual([]);
    expect(parseWithWarnings(parseAioRings, `aio\n${FIXTURE}`).warnings).toEqual([
      expect.stringMatching(/^1: not the rings of a process: /),
    ]);
    expect(() => parseAioRings("aio\n", { facts: {}, warn() {} })).toThrow(ParseError);
  });
});

describe("parseModules()", () => {
  // https://github.com/jds2001/coreos-sosreport-master1
  const FIXTURE = `nf_conntrack 155648 4 ipt_MASQUERADE,nf_conntrack_ipv4,nf_nat_ipv4,nf_nat, Live 0xffffffffc0a5b000
hv_balloon 24576 0 [permanent], Live 0xffffffffc0599000
`;
  itIsRobust("parseModules", FIXTURE, parseModules);

  it("reads names and sizes, and warns of what is no module", () => {
    expect(parseClean(parseModules, FIXTURE)[1]).toEqual({ name: "hv_balloon", bytes: 24_576, line: 2 });
    expect(parseWithWarnings(parseModules, `Module Size\n${FIXTURE}`).warnings).toEqual([
      expect.stringMatching(/^1: not a module: /),
    ]);
  });

  it("reads lsmod", () => {
    // RHEL 7: github.com/RedHatInsights/insights-core insights/parsers/lsmod.py
    const text = `Module                  Size  Used by
xt_CHECKSUM            12549  1
nf_nat_masquerade_ipv4    13412  1 ipt_MASQUERADE
`;
    expect(parseClean(parseModules, text).map(({ name, bytes }) => [name, bytes])).toEqual([
      ["xt_CHECKSUM", 12_549],
      ["nf_nat_masquerade_ipv4", 13_412],
    ]);
  });
});

describe("parseNetDev()", () => {
  // Linux 2.6.32 writes no blank behind the colon (sosreport of RHEL 6).
  const FIXTURE = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   14116     166    0    0    0     0          0         0    14116     166    0    0    0     0       0          0
  eth0:2882843302 20164    0    0    0     0          0         0 28313370  166    0    0    0     0       0          0
eth0:1:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;
  itIsRobust("parseNetDev", FIXTURE, parseNetDev);

  it("reads names, and warns of what is no device", () => {
    expect(parseClean(parseNetDev, FIXTURE).map(({ name, line }) => [name, line])).toEqual([
      ["lo", 3],
      ["eth0", 4],
      ["eth0:1", 5],
    ]);
    expect(parseWithWarnings(parseNetDev, `${FIXTURE}no device\n`).warnings).toEqual([
      expect.stringMatching(/^6: not a network device: /),
    ]);
    expect(() => parseNetDev("", { facts: {}, warn() {} })).toThrow(ParseError);
  });
});

describe("parsePressure()", () => {
  const FIXTURE =
    "some avg10=0.00 avg60=1.12 avg300=0.05 total=123456\nfull avg10=99.99 avg60=0.00 avg300=0.00 total=7\n";

  it("reads both lines", () => {
    expect(parseClean(parsePressure, FIXTURE)).toEqual({
      some: { avg10: 0, avg60: 1.12, avg300: 0.05, totalMicroseconds: 123_456, line: 1 },
      full: { avg10: 99.99, avg60: 0, avg300: 0, totalMicroseconds: 7, line: 2 },
    });
  });

  it("knows no full where the kernel prints none (cpu before 5.13)", () => {
    expect(parseClean(parsePressure, FIXTURE.split("\n", 1)[0] as string).full).toBeUndefined();
  });

  it("keeps one line when the other is malformed", () => {
    const { value, warnings } = parseWithWarnings(parsePressure, FIXTURE.replace("avg10=0.00", "avg10=NaN"));
    expect(value).toMatchObject({ some: undefined, full: { avg10: 99.99 } });
    expect(warnings).toEqual([expect.stringMatching(/^1: not a line of pressure: /)]);
  });

  it("throws nothing but ParseError, cut at every character", () => {
    throwsOnlyParseErrors(FIXTURE, (text) => parseWithWarnings(parsePressure, text));
  });

  const text = live("/proc/pressure/memory");
  it.skipIf(!text)("reads this machine's", () => {
    expect(parseClean(parsePressure, text as string)).toMatchObject({ some: { line: 1 }, full: { line: 2 } });
  });
});

describe("parseLoadavg()", () => {
  it("reads load and threads", () => {
    expect(parseLoadavg("3.85 1.43 0.50 4/88 6658\n")).toEqual({
      load1: 3.85,
      load5: 1.43,
      load15: 0.5,
      runnableThreads: 4,
      threads: 88,
      line: 1,
    });
  });

  it("throws nothing but ParseError, cut at every character", () => {
    throwsOnlyParseErrors("3.85 1.43 0.50 4/88 6658\n", parseLoadavg);
    expect(() => parseLoadavg("NaN 1.43 0.50 4/88 6658\n")).toThrow(ParseError);
  });

  const text = live("/proc/loadavg");
  it.skipIf(text === undefined)("reads this machine's", () => {
    expect(parseLoadavg(text as string).threads).toBeGreaterThan(1);
  });
});

describe("parseFileNr()", () => {
  it("reads the number of open files and the limit, undefined when there is none", () => {
    expect(parseFileNr("1312\t0\t2466165\n")).toEqual({ allocated: 1312, max: 2_466_165, line: 1 });
    expect(parseFileNr("1312\t0\t9223372036854775807\n").max).toBeUndefined();
  });

  it("throws nothing but ParseError, cut at every character", () => {
    throwsOnlyParseErrors("1312\t0\t2466165\n", parseFileNr);
    expect(() => parseFileNr("-1\t0\t5\n")).toThrow(ParseError);
  });
});

describe("parseSwaps()", () => {
  const FIXTURE = `Filename				Type		Size		Used		Priority
/dev/zram0                              partition	8388604		1024		100
/swap\\040file                           file		2097148		0		-2
`;
  itIsRobust("parseSwaps", FIXTURE, parseSwaps);

  it("reads sizes in bytes and negative priorities", () => {
    expect(parseClean(parseSwaps, FIXTURE)).toEqual([
      {
        filename: "/dev/zram0",
        type: "partition",
        sizeBytes: 8_388_604 * 1024,
        usedBytes: 1_048_576,
        priority: 100,
        line: 2,
      },
      { filename: "/swap\\040file", type: "file", sizeBytes: 2_097_148 * 1024, usedBytes: 0, priority: -2, line: 3 },
    ]);
  });

  it("is empty for a header alone: there is no swap", () => {
    expect(parseClean(parseSwaps, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")).toEqual([]);
  });
});

describe("parseBuddyinfo()", () => {
  const FIXTURE = `Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 
Node 1, zone   Normal   1666   1309    727    513    295    294    198    159    114     49    169 
`;

  it("reads free blocks and bytes by order", () => {
    const zones = parseClean(parseBuddyinfo, FIXTURE);
    expect(zones[0]).toEqual({
      node: 0,
      name: "DMA",
      blocks: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3],
      bytes: [0, 0, 0, 0, 0, 0, 0, 0, 256 * 4096, 512 * 4096, 3 * 1024 * 4096],
      line: 1,
    });
    expect(zones[1]).toMatchObject({ node: 1, name: "Normal", line: 2 });
    expect(parseClean(parseBuddyinfo, FIXTURE, {})[0]).toMatchObject({ bytes: undefined, blocks: expect.any(Array) });
  });

  it("keeps rows after a malformed one", () => {
    const bad = [
      "Node 0, zone DMA",
      "Node 0, zone DMA 1 -2 3",
      "Node x, zone DMA 1",
      "Node 0, zone DMA 1 9007199254740991",
    ];
    const { value, warnings } = parseWithWarnings(parseBuddyinfo, `${bad.join("\n")}\n${FIXTURE}`);
    expect(value.map(({ line }) => line)).toEqual([5, 6]);
    expect(warnings).toHaveLength(4);
  });

  it("throws nothing but ParseError, cut at every character", () => {
    throwsOnlyParseErrors(FIXTURE, (text) => parseWithWarnings(parseBuddyinfo, text));
  });

  const text = live("/proc/buddyinfo");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    expect(parseClean(parseBuddyinfo, text as string)).toHaveLength((text as string).trimEnd().split("\n").length);
  });
});

describe("parseThp()", () => {
  it("finds the setting in brackets", () => {
    expect(parseThp("always [madvise] never\n")).toEqual({ text: "madvise", line: 1 });
    expect(parseThp("[always] madvise never\n").text).toBe("always");
  });

  it("throws nothing but ParseError, cut at every character", () => {
    throwsOnlyParseErrors("always [madvise] never\n", parseThp);
    expect(() => parseThp("always madvise never\n")).toThrow(ParseError);
  });
});

describe("parseHugepages()", () => {
  it("reads a number", () => expect(parseHugepages("512\n")).toBe(512));

  it("throws ParseError for anything else", () => {
    for (const text of ["", "\n", "-1\n", "1 2\n", "99999999999999999999\n"]) {
      expect(() => parseHugepages(text)).toThrow(ParseError);
    }
  });
});
