import { isMainThread, workerData } from "node:worker_threads";

/** A thread that analyzes one of several bundles runs the command line's own file, and one that runs plug-ins; false for what is no thread. */
export async function serveThread(): Promise<boolean> {
  if (isMainThread) return false;
  if (workerData === null || workerData === undefined) (await import("./_fleet.ts")).serveAnalyses();
  else await (await import("./_plugin_thread.ts")).servePlugins();
  return true;
}
