import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Report } from "../../src/core/report.ts";
import { parseReport } from "../../src/engine/report_schema.ts";
import { renderJson } from "../../src/render/json.ts";
import { renderText } from "../../src/render/text.ts";
import { analyzeFiles, findingOf, meminfoText } from "../analyzers/_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const recorded = (name: string): string =>
  readFileSync(new URL(`../parsers/recorded/${name}.txt`, import.meta.url), "utf8");

/** The bundle is of 2026-01-01, the recorded day is put before it. */
const sar = recorded("sar").replace("(vm) \t11/23/26", "(test) \t12/31/25");
const sadfJson = recorded("sadf-j").replaceAll("2026-11-23", "2025-12-31").replace('"vm"', '"test"');
const prometheus = recorded("prometheus");
const dates = (local: string): { [path: string]: string } => ({
  "sos_commands/date/date": `${local}\n`,
  "sos_commands/date/date_--utc": "Thu Jan  1 00:00:01 UTC 2026\n",
});
const files = { "proc/meminfo": meminfoText(), ...dates("Thu Jan  1 00:00:01 UTC 2026") };

const times = (report: Report): string[] => report.timeline.map(({ at }) => at);

/** sar's table, every ten minutes of a day from midnight on. */
function sarText(points: readonly { readonly availableBytes: number; readonly anonBytes: number }[]): string {
  const rows = points.map(({ availableBytes, anonBytes }, i) =>
    `${String(Math.floor(i / 6)).padStart(2, "0")}:${i % 6}0:01 ${availableBytes / 1024} ${availableBytes / 1024} ${
      anonBytes / 1024
    }\n`
  );
  return `Linux 6.1.0 (test) \t12/31/25 \t_x86_64_\t(2 CPU)\n\n00:00:00 kbmemfree kbavail kbanonpg\n${rows.join("")}`;
}

