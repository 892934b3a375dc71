/** The offline page in Chromium against the command line: a sosreport of 200 MB, read by a worker. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { chromium } from "playwright-core";
import { formatBytes } from "../../src/core/format.ts";
import { type Family, limited, measureByTurns } from "./_measure.ts";
import { cached } from "./bundles/mod.ts";

const EXECUTABLE = "/usr/bin/chromium";
const MEGABYTES = 200;
/** A browser calls nothing shorter a long task: who clicks does not feel it. */
const MAX_BLOCK_MS = 50;
const page = new URL("../../dist/nailhouse.html", import.meta.url).href;

interface Use {
  readonly wallMs: number;
  /** Resident memory of the largest process that runs pages and workers. */
  readonly peakBytes: number;
  /** 0 where none was as long as to be told. */
  readonly longestBlockMs: number;
}

/** The parent and the arguments of a process; undefined when it has ended. */
function processOf(pid: number): { readonly parent: number; readonly args: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const parent = Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
    return { parent, args: readFileSync(`/proc/${pid}/cmdline`, "utf8") };
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Whether a process was started by another, or by one that it started. */
function isBelow(pid: number, ancestor: number): boolean {
  const parent = processOf(pid)?.parent ?? 0;
  return parent === ancestor || (parent > 1 && isBelow(parent, ancestor));
}

/** The most that was resident of the largest of the browser's processes for pages, which this one has started. */
function rendererPeakBytes(): number {
  const renderers = readdirSync("/proc").map(Number).filter((pid) =>
    pid > 0 && processOf(pid)?.args.includes("--type=renderer") === true && isBelow(pid, process.pid)
  );
  const peaks = renderers.map((pid) => /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return Math.max(...peaks.map((kb) => Number(kb) * 1024));
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
    const peakBytes = rendererPeakBytes();
    return { wallMs, peakBytes, longestBlockMs: Math.max(0, ...blocks) };
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
      { name, measure: "peak memory", figures: "resident, of the page's process" },
      middle(uses.map((each) => each.peakBytes)),
      undefined,
      formatBytes,
    );
    yield limited(
      { name, measure: "longest block", figures: "of the page's thread" },
      middle(uses.map((each) => each.longestBlockMs)),
      MAX_BLOCK_MS,
      (ms) => `${ms.toFixed(0)} ms`,
    );
  },
};
