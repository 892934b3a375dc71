/** The offline page in a real browser: it says what the command line says, runs nothing from a bundle, and asks nobody for anything. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Browser, Download, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { compare } from "../../src/engine/compare.ts";
import { digest, summarize } from "../../src/engine/summarize.ts";
import { fileChunks, nodeGunzip } from "../../src/host/node_input.ts";
import { preset } from "../../src/preset.ts";
import { renderComparisonHtml } from "../../src/render/compare_html.ts";
import { renderHtml } from "../../src/render/html.ts";
import { renderJson } from "../../src/render/json.ts";
import { renderSummaryHtml } from "../../src/render/summary_html.ts";
import { observeSample, sampleReport } from "../_samples.ts";
import { tarHeader } from "../bundle/_archive.ts";
import { friendPush, withEveryText } from "../render/_hostile.ts";
import { hasChromium, launch, pageUrl, reason, root, type Watched, watched } from "./_chromium.ts";

/** Every seventh, for time: the analyzers themselves are tested on all of them elsewhere. */
const samples = readdirSync(join(root, "samples")).filter((name) => /\.(tgz|tar\.gz)$/.test(name)).sort()
  .filter((_, i) => i % 7 === 0);
const sample = (name: string): string => join(root, "samples", name);

function commandLine(args: readonly string[], input?: string): string {
  return execFileSync("node", [join(root, "dist/cli.js"), "analyze", ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    ...(input === undefined ? {} : { input }),
  });
}

/** What the command line prints, without starting it a hundred times. */
async function expected(path: string): Promise<string> {
  const options = { sources: presetSources(preset), decompress: nodeGunzip };
  return renderJson(analyze(await openArchive(fileChunks(path), options), preset));
}

async function saved(download: Promise<Download>): Promise<string> {
  return readFileSync(await (await download).path(), "utf8");
}

/** The JSON of what is shown. */
async function savedJson(page: Page): Promise<string> {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as JSON" }).click();
  return await saved(download);
}

/** Waits until every bundle in the list is done or has failed. */
async function allDone(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => document.querySelectorAll("#bundles button:not(.cancel), #bundles .failed").length === wanted,
    count,
    { timeout: 50_000 },
  );
}

