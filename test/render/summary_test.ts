/** Summaries of many bundles: text, Markdown, HTML. */
import { describe, expect, it } from "vitest";
import type { HostDigest } from "../../src/core/summary.ts";
import { digest, summarize } from "../../src/engine/summarize.ts";
import { answerOf } from "../../src/render/_summary.ts";
import { renderSummaryHtml } from "../../src/render/summary_html.ts";
import { renderSummaryMarkdown } from "../../src/render/summary_markdown.ts";
import { renderSummaryText } from "../../src/render/summary_text.ts";
import { fleetHost } from "./_fleet.ts";
import { friendPush, withEveryText } from "./_hostile.ts";
import { unbalanced } from "./_markup.ts";
import { sampleReport } from "../_samples.ts";

async function logs(): Promise<HostDigest[]> {
  const names = ["oom-6.18-udp.txt", "oom-4.18-syslog.txt", "oom-7.2-memcg.txt"];
  return await Promise.all(names.map(async (name) => {
    const report = await sampleReport(name);
    return digest(name, report, answerOf(report).headline);
  }));
}

describe("a summary of OOM logs", () => {
  it("says of each who was killed and who held the memory, the worst first", async () => {
    const summary = summarize(await logs(), []);
    expect(summary.hosts.map(({ path, outOfMemory, suspects }) => [path, outOfMemory, suspects])).toEqual([
      ["oom-4.18-syslog.txt", "host", ["unattributed-kernel"]],
      ["oom-6.18-udp.txt", "host", ["socket-backlog-udp"]],
      ["oom-7.2-memcg.txt", "control-group", ["user-leak"]],
    ]);
    const text = renderSummaryText(summary, { width: 400 });
    expect(text.split("\n").slice(0, 2)).toEqual([
      "Out of memory in 3 of 3 bundles (1 of them only in a control group); no cause is proven, but symptoms point at socket-backlog-udp, unattributed-kernel, user-leak.",
      expect.stringMatching(/^Worst: oom-4\.18-syslog\.txt: .*killed java \(pid 4410\).*most of it was kernel pages/),
    ]);
    for (const output of [text, renderSummaryMarkdown(summary)]) {
      expect(output).toMatch(
        /oom-6\.18-udp\.txt.*killed database \(pid 139\).*220,000 network packets/,
      );
      expect(output).toMatch(/oom-7\.2-memcg\.txt.*killed memcg\\?_hog/);
      expect(output).not.toContain("No cause found");
    }
  });
});

describe("a summary that is rendered", () => {
  const evil = `<img src=x onerror=alert(1)>\u001b[31m|\u202e"'`;
  const evilSummary = summarize([fleetHost(evil, 100, { headline: evil }), fleetHost("b", 0)], [{
    path: "c.tgz",
    problem: evil,
  }]);

  it("answers first, fits a terminal, and has no escapes of a bundle in it", () => {
    const text = renderSummaryText(evilSummary);
    expect(text).toMatch(/^A cause in 1 of 2 bundles, most often socket-backlog-udp \(1\); 1 could not be\nread\./);
    expect(text).toContain("c.tgz: <img");
    expect(text).toContain("and 1 more (--all)");
    expect(text).not.toContain("\u001b");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("tells of twenty hosts that are unlike the others, and of all with all", () => {
    const usual = Array.from({ length: 300 }, (_, i) => fleetHost(`usual-${i}`, 0));
    const unlike = Array.from({ length: 25 }, (_, i) => fleetHost(`unlike-${i}`, 0, { shares: { anon: 0.9 } }));
    const summary = summarize([...usual, ...unlike], []);
    expect(summary.outliers).toHaveLength(25);
    const told = (all: boolean): string => renderSummaryText(summary, { all }).split("Unlike the others\n")[1] ?? "";
    expect(told(false).match(/unlike-\d+/g)).toHaveLength(20);
    expect(told(false)).toContain("  and 5 more (--all)\n");
    expect(told(true).match(/unlike-\d+/g)).toHaveLength(25);
    expect(told(true)).not.toContain("more (--all)");
  });

  it("says that nothing was found when nothing was", () => {
    const quiet = summarize([fleetHost("a", 0), fleetHost("b", 0)], []);
    expect(renderSummaryText(quiet)).toMatch(/^No cause found in 2 bundles\.\nNothing to do\.\n/);
    expect(renderSummaryMarkdown(quiet)).toMatch(/^## No cause found in 2 bundles\.\n\nNothing to do\.\n/);
    expect(renderSummaryHtml(quiet, new Map())).toContain(`masthead healthy">\n<h1>No cause found in 2 bundles.</h1>`);
  });

  it("has no markup of a bundle in Markdown", () => {
    expect(renderSummaryMarkdown(evilSummary)).not.toMatch(/(?<!\\)<img/);
  });

  it("has no markup of a bundle in a page, which asks for nothing", async () => {
    const page = renderSummaryHtml(evilSummary, new Map([[evil, withEveryText(await friendPush(), evil)]]));
    expect(page).not.toMatch(/<img|\u202e/);
    expect(page).not.toContain("\u001b");
    expect(page).not.toMatch(/href="(?!#)|url\(|@import/);
    expect(page).toContain(`default-src &#39;none&#39;`);
    expect(unbalanced(page)).toEqual([]);
  });

  it("opens each host's report in a page, with names of its own", async () => {
    const report = await friendPush();
    const hosts = ["a", "b"].map((path) => digest(path, report, answerOf(report).headline));
    const page = renderSummaryHtml(summarize(hosts, []), new Map(hosts.map(({ path }) => [path, report])));
    expect(page.match(/<details class="finding host found"><summary><h3>[^]*?400 MiB unread[^]*?<\/h3>/g)).toHaveLength(
      2,
    );
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(targets.length).toBeGreaterThan(4);
    expect(targets.filter((id) => !ids.includes(id))).toEqual([]);
    expect(unbalanced(page)).toEqual([]);
  });
});