describe("imported history", () => {
  it("is in the timeline before the snapshots, with the accounts that sar has and no others", async () => {
    const report = await analyzeFiles({ ...files, "sos_commands/sar/sar31": sar });
    expect(report.timeline).toHaveLength(58);
    expect(times(report)).toEqual([...times(report)].sort());
    expect(report.timeline[0]).toMatchObject({ at: "2025-12-31T00:10:01.000Z", availableBytes: 23637392 * 1024 });
    expect(Object.keys(report.timeline[0]?.accounts ?? {}).sort()).toEqual([
      "anon",
      "buffers",
      "free",
      "kernel-stacks",
      "page-tables",
    ]);
    expect(Object.keys(report.timeline.at(-1)?.accounts ?? {})).toContain("unaccounted");
    expect(report.host.snapshots).toBe(1);
    expect(report.warnings.filter((warning) => warning.includes("sar"))).toEqual([]);
    expect(parseReport(renderJson(report)).timeline).toEqual(report.timeline);
    expect(renderText(report)).toContain("1 snapshot, history of 23 hours 49 minutes");
    expect(renderText(report, { all: true })).toMatch(
      /\n +available +anon.*\n +2025-12-31 00:10:01Z +22.5 GiB +499 MiB/,
    );
  });

  it("has the shared memory and the slab of Prometheus' answer, from wherever collect --history put it", async () => {
    const report = await analyzeFiles({ ...files, "history_imported/prom.json": prometheus });
    expect(report.timeline).toHaveLength(14);
    expect(report.timeline.find(({ at }) => at === "2026-11-23T09:49:06.000Z")?.accounts).toMatchObject({
      anon: 387448832,
      shmem: 9138176,
      "slab-unreclaimable": 49541120,
      "page-cache": 785702912,
    });
  });

  it.each(["sos_commands/sar/sa31.xml", "var/log/sa/sar31", "var/log/sysstat/sar31", "history_imported/x"])(
    "is found at %s",
    async (path) => {
      const text = path.endsWith(".xml") ? recorded("sadf-x").replaceAll("2026-11-23", "2025-12-31") : sar;
      expect((await analyzeFiles({ ...files, [path]: text })).timeline.length).toBeGreaterThan(5);
    },
  );

  it("puts sar's local times into UTC, by date and date -u", async () => {
    const inNewYork = { ...files, ...dates("Wed Dec 31 19:00:00 EST 2025"), "sos_commands/sar/sar31": sar };
    expect(times(await analyzeFiles(inNewYork))[0]).toBe("2025-12-31T05:10:01.000Z");
    const inIndia = { ...files, ...dates("Thu Jan  1 05:30:01 IST 2026"), "sos_commands/sar/sar31": sar };
    expect(times(await analyzeFiles(inIndia))[0]).toBe("2025-12-30T18:40:01.000Z");
  });

  it("counts a second once that is in the text and in the JSON of the same day", async () => {
    const both = { ...files, "sos_commands/sar/sar31": sar, "sos_commands/sar/sadf_-j": sadfJson };
    expect((await analyzeFiles(both)).timeline).toHaveLength(58);
  });

  it("without a time zone, takes UTC where there is some and warns either way", async () => {
    const unknown = { "proc/meminfo": meminfoText(), "sos_commands/sar/sar31": sar };
    const alone = await analyzeFiles(unknown);
    expect(times(alone)[0]).toBe("2025-12-31T00:10:01.000Z");
    expect(alone.warnings).toEqual(
      expect.arrayContaining([expect.stringMatching(/^sos_commands\/sar\/sar31:1: .* taken for UTC/)]),
    );
    const better = await analyzeFiles({ ...unknown, "sos_commands/sar/sadf_-j": sadfJson });
    expect(times(better)).toHaveLength(6);
    expect(better.warnings).toEqual(
      expect.arrayContaining([expect.stringContaining("not used, other history has UTC")]),
    );
  });

  it("says once which days are binary only, with the command", async () => {
    const binary = "\ufffd\ufffdu!\0";
    const days = Object.fromEntries(["27", "28", "29", "30", "31"].map((day) => [`var/log/sa/sa${day}`, binary]));
    const { warnings } = await analyzeFiles({ ...files, ...days, "var/log/sa/sar31": sar });
    expect(warnings.filter((warning) => warning.includes("var/log/sa"))).toEqual([
      "var/log/sa/sa27:1: sysstat's history is binary and was not used (var/log/sa/sa27, var/log/sa/sa28, var/log/sa/sa29, ... (4 files)); " +
      "on the host: sadf -j FILE -- -A > FILE.json",
    ]);
    const converted = await analyzeFiles({ ...files, ...days, "sos_commands/sar/sadf_-j": sadfJson });
    expect(converted.warnings.filter((warning) => warning.includes("var/log/sa"))).toEqual([]);
  });

  it("says that a file is of another host", async () => {
    const { warnings } = await analyzeFiles({ ...files, "history_imported/sar": sar.replace("(test)", "(db7)") });
    expect(warnings).toEqual(
      expect.arrayContaining([expect.stringContaining('recorded on "db7", and the bundle is of test')]),
    );
  });

  it("is broken, and the report says so, but the rest of the bundle is read", async () => {
    const report = await analyzeFiles({ ...files, "history_imported/sa31": "\0\0" });
    expect(report.warnings).toEqual(expect.arrayContaining([expect.stringContaining("sadf -j FILE")]));
    expect(report.timeline).toHaveLength(1);
  });
});

