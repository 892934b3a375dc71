/**
 * What is printed of a few samples, whole: a change of it is seen in review. `npm run goldens` writes it anew; nothing else does, so that a
 * difference is an error everywhere.
 */
import { beforeAll, describe, expect, it } from "vitest";
import type { Observed } from "../../src/core/comparison.ts";
import type { Report } from "../../src/core/report.ts";
import type { FleetSummary } from "../../src/core/summary.ts";
import { version } from "../../src/core/version.ts";
import { compare } from "../../src/engine/compare.ts";
import { digest, summarize } from "../../src/engine/summarize.ts";
import { answerOf } from "../../src/render/_summary.ts";
import { renderComparisonHtml } from "../../src/render/compare_html.ts";
import { renderComparisonMarkdown } from "../../src/render/compare_markdown.ts";
import { renderComparisonText } from "../../src/render/compare_text.ts";
import { renderHtml } from "../../src/render/html.ts";
import { renderMarkdown } from "../../src/render/markdown.ts";
import { renderSummaryHtml } from "../../src/render/summary_html.ts";
import { renderSummaryMarkdown } from "../../src/render/summary_markdown.ts";
import { renderSummaryText } from "../../src/render/summary_text.ts";
import { renderText } from "../../src/render/text.ts";
import { observeSample, sampleReport } from "../_samples.ts";

/** Growth with a forecast, a kernel log alone, and nothing wrong. */
const SAMPLES = ["user-leak.tgz", "oom-6.18-udp.txt", "busy.tgz"];

function matches(output: string, name: string): Promise<void> {
  return expect(output.replaceAll(`nailhouse ${version}`, "nailhouse VERSION")).toMatchFileSnapshot(`golden/${name}`);
}

/** Style and script have tests of their own, and would be in each of them. */
function pageMatches(page: string, name: string): Promise<void> {
  const bare = page.replace(/<(style|script)>[^]*?<\/\1>/g, "<$1></$1>").replace(/sha256-[A-Za-z0-9+/=]+/, "sha256-");
  return matches(bare, `${name}.html`);
}

describe.each(SAMPLES)("%s", (sample) => {
  let report: Report;
  beforeAll(async () => void (report = await sampleReport(sample)));

  it("as text", () => matches(renderText(report), `${sample}.text`));
  it("as Markdown", () => matches(renderMarkdown(report), `${sample}.md`));
  it("as a page", () => pageMatches(renderHtml(report), sample));
});

describe("a comparison", () => {
  let sides: readonly [Observed, Observed];
  beforeAll(async () =>
    void (sides = [await observeSample("friend-push.tgz"), await observeSample("friend-push-wudp.tgz")])
  );

  it("as text", () => matches(renderComparisonText(compare(...sides)), "compare.text"));
  it("as Markdown", () => matches(renderComparisonMarkdown(compare(...sides)), "compare.md"));
  it("as a page", () => pageMatches(renderComparisonHtml(compare(...sides)), "compare"));
});

describe("a summary", () => {
  let summary: FleetSummary;
  beforeAll(async () => {
    const digests = await Promise.all([...SAMPLES, "oom-7.2-memcg.txt"].map(async (path) => {
      const report = await sampleReport(path);
      return digest(path, report, answerOf(report).headline);
    }));
    summary = summarize(digests, [{ path: "cut.tgz", problem: "it is empty" }]);
  });

  it("as text", () => matches(renderSummaryText(summary), "summary.text"));
  it("as Markdown", () => matches(renderSummaryMarkdown(summary), "summary.md"));
  // Without the reports, which are above.
  it("as a page", () => pageMatches(renderSummaryHtml(summary, new Map()), "summary"));
});
