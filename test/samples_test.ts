/** Every analyzer on every sample: what was really held must come first, and nothing else be accused. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openArchive } from "../src/bundle/open.ts";
import { analyze, presetSources } from "../src/engine/analyze.ts";
import { preset } from "../src/preset.ts";
import { brokenPromises, wrongAnswers } from "./_expect.ts";
import { faults } from "./lab/faults.ts";

const folder = new URL("../samples/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".tgz")).map((name) => name.slice(0, -".tgz".length));

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("samples", () => {
  it("has one for every fault, and no other", () => {
    expect(names.sort()).toEqual(faults.map(({ name }) => name).sort());
  });

  for (const name of names) {
    it(`${name}: what was held comes first`, async () => {
      const fault = faults.find((each) => each.name === name);
      if (fault === undefined) throw new Error(`samples/${name}.tgz is of no fault in test/lab/faults.ts`);
      const bundle = await openArchive(oneChunk(readFileSync(new URL(`${name}.tgz`, folder))), {
        sources: presetSources(preset),
      });
      const report = analyze(bundle, preset);
      expect(wrongAnswers(report, fault.expect)).toEqual([]);
      expect(brokenPromises(report)).toEqual([]);
    });
  }
});