describe("pressure over imported history", () => {
  const steps = Array.from({ length: 144 }, (_, i) => i);
  const level = async (availableBytes: (step: number) => number, change = (text: string) => text) => {
    const text = sarText(steps.map((i) => ({ availableBytes: availableBytes(i), anonBytes: GIB })));
    const now = { "proc/meminfo": meminfoText({ AnonPages: 4 * GIB }) };
    return (await analyzeFiles({ ...files, ...now, "sos_commands/sar/sar31": change(text) })).pressure;
  };

  it("is rising when what is available has been falling for a day, and quotes the last row", async () => {
    const pressure = await level((i) => 7 * GIB - i * 20 * MIB);
    expect(pressure).toMatchObject({ level: "rising" });
    expect(pressure.because).toMatch(/has been falling for 24.0 hours, by 2.00 MiB a minute/);
    expect(pressure.evidence).toEqual([expect.objectContaining({ path: "sos_commands/sar/sar31", line: 147 })]);
  });

  it("is told where there is nothing but a recording", async () => {
    const text = sarText(steps.map((i) => ({ availableBytes: 7 * GIB - i * 20 * MIB, anonBytes: GIB })))
      .replaceAll("kbanonpg", "kbslab").replaceAll(String(GIB / 1024) + "\n", (_, at: number) => `${at * 100}\n`);
    const report = await analyzeFiles({ "sos_commands/sar/sar31": text });
    expect(report.pressure).toMatchObject({
      level: "rising",
      because: expect.stringMatching(/falling for 23.8 hours/),
    });
    expect(report).toMatchObject({ ledger: null, verdict: "insufficient-evidence", findings: [] });
    expect(report.timeline[0]?.accounts).toHaveProperty("slab");
    const shown = renderText(report, { color: false, width: 100, all: false });
    expect(shown).toMatch(/available: 7.00 GiB to 4.21 GiB/);
    expect(shown).toMatch(/slab: /);
  });

  it("is told of the last recording where nothing falls, and plotted where no account is known", async () => {
    const wave = (i: number): number => 4 * GIB + (i % 12) * 100 * MIB;
    const text = sarText(steps.map((i) => ({ availableBytes: wave(i), anonBytes: GIB }))).replace(
      "kbanonpg",
      "kbother",
    );
    const report = await analyzeFiles({ "sos_commands/sar/sar31": text });
    expect(report.pressure).toMatchObject({
      level: "none",
      because: expect.stringMatching(
        /no \/proc\/meminfo; 5.07 GiB was available when it was recorded last, 2025-12-31/,
      ),
    });
    expect(renderText(report, { color: false, width: 100, all: false })).toMatch(/available: 4.00 GiB to 5.07 GiB/);
  });

  it("is rising since it began to fall, whatever was before", async () => {
    const pressure = await level((i) => 7 * GIB - Math.max(0, i - 96) * 40 * MIB);
    expect(pressure.level).toBe("rising");
    expect(pressure.because).toMatch(/has been falling for (8|9|10|11)\.\d hours, by 3.[6-9]\d MiB a minute/);
  });

  it("is none when the end would be weeks away", async () => {
    expect((await level((i) => 4 * GIB - i * MIB)).level).toBe("none");
  });

  it("does not reach over a restart of the host", async () => {
    const restarted = (text: string): string => `${text}\n23:55:00     LINUX RESTART\t(2 CPU)\n`;
    expect((await level((i) => 7 * GIB - i * 20 * MIB, restarted)).level).toBe("none");
  });
});

describe("growth over imported history", () => {
  const status = "Name:\tleaky\nRssAnon:\t2097152 kB\nVmSwap:\t0 kB\n";
  const snapshots = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];
  /** A process and a host that stand still for ten seconds, after a day in which the host's anonymous memory came to `grown`. */
  const after = (growth: (step: number) => number, process = status): { [path: string]: string } => ({
    ...files,
    ...Object.fromEntries(snapshots.flatMap((prefix) => [
      [`${prefix}proc/meminfo`, meminfoText({ AnonPages: 2.2 * GIB })],
      [`${prefix}proc/700/status`, process],
    ])),
    "sos_commands/sar/sar31": sarText(
      Array.from({ length: 144 }, (_, i) => ({ availableBytes: 4 * GIB, anonBytes: growth(i) })),
    ),
  });

  it("names the large process as possible only, and says since when", async () => {
    const report = await analyzeFiles(after((i) => 205 * MIB + i * 14 * MIB));
    expect(findingOf(report, "user-leak")).toMatchObject({
      confidence: "possible",
      growthBytesPerSecond: null,
      title:
        "leaky (pid 700) is the largest process with 2.00 GiB of its own; 10 s of watching do not tell whether it grows",
    });
    expect(findingOf(report, "user-leak")?.evidence.at(-1)).toMatchObject({
      path: "sos_commands/sar/sar31",
      line: 147,
      because: expect.stringMatching(
        /^AnonPages of the whole host grew from 205 MiB to 2.16 GiB in 23.8 hours, .* not by whom$/,
      ),
    });
    expect(report.verdict).not.toBe("cause-found");
  });

  it("says since when where that is not since the history began", async () => {
    const report = await analyzeFiles(after((i) => 205 * MIB + Math.max(0, i - 100) * 46 * MIB));
    expect(findingOf(report, "user-leak")?.evidence.at(-1)?.because).toMatch(
      /^AnonPages of the whole host grew from 2\d\d MiB to 2.13 GiB in [67]\.\d hours, from 2025-12-31T1[67]:/,
    );
  });

  it("accuses nobody who is too small to have grown by that much", async () => {
    const small = status.replace("2097152", "262144");
    expect(findingOf(await analyzeFiles(after((i) => 205 * MIB + i * 14 * MIB, small)), "user-leak")).toBeUndefined();
  });

  it("says nothing of a host that stood still, or that has given it back since", async () => {
    expect(findingOf(await analyzeFiles(after(() => 2 * GIB)), "user-leak")).toBeUndefined();
    expect(findingOf(await analyzeFiles(after((i) => GIB + i * 40 * MIB)), "user-leak")).toBeUndefined();
  });
});
