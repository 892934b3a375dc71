/** Recorded files are of this project's own machine: sysstat 12.6.1, atop 2.8.1, Prometheus 2.42 with node_exporter 1.5. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import {
  parseAtopMemory,
  parseDate,
  parseMemoryHistory,
  parsePrometheusMemory,
  parseSadfJson,
  parseSadfTable,
  parseSadfXml,
  parseSar,
  type RecordedMemory,
} from "../../src/parsers/mod.ts";
import { contextOf, itIsRobust, parseClean, parseWithWarnings } from "./_context.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const recorded = (name: string): string => readFileSync(new URL(`recorded/${name}.txt`, import.meta.url), "utf8");

/** Time, line and amounts in KiB of a point. */
const shown = ({ points }: RecordedMemory): unknown[] =>
  points.map(({ time, bytes }) => [
    new Date(time).toISOString().slice(0, 16),
    ...["MemFree", "MemAvailable", "AnonPages", "Slab"].map((name) => (bytes.get(name) ?? NaN) / 1024),
  ]);

/** 01:30 to 02:35 of the day, with a restart at 02:00. */
const HOUR = [
  ["2026-11-23T01:40", 22704880, 23586968],
  ["2026-11-23T01:50", 22704880, 23586968],
  ["2026-11-23T02:10", 22673728, 23555816],
  ["2026-11-23T02:20", 22673728, 23555816],
  ["2026-11-23T02:30", 22673728, 23555816],
];
const RESTART = Date.UTC(2026, 10, 23, 2);

describe("parseSar()", () => {
  itIsRobust("parseSar", recorded("sar-en_US"), parseSar);

  it("reads sar -r ALL of a day", () => {
    const day = parseClean(parseSar, recorded("sar"));
    expect(day).toMatchObject({ recorder: "sysstat", hostname: "vm", clock: "local" });
    expect(day.points).toHaveLength(57);
    expect(shown(day).at(-1)).toEqual(["2026-11-23T09:40", 22303904, 23186396, 1014184, 472452]);
    expect(recorded("sar").split("\n")[(day.points.at(-1)?.line ?? 0) - 1]).toContain("22303904");
    expect(day.restarts.map(({ time }) => time)).toEqual([RESTART]);
  });

  it("finds the memory table among those of sar -A", () => {
    const hour = parseClean(parseSar, recorded("sar-A"));
    expect(shown(hour).map((row) => (row as unknown[]).slice(0, 3))).toEqual(HOUR);
    expect(hour.restarts.map(({ time }) => time)).toEqual([RESTART]);
  });

  it.each(["en_US", "de_DE", "en_GB", "ja_JP"])("reads the times, dates and decimal commas of %s", (locale) => {
    const hour = parseClean(parseSar, recorded(`sar-${locale}`));
    expect(shown(hour).map((row) => (row as unknown[]).slice(0, 3))).toEqual(HOUR);
    expect(hour.restarts.map(({ time }) => time)).toEqual([RESTART]);
  });

  const header = "kbmemfree kbmemused  %memused kbbuffers  kbcached  kbcommit   %commit  kbactive   kbinact   kbdirty";
  const values = "452360   7559928     94.35    138508    314660  16071940     99.38   1        2   3";

  it("reads the twelve-hour clock around noon and midnight, and columns of sysstat 10 without kbavail", () => {
    const text = `Linux 3.10.0-327.el7.x86_64 (old) \t01/11/2017 \t_x86_64_\t(8 CPU)\n\n12:00:01 AM ${header}\n` +
      ["12:10:01 AM", "11:50:01 AM", "12:00:01 PM", "11:50:01 PM", "12:00:01 AM"].map((at) => `${at} ${values}\n`)
        .join("");
    const { points } = parseClean(parseSar, text);
    expect(points.map(({ time }) => new Date(time).toISOString().slice(5, 16))).toEqual([
      "01-11T00:10",
      "01-11T11:50",
      "01-11T12:00",
      "01-11T23:50",
      "01-12T00:00",
    ]);
    expect([...points[0]?.bytes.keys() ?? []]).toEqual(["MemFree", "Buffers", "Cached"]);
  });

  it("takes the day before the capture when 03/04 may be of March or of April", () => {
    const text = `Linux 6.1.0 (vm) \t03/04/26 \t_x86_64_\t(2 CPU)\n\n00:00:01 ${header}\n00:10:01 ${values}\n`;
    const dayAt = (capturedAt: number): string =>
      new Date(parseSar(text, { facts: { capturedAt }, warn() {} }).points[0]?.time ?? 0).toISOString().slice(0, 10);
    expect(dayAt(Date.UTC(2026, 2, 5))).toBe("2026-03-04");
    expect(dayAt(Date.UTC(2026, 3, 4))).toBe("2026-04-03");
  });

  it("reads several days one after the other", () => {
    const other = recorded("sar-en_US").replace("11/23/2026", "11/22/2026");
    const { points } = parseClean(parseSar, other + recorded("sar-en_US"));
    expect(points.map(({ time }) => new Date(time).toISOString().slice(8, 10)).join(" "))
      .toBe("22 22 22 22 22 23 23 23 23 23");
  });

  it("keeps the rows around a malformed one, and rounded ones of sar -h are malformed", () => {
    const { value, warnings } = parseWithWarnings(
      parseSar,
      recorded("sar-en_US").replace("22704880", "21.7G"),
    );
    expect(value.points).toHaveLength(4);
    expect(warnings).toEqual([
      expect.stringMatching(/^4: not a row of the memory table \(sar must be run without -h\)/),
    ]);
  });

  it("needs the line with the day", () => {
    const table = recorded("sar-en_US").split("\n").slice(1).join("\n");
    expect(() => parseSar(table, contextOf().context)).toThrow(/no line like "Linux .*" tells the day/);
  });
});

