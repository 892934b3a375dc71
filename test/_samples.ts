import { readFileSync } from "node:fs";
import { openArchive } from "../src/bundle/open.ts";
import type { Report } from "../src/core/report.ts";
import { analyze, presetSources } from "../src/engine/analyze.ts";
import { preset } from "../src/preset.ts";

/** All samples. */
export const samplesFolder: URL = new URL("../samples/", import.meta.url);

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What is reported of one of them. */
export async function sampleReport(file: string): Promise<Report> {
  const sources = presetSources(preset);
  return analyze(await openArchive(oneChunk(readFileSync(new URL(file, samplesFolder))), { sources }), preset);
}
