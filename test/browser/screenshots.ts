/** `npm run screenshots`: what a report looks like, for the README: samples/screenshots. Needs Debian's chromium and pngquant. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { launch, root } from "./_chromium.ts";

const target = join(root, "samples/screenshots");

interface Shot {
  readonly name: string;
  readonly sample: string;
  readonly context: BrowserContextOptions;
  readonly prepare?: (page: Page) => Promise<void>;
}

const WIDE = { width: 1000, height: 760 };
/** A page of A4 at 96 dpi. */
const A4 = { width: 794, height: 1123 };
const PHONE = { width: 390, height: 760 };

const shots: readonly Shot[] = [
  { name: "light", sample: "friend-push.tgz", context: { viewport: WIDE, colorScheme: "light" } },
  { name: "dark", sample: "user-leak.tgz", context: { viewport: WIDE, colorScheme: "dark" } },
  { name: "narrow", sample: "friend-push.tgz", context: { viewport: PHONE, colorScheme: "light" } },
  {
    name: "print",
    sample: "friend-push.tgz",
    context: { viewport: A4 },
    prepare: (page) => page.emulateMedia({ media: "print" }),
  },
];

const folder = mkdtempSync(join(tmpdir(), "nailhouse-screenshots-"));
const browser = await launch();
try {
  mkdirSync(target, { recursive: true });
  for (const { name, sample, context, prepare } of shots) {
    const report = join(folder, `${name}.html`);
    execFileSync("node", ["dist/cli.js", "analyze", join("samples", sample), "-f", "html", "-o", report], {
      cwd: root,
    });
    const page = await browser.newPage(context);
    await page.goto(pathToFileURL(report).href);
    await prepare?.(page);
    const image = join(target, `${name}.png`);
    await page.screenshot({ path: image });
    // A report has few colours: 32 look the same and make a third of the size.
    execFileSync("pngquant", ["--speed", "1", "--force", "--output", image, "32", image]);
    await page.close();
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