describe.each(
  [
    ["parseSadfJson", parseSadfJson, "sadf-j", '"utc": 1', '"utc": 0', "22704880", '"many"'],
    ["parseSadfXml", parseSadfXml, "sadf-x", 'utc="1"', 'utc="0"', "22704880", "many"],
    ["parseSadfTable", parseSadfTable, "sadf-d", " UTC;", ";", "22704880", "many"],
  ] as const,
)("%s()", (name, parse, file, utc, local, amount, wrong) => {
  itIsRobust(name, recorded(file), parse);

  it("reads what sar reads of the same file", () => {
    const hour = parseClean(parse, recorded(file));
    expect(hour).toMatchObject({ recorder: "sysstat", hostname: "vm", clock: "utc" });
    const text = parseClean(parseSar, recorded("sar-A"));
    expect(hour.points.map(({ time, bytes }) => ({ time, bytes }))).toEqual(
      text.points.map(({ time, bytes }) => ({ time, bytes })),
    );
    expect(hour.restarts.map(({ time }) => time)).toEqual([RESTART]);
  });

  it("notices local time", () => {
    expect(parse(recorded(file).replaceAll(utc, local), contextOf().context).clock).toBe("local");
  });

  it("warns of an amount that is none, and keeps the rest", () => {
    const { value, warnings } = parseWithWarnings(parse, recorded(file).replace(amount, wrong));
    expect(value.points.length).toBeGreaterThanOrEqual(4);
    expect(value.points.at(-1)?.bytes.get("MemFree")).toBe(22673728 * 1024);
    expect(warnings).toHaveLength(1);
  });
});

describe("parseAtopMemory()", () => {
  itIsRobust("parseAtopMemory", recorded("atop"), parseAtopMemory);

  it("reads MEM rows, in pages of the size in the row", () => {
    const { points, hostname, restarts } = parseClean(parseAtopMemory, recorded("atop"));
    expect(hostname).toBe("vm");
    expect(points.map(({ time }) => time / 1000)).toEqual([1795427256, 1795427257, 1795427258, 1795427259]);
    expect(points[0]?.bytes.get("MemTotal")).toBe(6170914 * 4096);
    expect(points[0]?.bytes.get("SUnreclaim")).toBe((114544 - 102510) * 4096);
    expect(restarts).toEqual([]);
  });

  it("takes a first interval that began after the row before it for a restart", () => {
    const again =
      "RESET\nMEM vm 1795428000 2026/11/23 10:00:00 100 4096 6170914 6019034 12010 1559 114544 1922 102510\n";
    expect(parseClean(parseAtopMemory, recorded("atop") + again).restarts.map(({ time }) => time / 1000))
      .toEqual([1795427900]);
  });
});

