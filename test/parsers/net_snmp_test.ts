import { describe, expect, it } from "vitest";
import { parseNetSnmp } from "../../src/parsers/net_snmp.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens
Tcp: 1 200 120000 -1 17
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 154 0 39744 154 39000 0 0 0 744
`;

describe("parseNetSnmp()", () => {
  itIsRobust("parseNetSnmp", FIXTURE, parseNetSnmp);

  it("joins names and values, with the line of the values", () => {
    const snmp = parseClean(parseNetSnmp, FIXTURE);
    expect(snmp.get("Udp.RcvbufErrors")).toEqual({ value: 39_000, line: 4 });
    expect(snmp.get("Udp.MemErrors")).toEqual({ value: 744, line: 4 });
    expect(snmp.get("Tcp.MaxConn")).toEqual({ value: -1, line: 2 });
    expect(snmp.size).toBe(14);
  });

  it("knows no MemErrors where the kernel has none (5.10)", () => {
    const snmp = parseClean(parseNetSnmp, FIXTURE.replace(" MemErrors", "").replace(" 744", ""));
    expect(snmp.get("Udp.MemErrors")).toBeUndefined();
    expect(snmp.get("Udp.IgnoredMulti")?.value).toBe(0);
  });

  it("takes no value from a line that was cut off within one", () => {
    const { value, warnings } = parseWithWarnings(parseNetSnmp, FIXTURE.slice(0, FIXTURE.indexOf("000 0 0 0 744")));
    expect(value.get("Udp.OutDatagrams")?.value).toBe(154);
    expect(value.get("Udp.RcvbufErrors")).toBeUndefined();
    expect(warnings).toEqual(["4: 9 names but 5 values"]);
  });

  it("skips a bad value and keeps the others", () => {
    const { value, warnings } = parseWithWarnings(parseNetSnmp, FIXTURE.replace("39744", "18446744073709551615"));
    expect(value.get("Udp.InErrors")).toBeUndefined();
    expect(value.get("Udp.RcvbufErrors")?.value).toBe(39_000);
    expect(warnings).toEqual(['4: Udp.InErrors is no number: "18446744073709551615"']);
  });

  for (const path of ["/proc/net/snmp", "/proc/net/netstat"]) {
    const text = live(path);
    it.skipIf(text === undefined)(`reads every value of this machine's ${path}`, () => {
      const lines = (text as string).trimEnd().split("\n");
      const names = lines.filter((_, i) => i % 2 === 0).flatMap((line) => line.trim().split(" ").slice(1));
      expect(parseClean(parseNetSnmp, text as string).size).toBe(names.length);
    });
  }
});
