/** Several bundles, on several cores. */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parentPort, Worker } from "node:worker_threads";
import type { BundleLimits } from "../bundle/limits.ts";
import type { Bundle } from "../core/bundle.ts";
import type { Collector } from "../core/collector.ts";
import type { Report } from "../core/report.ts";
import type { Source } from "../core/source.ts";
import { analyze, presetSources } from "../engine/analyze.ts";
import { collectors, preset } from "../preset.ts";
import { inputProblem, openBundles } from "./_input.ts";

/** What came of one bundle of a PATH of the command line. */
export type Analysis =
  | { readonly path: string; readonly report: Report }
  | { readonly path: string; readonly problem: string };

/** Each takes up to 70 MB: all of them stay below 600 MB on whatever machine. */
const MAX_WORKERS = 8;

interface Job {
  readonly path: string;
  readonly limits: Partial<BundleLimits>;
}

/** Who analyzes: what is to be kept of a bundle, and captured of this host, and what becomes of it. */
export interface Analyst {
  readonly sources: readonly Source<unknown>[];
  readonly collectors: readonly Collector[];
  analyze(bundle: Bundle): Report | Promise<Report>;
}

/** With what is shipped, and nothing else. */
export const shipped: Analyst = {
  sources: presetSources(preset),
  collectors,
  analyze: (bundle) => analyze(bundle, preset),
};

/** Analyzes one PATH, with all bundles in it. What cannot be read is a result; a defect of nailhouse is thrown. */
export async function analyzePath({ path, limits }: Job, analyst: Analyst = shipped): Promise<Analysis[]> {
  const analyses: Analysis[] = [];
  try {
    for await (const opened of openBundles(path, analyst, limits)) {
      const name = opened.path === "" ? path : `${path}: ${opened.path}`;
      analyses.push({ path: name, report: await analyst.analyze(opened.bundle) });
    }
  } catch (error) {
    analyses.push({ path, problem: inputProblem(error) });
  }
  return analyses;
}

/** What a thread does that was started to analyze. */
export function serveAnalyses(): void {
  parentPort?.on("message", async (job: Job) => parentPort?.postMessage(await analyzePath(job)));
}

/** The command line's own file: this one once it is built. */
export function mainModule(): URL {
  return new URL(import.meta.url.endsWith("/_fleet.ts") ? "./main.ts" : import.meta.url, import.meta.url);
}

function ask(worker: Worker, job: Job): Promise<Analysis[]> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (analyses: Analysis[]) => {
      worker.off("error", reject);
      resolve(analyses);
    });
    worker.postMessage(job);
  });
}

/** Analyzes all PATHs, one after the other. */
export async function* analyzeInTurn(
  paths: readonly string[],
  limits: Partial<BundleLimits>,
  analyst: Analyst,
): AsyncGenerator<Analysis, void, undefined> {
  for (const path of paths) yield* await analyzePath({ path, limits }, analyst);
}

/** Standard input and this host are one each, and belong to this thread. */
function isOwn(path: string): boolean {
  return path === "-" || path === "/";
}

/** Analyzes all PATHs, on all cores, and gives what came of them in the order in which they were named. */
export async function* analyzeAll(
  paths: readonly string[],
  limits: Partial<BundleLimits>,
): AsyncGenerator<Analysis, void, undefined> {
  const elsewhere = paths.filter((path) => !isOwn(path)).length;
  const workers = Array.from(
    { length: Math.min(availableParallelism(), elsewhere, MAX_WORKERS) },
    () => new Worker(mainModule()),
  );
  const results: (Promise<Analysis[]> | undefined)[] = [];
  const idle = [...workers];
  const waiting: ((worker: Worker) => void)[] = [];
  const free = (worker: Worker): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  };
  const start = async (job: Job): Promise<Analysis[]> => {
    if (isOwn(job.path)) return await analyzePath(job);
    const worker = idle.pop() ?? await new Promise<Worker>((resolve) => waiting.push(resolve));
    try {
      return await ask(worker, job);
    } finally {
      free(worker);
    }
  };
  try {
    for (const [i, path] of paths.entries()) {
      const result = start({ path, limits });
      // Until it is its turn, nobody else takes notice when it fails.
      result.catch(() => {});
      results[i] = result;
    }
    for (const i of paths.keys()) {
      yield* await (results[i] as Promise<Analysis[]>);
      // A report that was passed on is not kept.
      results[i] = undefined;
      showProgress(i + 1, paths.length);
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function showProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(done === all ? "\r\x1b[K" : `\r\x1b[Kanalyzed ${done} of ${all}`);
}
