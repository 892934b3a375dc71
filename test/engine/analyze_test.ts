import { describe, expect, it } from "vitest";
import { type Analyzer, defineAnalyzer, type FindingDraft, type Outcome } from "../../src/core/analyzer.ts";
import type { Claim } from "../../src/core/report.ts";
import { ledger } from "../../src/computed/ledger.ts";
import { netlink } from "../../src/parsers/netlink.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";

const about = { title: "", mechanism: "", lookAlikes: "", references: [] };

const throws: Analyzer = defineAnalyzer({
  ...about,
  id: "throws",
  needs: {},
  uses: {},
  analyze: () => {
    throw new RangeError("a defect in the plug-in");
  },
});

const claim = (bytes: number): Claim => ({ account: "anon", bytes: { low: bytes, high: bytes } });
const draft: FindingDraft = {
  title: "",
  confidence: "confirmed",
  material: true,
  claims: [],
  owners: [],
  evidence: [],
  remedies: [],
};

const misquotes: Analyzer = defineAnalyzer({
  ...about,
  id: "misquotes",
  needs: { ledger },
  uses: {},
  analyze: () => ({
    findings: [{
      title: "",
      confidence: "confirmed",
      material: true,
      claims: [],
      owners: [],
      evidence: [{ path: "proc/meminfo", line: 9999, because: "it says so" }],
      remedies: [],
    }],
  }),
});

const needsNetlink: Analyzer = defineAnalyzer({
  ...about,
  id: "needs-netlink",
  needs: { ledger, netlink },
  uses: {},
  analyze: () => ({ ruledOut: "never reached" }),
});

const files = { "proc/meminfo": meminfoText() };

/** Accuses each of these rates, in bytes a second, and tells when it alone uses up what is available. */
const growing = (
  confidence: FindingDraft["confidence"],
  seconds: readonly (readonly [number, number | null])[],
): Analyzer =>
  defineAnalyzer({
    ...about,
    id: `grows-${confidence}`,
    needs: {},
    uses: {},
    analyze: () => ({
      findings: seconds.map(([low, high]) => ({
        ...draft,
        confidence,
        growthBytesPerSecond: { low: 1, high: 2 },
        exhaustion: { atLow: at(low), atHigh: high === null ? null : at(high) },
      })),
    }),
  });
const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

describe("analyze()", () => {
  it("foretells the end of memory from all that grows together, but for what is only possible", async () => {
    const history = { "history/2026-01-01T00:00:00.000Z/proc/meminfo": meminfoText() };
    const preset = [growing("likely", [[600, 1200], [300, null]]), growing("possible", [[100, 200]])];
    const ends = (await analyzeFiles({ ...files, ...history }, preset)).findings.map(({ exhaustion }) => exhaustion);
    // A 600th and a 300th of it are gone in a second: it lasts for 200.
    expect(ends).toEqual([
      { atLow: at(200), atHigh: at(1200) },
      { atLow: at(200), atHigh: at(1200) },
      { atLow: at(100), atHigh: at(200) },
    ]);
    const one = await analyzeFiles({ ...files, ...history }, [growing("likely", [[600, 1200]])]);
    expect(one.findings[0]?.exhaustion).toEqual({ atLow: at(600), atHigh: at(1200) });
  });

  it("lets an analyzer that throws cost only itself", async () => {
    const report = await analyzeFiles(files, [throws, needsNetlink]);
    expect(report.notAssessed.find(({ cause }) => cause === "throws")?.missing).toEqual([
      "the analyzer failed: a defect in the plug-in",
    ]);
    expect(report.verdict).toBe("healthy");
  });

  it.each<[string, Partial<FindingDraft>, string]>([
    ["more than there is", { claims: [claim(2 ** 50)] }, "it claims 1024 TiB of a host that has 8.00 GiB"],
    [
      "more than there is, in pieces",
      { claims: Array.from({ length: 1000 }, () => claim(2 ** 30)) },
      "it claims 0.98 TiB of a host",
    ],
    ["less than nothing", { claims: [claim(-1)] }, "it claims -1 B"],
    ["no number", { claims: [claim(NaN)] }, "it claims"],
  ])("refuses an analyzer that claims %s, and keeps what others found", async (_, wrong, message) => {
    const lies: Analyzer = {
      ...misquotes,
      id: "lies",
      analyze: () => ({ findings: [wrong && { ...draft, ...wrong }] }) as Outcome,
    };
    const honest: Analyzer = {
      ...misquotes,
      id: "honest",
      analyze: () => ({ findings: [{ ...draft, claims: [claim(4096)] }] }),
    };
    const report = await analyzeFiles(files, [lies, honest]);
    expect(report.findings.map(({ cause, bytes }) => [cause, bytes.low])).toEqual([["honest", 4096]]);
    expect(report.notAssessed[0]?.missing[0]).toContain(message);
  });

  it("drops a finding whose evidence is not in the bundle", async () => {
    const report = await analyzeFiles(files, [misquotes]);
    expect(report.findings).toEqual([]);
    expect(report.notAssessed[0]?.missing.join()).toContain("proc/meminfo:9999");
  });

  it("says what is missing and how to capture it", async () => {
    const report = await analyzeFiles(files, [needsNetlink]);
    expect(report.notAssessed).toEqual([{
      cause: "needs-netlink",
      missing: ["proc/net/netlink"],
      howToCapture: ["cat /proc/net/netlink"],
    }]);
  });

  it("tells a file that is broken from one that is absent", async () => {
    const report = await analyzeFiles({ ...files, "proc/net/netlink": "\u0000garbage" }, [needsNetlink]);
    expect(report.notAssessed[0]?.missing[0]).toMatch(/^proc\/net\/netlink: Cannot parse/);
  });

  it("is unexplained when a tenth of memory is in no account and nobody claims it", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText({}, 8 * 2 ** 30, 2 ** 30) }, []);
    expect(report.verdict).toBe("unexplained");
  });

  it("has insufficient evidence without meminfo", async () => {
    expect(await analyzeFiles({}, [])).toMatchObject({
      verdict: "insufficient-evidence",
      ledger: null,
      host: { totalBytes: null },
    });
  });

  it("keeps the warnings of a file with a million wrong lines short", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() + "wrong\n".repeat(100_000) }, []);
    expect(report.warnings.filter((w) => w.startsWith("proc/meminfo")).length).toBe(6);
    expect(report.warnings.join("\n")).toContain("99995 more lines like these");
  });

  it("warns once of a line that two sources read", async () => {
    // Unix sockets and all others: of the same file, where there is none of unix sockets alone.
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText(),
      "sos_commands/networking/ss_-peaonmi": "Netid State Recv-Q Send-Q Local Address:Port\nudp UNCONN odd 0 1:1 2:2\n",
    });
    expect(report.warnings.filter((each) => each.includes("ss_-peaonmi:2: "))).toHaveLength(1);
  });

  it("reports every snapshot in the timeline, in time order", async () => {
    const report = await analyzeFiles({
      ...files,
      "history/2026-01-01T00:00:10.000Z/proc/meminfo": meminfoText(),
      "history/2025-12-31T23:00:00.000Z/proc/meminfo": meminfoText(),
      "history/not-a-time/proc/meminfo": meminfoText(),
    }, []);
    expect(report.timeline.map(({ at }) => at)).toEqual([
      "2025-12-31T23:00:00.000Z",
      "2026-01-01T00:00:00.000Z",
      "2026-01-01T00:00:10.000Z",
    ]);
    expect(report.warnings.join()).toContain("history/not-a-time");
  });
});
