import { describe, expect, it } from "vitest";
import type { Load } from "../../src/core/comparison.ts";
import type { Finding, Report } from "../../src/core/report.ts";
import { compare } from "../../src/engine/compare.ts";
import { renderComparisonHtml } from "../../src/render/compare_html.ts";
import { renderComparisonMarkdown } from "../../src/render/compare_markdown.ts";
import { renderComparisonText } from "../../src/render/compare_text.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

function finding(mib: number, more: Partial<Finding> = {}): Finding {
  const bytes = { low: mib * MIB, high: mib * MIB };
  return {
    cause: "socket-backlog-udp",
    title: `pusher: ${mib} MiB unread`,
    confidence: "confirmed",
    material: true,
    bytes,
    claims: [{ account: "slab-unreclaimable", bytes }],
    growthBytesPerSecond: null,
    exhaustion: null,
    symptomOf: null,
    owners: [{ pid: 1, comm: "pusher", bytes: bytes.high, count: 1, detail: "" }],
    evidence: [],
    remedies: [],
    ...more,
  };
}

/** A host of 8 GiB with so much unreclaimable slab. */
async function report(
  slabMib: number,
  findings: readonly Finding[],
  host: Partial<Report["host"]> = {},
): Promise<Report> {
  const analyzed = await analyzeFiles({ "proc/meminfo": meminfoText({ SUnreclaim: slabMib * MIB }, 8 * GIB) }, []);
  return {
    ...analyzed,
    host: { ...analyzed.host, ...host },
    findings,
    verdict: findings.length > 0 ? "cause-found" : "healthy",
  };
}

const load = (perSecond: number): Load => ({ seconds: 10, rates: [{ counter: "Udp.OutDatagrams", perSecond }] });
const held = await report(420, [finding(400)]);
const gone = await report(20, []);

describe("compare()", () => {
  it("calls it fixed when it is gone, its account shrank and the load was there", () => {
    const { outcome, headline, because, findings, accounts } = compare(
      { report: held, load: load(1000) },
      { report: gone, load: load(990) },
    );
    expect(outcome).toBe("fixed");
    expect(headline).toBe("Fixed. Gone: pusher: 400 MiB unread");
    expect(because).toEqual([
      "slab-unreclaimable shrank by 400 MiB; 400 MiB were held",
      "Udp.OutDatagrams before 1,000, after 990 a second: the load was there",
    ]);
    expect(findings.map(({ change }) => change)).toEqual(["gone"]);
    expect(accounts.slice(0, 2).map(({ id }) => id).sort()).toEqual(["free", "slab-unreclaimable"]);
  });

  it("proves nothing when the load is gone, too", () => {
    expect(compare({ report: held, load: load(1000) }, { report: gone, load: load(100) }).outcome).toBe("unproven");
  });

  it("says so when the load is not known", () => {
    const { outcome, because } = compare({ report: held }, { report: gone });
    expect(outcome).toBe("fixed");
    expect(because.join()).toContain("whether the load was the same is not known");
    expect(compare({ report: held, load: load(3) }, { report: gone, load: load(0) }).outcome).toBe("fixed");
  });

  it("does not believe that it is gone while the account is as large", async () => {
    expect(compare({ report: held }, { report: await report(410, []) }).outcome).toBe("unclear");
  });

  it.each<[string, number, string]>([
    ["unchanged", 390, "same"],
    ["improved", 200, "less"],
    ["worse", 800, "more"],
  ])("calls it %s at %i MiB", async (outcome, mib, change) => {
    const after = await report(mib + 20, [finding(mib)]);
    const compared = compare({ report: held }, { report: after });
    expect(compared.outcome).toBe(outcome);
    expect(compared.findings[0]?.change).toBe(change);
  });

  it("calls it fixed when what is left is a packet or two", async () => {
    expect(compare({ report: held }, { report: await report(21, [finding(1, { material: false })]) }).outcome).toBe(
      "fixed",
    );
  });

  it("calls it moved when something else came", async () => {
    const leak = finding(300, { cause: "user-leak", title: "cached leaks", owners: [] });
    const { outcome, headline } = compare({ report: held }, { report: await report(20, [leak]) });
    expect(outcome).toBe("moved");
    expect(headline).toContain("But now: cached leaks");
  });

  it("keeps two programs with the same cause apart", async () => {
    const other = finding(200, {
      title: "other: 200 MiB",
      owners: [{ pid: 2, comm: "other", bytes: 1, count: 1, detail: "" }],
    });
    const before = await report(620, [other, finding(400)]);
    const { outcome, findings } = compare({ report: before }, { report: await report(220, [other]) });
    expect(outcome).toBe("improved");
    expect(findings.map(({ before: b, change }) => [b?.owners[0]?.comm, change])).toEqual([
      ["other", "same"],
      ["pusher", "gone"],
    ]);
  });

  it("accuses nobody without a cause, and tells what came", () => {
    expect(compare({ report: gone }, { report: gone }).outcome).toBe("no-cause");
    expect(compare({ report: gone }, { report: held })).toMatchObject({
      outcome: "worse",
      headline: "Worse. Came: pusher: 400 MiB unread",
    });
  });

  describe("with a side that could not be assessed", () => {
    const blind: Report = {
      ...gone,
      notAssessed: [{ cause: "socket-backlog-udp", missing: ["proc/net/udp"], howToCapture: [] }],
    };
    const without: Report = { ...gone, ledger: null, host: { ...gone.host, totalBytes: null } };
    const renderers = [renderComparisonText, renderComparisonMarkdown, renderComparisonHtml];

    it("does not call gone what the second one does not tell of", () => {
      const compared = compare({ report: held }, { report: blind });
      expect(compared).toMatchObject({
        outcome: "unclear",
        headline: "Not known whether it is gone: pusher: 400 MiB unread",
        because: ["the second one does not tell of socket-backlog-udp"],
        findings: [{ change: "unknown", after: null }],
      });
      for (const render of renderers) {
        expect(render(compared)).toContain("not assessed");
        expect(render(compared)).not.toContain("not found");
      }
    });

    it("does not call new what the first one does not tell of", () => {
      expect(compare({ report: blind }, { report: held })).toMatchObject({
        outcome: "unclear",
        headline: "Not known whether it is new: pusher: 400 MiB unread",
        because: ["the first one does not tell of socket-backlog-udp"],
        findings: [{ change: "unknown", before: null }],
      });
    });

    it("tells what came beside it, and calls worse what came of another cause", async () => {
      const leak = finding(300, { cause: "user-leak", title: "cached leaks", owners: [] });
      expect(compare({ report: held }, { report: { ...blind, findings: [leak] } }).headline).toBe(
        "Not known whether it is gone: pusher: 400 MiB unread. Now: cached leaks",
      );
      expect(compare({ report: blind }, { report: await report(20, [leak]) }).outcome).toBe("worse");
    });

    it("lists no accounts as changed without a ledger on both sides", () => {
      const text = renderComparisonText(compare({ report: held }, { report: without }));
      expect(text).not.toContain("Accounts that changed");
      expect(renderComparisonText(compare({ report: held }, { report: gone }))).toContain("Accounts that changed");
    });
  });

  it("warns of sides that are not alike", async () => {
    const host = {
      hostname: "b",
      kernelRelease: "5.10.0",
      totalBytes: 16 * GIB,
      capturedAt: "2020-01-01T00:00:00.000Z",
    };
    const { warnings } = compare({ report: held }, { report: await report(20, [], host) });
    expect(warnings).toEqual([
      "different hosts: test and b",
      "different kernels: 6.18.0 and 5.10.0",
      "different MemTotal: 8.00 GiB and 16.0 GiB: compare shares, not bytes",
      "the first one was captured after the second one: are they the right way round?",
    ]);
  });

  it("tells nothing of accounts that a side does not have", () => {
    const { because, accounts } = compare({ report: held }, { report: { ...gone, ledger: null } });
    expect(because[0]).toBe("whether its account shrank is not known: a side has no ledger");
    expect(accounts.every(({ afterBytes }) => afterBytes === null)).toBe(true);
  });
});

