/** A real Chromium, as Debian packages it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const EXECUTABLE = "/usr/bin/chromium";

export const hasChromium: boolean = existsSync(EXECUTABLE);
/** Said in the name of what is skipped. */
export const reason: string = hasChromium ? "" : ` (skipped: needs Debian's chromium at ${EXECUTABLE})`;

export const root: string = fileURLToPath(new URL("../..", import.meta.url));
/** The page that is shipped. */
export const pageUrl: string = new URL("../../dist/nailhouse.html", import.meta.url).href;

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
}

/** A page, and what went wrong or out while it was used. */
export interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Requests of anything but the page itself and its blobs. */
  readonly requests: string[];
  /** Errors, dialogs and violations of the policy. */
  readonly problems: string[];
}

export async function watched(browser: Browser, url: string): Promise<Watched> {
  const context = await browser.newContext({ acceptDownloads: true });
  const requests: string[] = [];
  const problems: string[] = [];
  context.on("request", (request) => {
    if (request.url() !== url && !request.url().startsWith("blob:")) requests.push(request.url());
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("dialog", async (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  await page.goto(url);
  return { page, context, requests, problems };
}
