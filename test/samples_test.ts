/** Every analyzer on every sample, our own and sosreports: what was really held must come first, and nothing else be accused. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openArchive } from "../src/bundle/open.ts";
import { analyze, presetSources } from "../src/engine/analyze.ts";
import { preset } from "../src/preset.ts";
import { brokenPromises, wrongAnswers } from "./_expect.ts";
import { type CaptureKind, fault, faults, hasSosSample } from "./lab/faults.ts";

const folder = new URL("../samples/", import.meta.url);

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function report(file: string) {
  const sources = presetSources(preset);
  return analyze(await openArchive(oneChunk(readFileSync(new URL(file, folder))), { sources }), preset);
}

describe.each<{ kind: CaptureKind; ending: string; of: typeof faults }>([
  { kind: "growing", ending: ".tgz", of: faults },
  { kind: "sos", ending: ".sos.tar.gz", of: faults.filter(hasSosSample) },
])("samples/*$ending", ({ kind, ending, of }) => {
  const names = readdirSync(folder).filter((file) => file.endsWith(ending)).map((file) =>
    file.slice(0, -ending.length)
  );

  it("are there for each fault, and for nothing else", () => {
    expect(names.sort()).toEqual(of.map(({ name }) => name).sort());
  });

  it.each(names)("%s: what was held comes first", async (name) => {
    const found = await report(`${name}${ending}`);
    expect(wrongAnswers(found, fault(name).expect, kind)).toEqual([]);
    expect(brokenPromises(found)).toEqual([]);
  });
});