describe.skipIf(!hasChromium)(`dist/nailhouse.html in Chromium${reason}`, () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await launch();
    folder = mkdtempSync(join(tmpdir(), "nailhouse-page-"));
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function used(use: (watch: Watched) => Promise<void>): Promise<void> {
    const watch = await watched(browser, pageUrl);
    await use(watch);
    expect(watch.problems).toEqual([]);
    expect(watch.requests).toEqual([]);
    await watch.context.close();
  }

  it("drops a bundle and saves the command line's JSON and HTML, byte for byte", () =>
    used(async ({ page }) => {
      const transfer = await page.evaluateHandle((base64) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], "friend-push.tgz"));
        return data;
      }, readFileSync(sample("friend-push.tgz"), "base64"));
      await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
      await page.getByRole("heading", { level: 1, name: /400 MiB unread/ }).waitFor();
      expect(await savedJson(page)).toBe(commandLine([sample("friend-push.tgz"), "-f", "json"]));
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "Save as HTML" }).click();
      expect((await download).suggestedFilename()).toBe("friend-push.html");
      expect(await saved(download)).toBe(commandLine([sample("friend-push.tgz"), "-f", "html"]));
    }));

  it("reads .tar.xz by WebAssembly", () =>
    used(async ({ page }) => {
      const path = join(folder, "user-leak.tar.xz");
      const { stdout } = spawnSync("xz", ["-1c"], {
        input: gunzipSync(readFileSync(sample("user-leak.tgz"))),
        maxBuffer: 2 ** 28,
      });
      writeFileSync(path, stdout);
      await page.setInputFiles("#files", path);
      await allDone(page, 1);
      expect(await savedJson(page)).toBe(await expected(path));
    }));

  it("says of samples what the command line says", { timeout: 60_000 }, () =>
    used(async ({ page }) => {
      await page.setInputFiles("#files", samples.map(sample));
      await allDone(page, samples.length);
      const different: string[] = [];
      for (const name of samples) {
        await page.getByRole("button", { name, exact: true }).click();
        if (await savedJson(page) !== await expected(sample(name))) different.push(name);
      }
      expect(different).toEqual([]);
    }));

  it("analyzes a pasted OOM log, and runs nothing of its names", () =>
    used(async ({ page }) => {
      const shown = `<img src=x onerror=alert(1)>`;
      const name = `${shown}\u202e`;
      const log =
        `[ 12.3] ${name} invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0\n` +
        `[ 12.3] Out of memory: Killed process 116 (${name}) total-vm:812kB, anon-rss:512kB, file-rss:4kB, shmem-rss:0kB, UID:0\n`;
      await page.getByText("Or paste a kernel log").click();
      const analyzeIt = page.getByRole("button", { name: "Analyze the text" });
      // Of nothing the browser itself says that the field is to be filled in.
      await analyzeIt.click();
      expect(await page.locator("#log:invalid:focus").count()).toBe(1);
      await page.getByRole("textbox", { name: "Kernel log" }).fill(log);
      await analyzeIt.click();
      await allDone(page, 1);
      expect(await page.getByText(shown).count()).toBeGreaterThan(0);
      expect(await page.textContent("#bundles")).toContain("\\u{202e}");
      expect(`${await page.textContent("body")}${await page.title()}`).not.toContain("\u202e");
      expect(await page.locator("img").count()).toBe(0);
      expect(await savedJson(page)).toBe(commandLine(["-", "-f", "json"], log));
    }));

  it("says what is wrong with a file that is no bundle, and goes on with the next", () =>
    used(async ({ page }) => {
      const wrong = join(folder, "wrong.txt");
      writeFileSync(wrong, "hello\n".repeat(200));
      await page.setInputFiles("#files", [wrong, sample("busy.tgz")]);
      await allDone(page, 2);
      expect(await page.locator("#bundles .failed").textContent()).toContain("neither a tar archive");
      expect(await savedJson(page)).toBe(await expected(sample("busy.tgz")));
    }));

  it("reads all bundles in an archive, and shows what was given last", () =>
    used(async ({ page }) => {
      const both = join(folder, "both\u202egpj.tar");
      execFileSync("tar", ["cf", both, "-C", join(root, "samples"), "user-leak.tgz", "busy.tgz"]);
      await page.setInputFiles("#files", sample("friend-push.tgz"));
      await page.getByRole("heading", { level: 1, name: /400 MiB unread/ }).waitFor();
      await page.setInputFiles("#files", both);
      await page.getByRole("heading", { level: 1, name: /anon_leak/ }).waitFor();
      await allDone(page, 3);
      expect(await savedJson(page)).toBe(await expected(sample("user-leak.tgz")));
      expect(await page.locator("#bundles button").allTextContents()).toEqual([
        "friend-push.tgz",
        "both\\u{202e}gpj.tar: user-leak.tgz",
        "both\\u{202e}gpj.tar: busy.tgz",
      ]);
    }));

  it("leaves out what is cancelled, before and while it is read, and goes on", () =>
    used(async ({ page }) => {
      const endless = join(folder, "endless.tar");
      const file = openSync(endless, "w");
      ftruncateSync(file, 2 ** 31);
      writeSync(
        file,
        tarHeader({ name: "x/large", size: `${(2 ** 31 - 1024).toString(8).padStart(11, "0")}\0` }),
        0,
        512,
        0,
      );
      closeSync(file);
      await page.setInputFiles("#files", [endless, sample("busy.tgz"), sample("friend-push.tgz")]);
      await page.getByRole("button", { name: "Cancel busy.tgz" }).click();
      await page.getByRole("button", { name: "Cancel", exact: true }).click();
      await allDone(page, 3);
      expect(await page.locator("#bundles .failed").allTextContents()).toEqual([
        "endless.tarcancelled",
        "busy.tgzcancelled",
      ]);
      expect(await page.getByRole("heading", { level: 1, name: /400 MiB unread/ }).count()).toBe(1);
    }));

  it("is used by keyboard alone", () =>
    used(async ({ page }) => {
      const tabTo = async (role: string, name: RegExp): Promise<void> => {
        for (let i = 0; i < 40; i++) {
          await page.keyboard.press("Tab");
          const focused = await page.evaluate(() => {
            const at = document.activeElement;
            return [at?.tagName.toLowerCase(), at?.textContent ?? ""];
          });
          if (focused[0] === role && name.test(focused[1] ?? "")) return;
        }
        throw new RangeError(`Tab never came to ${role} ${name}`);
      };
      // Before the keys, because the browser is told to hand it over.
      const chooser = page.waitForEvent("filechooser");
      await tabTo("input", /^$/);
      await page.keyboard.press("Enter");
      await (await chooser).setFiles(sample("friend-push.tgz"));
      await allDone(page, 1);
      await tabTo("button", /Save as JSON/);
      const download = page.waitForEvent("download");
      await page.keyboard.press("Enter");
      expect(basename((await download).suggestedFilename())).toBe("friend-push.json");
      await tabTo("summary", /All accounts/);
      await page.keyboard.press("Enter");
      expect(await page.locator("table.accounts").isVisible()).toBe(false);
      await tabTo("button", /^Bytes$/);
      await page.keyboard.press("Enter");
      expect(await page.locator("table.owners th[aria-sort]").first().getAttribute("aria-sort")).toBe("ascending");
    }));

  it("stays responsive while it reads 200 MB", () =>
    used(async ({ page }) => {
      const path = join(folder, "large.tar");
      const bytes = gunzipSync(readFileSync(sample("friend-push.tgz")));
      // Without the zeros at its end, a file that takes no room on the disk.
      const end = bytes.findLastIndex((byte) => byte !== 0);
      const whole = bytes.subarray(0, Math.ceil((end + 1) / 512) * 512);
      const size = 200 * 2 ** 20;
      const header = tarHeader({ name: "nailhouse/var/log/large", size: `${size.toString(8).padStart(11, "0")}\0` });
      const file = openSync(path, "w");
      writeSync(file, whole);
      writeSync(file, header);
      ftruncateSync(file, whole.length + 512 + size + 1024);
      closeSync(file);
      await page.evaluate(() => {
        let last = performance.now();
        document.body.dataset.longest = "0";
        setInterval(() => {
          const now = performance.now();
          document.body.dataset.longest = String(Math.max(Number(document.body.dataset.longest), now - last));
          last = now;
        }, 10);
      });
      await page.setInputFiles("#files", path);
      await allDone(page, 1);
      // A quarter of a second is a hitch, not a stop; on two busy cores.
      expect(Number(await page.evaluate(() => document.body.dataset.longest))).toBeLessThan(250);
      expect(await page.getByRole("heading", { level: 1, name: /400 MiB unread/ }).count()).toBe(1);
    }));
});