describe("parsePrometheusMemory()", () => {
  const text = recorded("prometheus");
  const two = (a: string, b: string): string => {
    const answer = JSON.parse(text) as { data: { result: { metric: { instance: string } }[] } };
    const of = (instance: string) =>
      answer.data.result.map((series) => ({ ...series, metric: { ...series.metric, instance } }));
    return JSON.stringify({ ...answer, data: { ...answer.data, result: [...of(a), ...of(b)] } });
  };

  itIsRobust("parsePrometheusMemory", text, parsePrometheusMemory);

  it("puts the series of one instance together", () => {
    const { points } = parseClean(parsePrometheusMemory, text);
    expect(points).toHaveLength(13);
    expect(new Date(points[0]?.time ?? 0).toISOString()).toBe("2026-11-23T09:49:06.000Z");
    expect(points[0]?.bytes.get("AnonPages")).toBe(387448832);
    expect([...points[0]?.bytes.keys() ?? []].sort()).toEqual(
      "AnonPages Buffers Cached KernelStack MemAvailable MemFree MemTotal PageTables Percpu SReclaimable SUnreclaim Shmem Slab"
        .split(" "),
    );
  });

  it("takes the host's own series of several, with or without port and domain", () => {
    const several = two("web1.example.com:9100", "web2.example.com:9100");
    expect(parseClean(parsePrometheusMemory, several, { hostname: "web2" }).points).toHaveLength(13);
    expect(() => parsePrometheusMemory(several, contextOf({ hostname: "web3" }).context)).toThrow(
      /none of the 2 instances \(web1.example.com:9100, web2/,
    );
    expect(() => parsePrometheusMemory(two("10.0.0.1:9100", "10.0.0.2:9100"), contextOf({ hostname: "10" }).context))
      .toThrow(ParseError);
  });

  it("passes over address space and numbers of huge pages among the memory series", () => {
    const named = text.replace('"node_memory_Slab_bytes"', '"node_memory_HugePages_Total"')
      .replace('"node_memory_Shmem_bytes"', '"node_memory_Active_anon_bytes"');
    const keys = [...parseClean(parsePrometheusMemory, named).points[0]?.bytes.keys() ?? []];
    expect(keys).toContain("Active_anon");
    expect(keys.join()).not.toMatch(/Slab|HugePages|Shmem/);
  });

  it("warns of times and values that are none", () => {
    const { value, warnings } = parseWithWarnings(
      parsePrometheusMemory,
      text.replace('[1795427346,"387448832"]', '[1e300,"1"],[1795427346,"NaN"]'),
    );
    expect(warnings).toHaveLength(2);
    expect(value.points[0]?.bytes.has("AnonPages")).toBe(false);
  });

  it("tells an instant query from a range query", () => {
    const instant = '{"status":"success","data":{"resultType":"vector","result":[]}}';
    expect(() => parsePrometheusMemory(instant, contextOf().context)).toThrow(/query_range: data.resultType/);
  });
});

describe("parseMemoryHistory()", () => {
  it.each([
    ["sar", "sysstat"],
    ["sadf-j", "sysstat"],
    ["sadf-x", "sysstat"],
    ["sadf-d", "sysstat"],
    ["atop", "atop"],
    ["prometheus", "prometheus"],
  ])("recognizes %s by its content", (file, recorder) => {
    expect(parseClean(parseMemoryHistory, recorded(file)).recorder).toBe(recorder);
  });

  it("says how to convert binary files", () => {
    expect(() => parseMemoryHistory("\ufffd\ufffdu!\f\x06\x01\0P\x01", contextOf().context)).toThrow(
      /sadf -j FILE -- -A.*atop -r FILE -P MEM/,
    );
  });

  it("says what it reads when given something else", () => {
    expect(() => parseMemoryHistory("total used free\n", contextOf().context)).toThrow(/neither of sar -r, sadf/);
  });

  it("takes time in proportion to the length of hostile text", async () => {
    for (
      const piece of ['{"sysstat"', '"memory": {', '"nodename": "\\', "<memory ", '<host nodename="', "{[", "Linux ("]
    ) {
      for (const parse of [parseMemoryHistory, parseSadfJson, parseSadfXml, parseSadfTable, parseSar]) {
        const refused = (size: number) =>
          expect(() => parse(piece.repeat(size / piece.length), contextOf().context)).toThrow(ParseError);
        expect(await growth(refused, 2 ** 17), piece).toBeLessThan(IN_PROPORTION);
      }
    }
  });
});

describe("parseDate()", () => {
  it("reads the C locale's date, of one digit, too", () => {
    expect(parseClean(parseDate, "Sun Nov  1 10:43:05 CET 2026\n")).toBe(Date.UTC(2026, 10, 1, 10, 43, 5));
  });

  it.each(["", "Mo 23. Nov 10:43:05 CET 2026", "Mon Foo 23 10:43:05 CET 2026", "Mon Nov 31 10:43:05 CET 2026"])(
    "takes %j for no date",
    (text) => expect(() => parseDate(text, contextOf().context)).toThrow(ParseError),
  );
});

describe("parseSadfXml()", () => {
  it("reads times with dashes, as sysstat 10.1 wrote them", () => {
    // Fedora 17: pcp's qa/sadist/891688-dash-time.xml, with memory
    const text = `<host nodename="very.elastic.org">
<timestamp date="2012-12-31" time="05-10-01" utc="1" interval="600">
<memory per="second" unit="kB"><memfree>786072</memfree></memory>
</timestamp></host>
`;
    expect(parseClean(parseSadfXml, text).points[0]?.time).toBe(Date.UTC(2012, 11, 31, 5, 10, 1));
  });
});
