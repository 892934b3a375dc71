import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Finding, Report } from "../../src/core/report.ts";
import { REPORT_SCRIPT, REPORT_SCRIPT_HASH } from "../../src/render/_html_script.ts";
import { REPORT_STYLE } from "../../src/render/_html_style.ts";
import { renderHtml } from "../../src/render/html.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";
import { friendPush, withEveryText } from "./_hostile.ts";
import { unbalanced } from "./_markup.ts";

describe("renderHtml()", () => {
  it("says first who holds how much, and what to do now", async () => {
    const page = renderHtml(await friendPush());
    expect(page).toMatch(/<h1>friend_push \(pid 500\): 400 MiB unread in 100 UDP sockets/);
    expect(page).toMatch(/<strong>Now:<\/strong>[^]*?<code>kill -TERM 500<\/code>/);
    expect(page.indexOf("kill -TERM 500")).toBeLessThan(page.indexOf("Where all of MemTotal is</h2>"));
  });

  it("is well-formed", async () => {
    expect(unbalanced(renderHtml(await friendPush()))).toEqual([]);
    expect(unbalanced(renderHtml(await analyzeFiles({ "proc/meminfo": meminfoText() })))).toEqual([]);
    expect(unbalanced(renderHtml(await analyzeFiles({})))).toEqual([]);
  });

  it("makes markup of no text from the bundle", async () => {
    const hostile = `"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e\u001b[31m</style>`;
    const page = renderHtml(withEveryText(await friendPush(), hostile));
    expect(unbalanced(page)).toEqual([]);
    expect(page).not.toMatch(/<img|<script>alert|["']>&lt;|\u202e/);
    expect(page).not.toContain("\u001b");
    expect(page).toContain("&lt;img src=x onerror=alert(1)&gt;");
    // One of its own at the end, and no other.
    expect(page.match(/<\/?script|<\/?style/g)).toEqual(["<style", "</style", "<script", "</script"]);
  });

  it("asks for nothing from anywhere, and lets only its own script run", async () => {
    const page = renderHtml(await friendPush());
    expect(page).toContain(`default-src &#39;none&#39;`);
    expect(page).toContain(`script-src &#39;${REPORT_SCRIPT_HASH}&#39;`);
    expect(page).not.toMatch(/\ssrc=|href="(?!#)|url\(|@import|\son[a-z]+=/);
    expect(page).toContain(`<script>${REPORT_SCRIPT}</script>`);
    expect(REPORT_SCRIPT_HASH).toBe(`sha256-${createHash("sha256").update(REPORT_SCRIPT).digest("base64")}`);
  });

  it("draws the accounts that moved, and the forecast with its interval", async () => {
    const report = await friendPush();
    const exhaustion = { atLow: "2026-01-01T00:11:00.000Z", atHigh: "2026-01-01T00:21:00.000Z" };
    const page = renderHtml({ ...report, findings: report.findings.map((f) => ({ ...f, exhaustion })) });
    expect(page).toContain(`aria-label="slab, unreclaimable: 420 MiB → 620 MiB (+200 MiB)"`);
    expect(page).toContain(
      "used up 10 minutes to 20 minutes after the last look (2026-01-01 00:11:00Z to 2026-01-01 00:21:00Z)",
    );
    // From the last look to the two times, on the line of zero: 348 is the right edge, and half of the way is the earlier one.
    expect(page).toMatch(/class="wedge" points="[\d.]+,[\d.]+ 348,144 213\.\d,144"/);
  });

  it("says of healthy hosts only where a finding holds something", async () => {
    const report = await friendPush();
    const [finding] = report.findings;
    const page = (changes: Partial<Finding>): string =>
      renderHtml({ ...report, findings: [{ ...finding as Finding, material: false, ...changes }] });
    expect(page({})).toContain("<li>no more than healthy hosts may hold</li>");
    expect(page({ claims: [] })).toContain("<li>holds nothing itself</li>");
    expect(page({ claims: [] })).not.toContain("healthy hosts");
  });

  it("says that nothing is wrong, and does not know what it does not know", async () => {
    const healthy = renderHtml(await analyzeFiles({ "proc/meminfo": meminfoText() }));
    expect(healthy).toContain("<h1>No leak found");
    expect(healthy).not.toContain("held by findings");
    const nothing: Report = await analyzeFiles({});
    expect(renderHtml(nothing)).toContain("where the memory is cannot be told");
  });
});

/** Relative luminance of `#rrggbb` (WCAG 2.2). */
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

describe.each([["light", 0], ["dark", 1]])("the %s colours", (_, nth) => {
  const scheme = [...REPORT_STYLE.matchAll(/:root \{([^}]*--ground[^}]*)\}/g)][nth]?.[1] as string;
  const color = (name: string): string => new RegExp(`--${name}: (#\\w{6})`).exec(scheme)?.[1] as string;
  const text = ["ink", "faint", "link", "held", "good", "warn"].flatMap((name) =>
    ["ground", "card", "soft"].map((ground) => [name, ground, 4.5] as const)
  );
  const groups = ["processes", "shared", "huge-pages", "kernel", "cache", "unaccounted", "held"];
  it.each([
    ...text,
    ...groups.flatMap((name) => ["ground", "card"].map((ground) => [name, ground, 3] as const)),
    ...["processes", "shared", "huge-pages", "kernel"].map((name) => ["on-group", name, 4.5] as const),
    ["on-group", "unaccounted", 4.5] as const,
    ["on-held", "held", 4.5] as const,
    ["on-free", "free", 4.5] as const,
  ])("tell %s from %s", (a, b, least) => expect(contrast(color(a), color(b))).toBeGreaterThanOrEqual(least));
});
