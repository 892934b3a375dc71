/** The offline page in Chromium against the command line: a sosreport of 200 MB, read by a worker. */
import { chromium } from "playwright-core";
import { type Family, limited, measureByTurns } from "./_measure.ts";
import { cached } from "./bundles/mod.ts";

const EXECUTABLE = "/usr/bin/chromium";
const MEGABYTES = 200;
/** A browser calls nothing shorter a long task: who clicks does not feel it. */
const MAX_BLOCK_MS = 50;
const page = new URL("../../dist/nailhouse.html", import.meta.url).href;

interface Use {
  readonly wallMs: number;
  /** 0 where none was as long as to be told. */
  readonly longestBlockMs: number;
}

/** Gives a bundle to the page; done when its report is shown. */
async function use(bundle: string): Promise<Use> {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  try {
    const tab = await browser.newPage();
    await tab.goto(page);
    await tab.evaluate(() => {
      const seen = globalThis as unknown as { blocks: number[] };
      seen.blocks = [];
      new PerformanceObserver((list) => seen.blocks.push(...list.getEntries().map((entry) => entry.duration)))
        .observe({ type: "longtask" });
    });
    const start = performance.now();
    await tab.setInputFiles("#files", bundle);
    await tab.waitForFunction(() => document.querySelector("#view h1") !== null, undefined, { timeout: 120_000 });
    const wallMs = performance.now() - start;
    const blocks = await tab.evaluate(() => (globalThis as unknown as { blocks: number[] }).blocks);
    return { wallMs, longestBlockMs: Math.max(0, ...blocks) };
  } finally {
    await browser.close();
  }
}

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

export const family: Family = {
  needs: { [EXECUTABLE]: "chromium" },
  about:
    "A page has no zlib of its own that tells what is damaged: fflate decompresses, in the worker, at a fifth of zlib's speed.",
  async *rows({ runs, divisor }) {
    const megabytes = Math.round(MEGABYTES / divisor);
    const bundle = await cached("sosreport", megabytes);
    const uses: Use[] = [];
    for (let run = 0; run < runs; run++) uses.push(await use(bundle));
    const [node] = measureByTurns([() => ["node", "dist/cli.js", "analyze", "-f", "html", bundle]], runs);
    const name = `${megabytes} MB of sosreport in Chromium`;
    const wallMs = middle(uses.map((each) => each.wallMs));
    const nodeMs = (node?.wallSeconds ?? NaN) * 1000;
    yield limited(
      {
        name,
        measure: "wall time",
        figures: `${(wallMs / 1000).toFixed(2)} s : ${(nodeMs / 1000).toFixed(2)} s in Node`,
      },
      wallMs / nodeMs,
      undefined,
    );
    yield limited(
      { name, measure: "longest block", figures: "of the page's thread" },
      middle(uses.map((each) => each.longestBlockMs)),
      MAX_BLOCK_MS,
      (ms) => `${ms.toFixed(0)} ms`,
    );
  },
};
