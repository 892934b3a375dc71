/** One bundle after the other, in this thread. */
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

/** A PATH of the command line. */
export interface Job {
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

/** Analyzes all PATHs, one after the other. */
export async function* analyzeInTurn(
  paths: readonly string[],
  limits: Partial<BundleLimits>,
  analyst: Analyst,
): AsyncGenerator<Analysis, void, undefined> {
  for (const path of paths) yield* await analyzePath({ path, limits }, analyst);
}