describe.skipIf(!hasChromium)(`analyze and compare -f html in Chromium${reason}`, () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launch()));
  afterAll(() => browser.close());

  it("runs no text of the bundle, asks for nothing, sorts and copies", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nailhouse-html-"));
    const path = join(folder, "report.html");
    writeFileSync(
      path,
      renderHtml(
        withEveryText(await friendPush(), `"><img src=http://192.0.2.1/x onerror=alert(1)><script>alert(1)</script>`),
      ),
    );
    const { page, context, requests, problems } = await watched(browser, `file://${path}`);
    await page.locator("table.owners button").first().click();
    expect(await page.locator("table.owners th").first().getAttribute("aria-sort")).toBe("descending");
    await page.getByRole("button", { name: "Copy" }).first().click();
    expect(await page.evaluate(() => String(getSelection()))).toContain("onerror=alert(1)");
    expect(await page.locator("img").count()).toBe(0);
    expect([...problems, ...requests]).toEqual([]);
    await context.close();
    rmSync(folder, { recursive: true });
  });

  async function atWidth(width: number, html: string, use: (page: Page) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "nailhouse-html-"));
    const path = join(folder, "report.html");
    writeFileSync(path, html);
    const { page, context } = await watched(browser, `file://${path}`);
    await page.setViewportSize({ width, height: 800 });
    await use(page);
    await context.close();
    rmSync(folder, { recursive: true });
  }

  it.each([390, 1180])("needs no sideways scrolling at %d pixels", async (width) =>
    await atWidth(
      width,
      renderHtml(await friendPush()),
      async (page) => expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width),
    ));

  it("shows a comparison on a phone without sideways scrolling", async () => {
    const sides = [await observeSample("friend-push.tgz"), await observeSample("friend-push-wudp.tgz")] as const;
    await atWidth(390, renderComparisonHtml(compare(...sides)), async (page) => {
      const widths = await page.evaluate(() =>
        [...document.querySelectorAll(".scroll")].map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
      );
      expect(widths).toEqual([0, 0, 0]);
    });
  });

  it("breaks words of any length, and has buttons that a finger hits", async () =>
    await atWidth(
      390,
      renderHtml(withEveryText(await friendPush(), "/long".repeat(50).replaceAll("/", ""))),
      async (page) => {
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
        const heights = await page.evaluate(() =>
          [...document.querySelectorAll<HTMLElement>("th button")].map(({ offsetHeight }) => offsetHeight)
        );
        // As WCAG 2.2 has it.
        expect(Math.min(...heights)).toBeGreaterThanOrEqual(24);
      },
    ));

  it("shows owners and causes on a phone without sideways scrolling, each with its detail", async () => {
    const beyond = (page: Page): Promise<readonly number[]> =>
      page.evaluate(() =>
        [...document.querySelectorAll(".scroll:has(.owners), .scroll:has(.causes)")]
          .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
      );
    const report = await sampleReport("netns-leak.tgz");
    await atWidth(390, renderHtml(report), async (page) => {
      expect(await page.locator(".owners td", { hasText: "lsns -t net" }).first().isVisible()).toBe(true);
      expect(await beyond(page)).toEqual([0, 0]);
    });
    const host = digest("a-bundle-with-a-long-name.sos.tar.gz", report, "held");
    await atWidth(390, renderSummaryHtml(summarize([host], []), new Map()), async (page) => {
      expect(await page.locator(".causes td").first().evaluate((cell) => getComputedStyle(cell, "::before").content))
        .toBe('"hosts: "');
      expect(await beyond(page)).toEqual([0]);
    });
  });

  it("is readable on a phone: a kernel log alone, whose lines are long and which leaves most causes open", async () =>
    await atWidth(390, renderHtml(await sampleReport("oom-6.18-udp.txt")), async (page) => {
      const cutOff = await page.evaluate(() =>
        [...document.querySelectorAll("[aria-labelledby=not-assessed] *")].filter((each) =>
          each.scrollWidth > each.clientWidth && getComputedStyle(each).display !== "inline"
        ).map((each) => each.textContent)
      );
      expect(await page.locator("[aria-labelledby=not-assessed] code").count()).toBeGreaterThan(10);
      expect(cutOff).toEqual([]);
      const heights = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("table.accounts tbody tr")].map((row) => row.offsetHeight)
      );
      // The name, where it was read, the line, how many more: of 25 pixels at most.
      expect(Math.max(...heights)).toBeLessThanOrEqual(4 * 25);
    }));
});