describe("a comparison that is rendered", () => {
  const hostile = compare({
    report: { ...held, findings: [finding(400, { title: "<img src=x>\u001b[31m|`x`\u202e" })] },
  }, {
    report: gone,
  });

  it("fits a terminal, and has no escapes of the bundle in it", () => {
    const text = renderComparisonText(hostile);
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\u202e");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(renderComparisonText(hostile, { color: true })).toContain("\u001b[1m");
  });

  it("has no markup of the bundle in Markdown and HTML", () => {
    expect(renderComparisonMarkdown(hostile)).not.toMatch(/(?<!\\)<img/);
    const html = renderComparisonHtml(hostile);
    expect(html).toContain("&lt;img src=x&gt;");
    expect(html).not.toContain("<img");
    expect(html).toContain("default-src &#39;none&#39;");
    expect(html).not.toContain("<script");
  });

  const withIdle = (perSecond: number): Load => ({
    ...load(perSecond),
    rates: [...load(perSecond).rates, { counter: "Tcp.OutSegs", perSecond: 0 }, {
      counter: "Tcp.InSegs",
      perSecond: 0.2,
    }],
  });
  const loaded = compare({ report: held, load: withIdle(1826) }, { report: gone, load: withIdle(0) });

  it.each([
    ["text", renderComparisonText],
    ["Markdown", renderComparisonMarkdown],
    ["HTML", renderComparisonHtml],
  ])("tells in %s no counter that is 0 on both sides", (_, render) => {
    expect(render(loaded)).toMatch(/Udp\.OutDatagrams[^\n]*1,826[^\n]*\b0\b/);
    expect(render(loaded)).not.toContain("Tcp.");
  });

  it.each([
    ["text", renderComparisonText],
    ["Markdown", renderComparisonMarkdown],
    ["HTML", renderComparisonHtml],
  ])("tells in %s no bytes of what holds none", async (_, render) => {
    const sign = finding(0, { cause: "memcg-oom", title: "a group was at its limit", claims: [] });
    const both = await report(20, [sign]);
    expect(render(compare({ report: both }, { report: both }))).toMatch(/\bconfirmed\b/);
    expect(render(compare({ report: both }, { report: both }))).not.toContain("confirmed, 0 B");
  });

  it("has a heading in Markdown, words to the left and numbers to the right", () => {
    const lines = renderComparisonMarkdown(loaded).split("\n");
    expect(lines[0]).toMatch(/^## /);
    const below = (head: string): string | undefined => lines[lines.findIndex((line) => line.startsWith(head)) + 1];
    expect(below("| account")).toBe("| --- | ---: | ---: | ---: |");
    expect(below("| change | finding")).toBe("| --- | --- | --- | --- |");
    expect(below("| counter")).toBe("| --- | ---: | ---: |");
  });
});
