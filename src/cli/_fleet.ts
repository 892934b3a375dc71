/** Several bundles, on several cores. */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parentPort, Worker } from "node:worker_threads";
import type { BundleLimits } from "../bundle/limits.ts";
import { type Analysis, analyzePath, type Job } from "./_analyst.ts";

/** Each takes up to 70 MB: all of them stay below 600 MB on whatever machine. */
const MAX_WORKERS = 8;

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
