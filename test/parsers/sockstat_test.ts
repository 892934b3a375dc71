import { describe, expect, it } from "vitest";
import { parseSockstat } from "../../src/parsers/sockstat.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `sockets: used 31
TCP: inuse 4 orphan 0 tw 1 alloc 5 mem 249
UDP: inuse 3 mem 142
UDPLITE: inuse 0
RAW: inuse 1
FRAG: inuse 2 memory 4096
`;

describe("parseSockstat()", () => {
  itIsRobust("parseSockstat", FIXTURE, parseSockstat);

  it("turns mem from pages into bytes and takes FRAG's memory as it is", () => {
    const sockstat = parseClean(parseSockstat, FIXTURE);
    expect(sockstat.get("UDP")).toEqual({
      counts: new Map([["inuse", 3]]),
      memBytes: 142 * 4096,
      memPages: 142,
      line: 3,
    });
    expect(sockstat.get("FRAG")).toEqual({
      counts: new Map([["inuse", 2]]),
      memBytes: 4096,
      memPages: undefined,
      line: 6,
    });
    expect([...sockstat.get("TCP")?.counts ?? []]).toEqual([["inuse", 4], ["orphan", 0], ["tw", 1], ["alloc", 5]]);
    expect(sockstat.get("sockets")?.counts.get("used")).toBe(31);
  });

  it("knows no memory where the kernel prints none or the page size is not known", () => {
    expect(parseClean(parseSockstat, FIXTURE).get("RAW")?.memBytes).toBeUndefined();
    const sockstat = parseClean(parseSockstat, FIXTURE, {});
    expect(sockstat.get("UDP")?.memBytes).toBeUndefined();
    expect(sockstat.get("FRAG")?.memBytes).toBe(4096);
  });

  it("has no UDPLITE from 7.1 on", () => {
    expect(parseClean(parseSockstat, FIXTURE.replace("UDPLITE: inuse 0\n", "")).get("UDPLITE")).toBeUndefined();
  });

  it("keeps the rest of a line with a bad number", () => {
    const { value, warnings } = parseWithWarnings(parseSockstat, "TCP: inuse 4 mem -3 tw 2 alloc\nUDP:\n");
    expect(value.get("TCP")).toEqual({ counts: new Map([["inuse", 4], ["tw", 2]]), memBytes: undefined, line: 1 });
    expect(warnings).toEqual([
      '1: not a name and a number: "mem -3"',
      '1: not a name and a number: "alloc"',
      '2: not a protocol of sockstat: "UDP:"',
    ]);
  });

  const text = live("/proc/net/sockstat");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    const sockstat = parseClean(parseSockstat, text as string);
    expect(sockstat.size).toBe((text as string).trimEnd().split("\n").length);
    expect(sockstat.get("TCP")?.memBytes).toBe(Number(/^TCP:.* mem (\d+)/m.exec(text as string)?.[1]) * 4096);
  });
});
