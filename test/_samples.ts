import { readFileSync } from "node:fs";
import { openArchive } from "../src/bundle/open.ts";
import { load } from "../src/computed/load.ts";
import type { Bundle } from "../src/core/bundle.ts";
import type { Observed } from "../src/core/comparison.ts";
import type { Report } from "../src/core/report.ts";
import { analyze, presetSources } from "../src/engine/analyze.ts";
import { preset } from "../src/preset.ts";
import { observe } from "../src/sdk.ts";

/** All samples. */
export const samplesFolder: URL = new URL("../samples/", import.meta.url);

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function open(file: string): Promise<Bundle> {
  const sources = [...presetSources(preset), load];
  return openArchive(oneChunk(readFileSync(new URL(file, samplesFolder))), { sources });
}

/** What is reported of one of them. */
export async function sampleReport(file: string): Promise<Report> {
  return analyze(await open(file), preset);
}

/** One of them, as a side of a comparison. */
export async function observeSample(file: string): Promise<Observed> {
  return observe({ ...await open(file), preset });
}
