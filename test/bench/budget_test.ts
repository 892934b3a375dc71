/**
 * What analyzing may cost, in numbers that do not depend on the machine: how often bytes are decoded, and by which power of the size the work
 * grows. `npm run bench` measures the seconds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { fileChunks, nodeGunzip } from "../../src/host/node_input.ts";
import { preset } from "../../src/preset.ts";
import { exponent } from "./analyze.ts";
import { generate } from "./bundles/mod.ts";

const folder = mkdtempSync(join(tmpdir(), "nailhouse-budget-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Work {
  /** Of all files that are kept. */
  readonly keptBytes: number;
  /** Given to TextDecoder while analyzing. */
  readonly decodedBytes: number;
  readonly cpuMs: number;
}

async function workOf(path: string): Promise<Work> {
  const before = process.cpuUsage();
  const bundle = await openArchive(fileChunks(path), { sources: presetSources(preset), decompress: nodeGunzip });
  let decodedBytes = 0;
  const { decode } = TextDecoder.prototype;
  TextDecoder.prototype.decode = function (input, options) {
    decodedBytes += input?.byteLength ?? 0;
    return decode.call(this, input, options);
  };
  try {
    analyze(bundle, preset);
  } finally {
    TextDecoder.prototype.decode = decode;
  }
  const { user, system } = process.cpuUsage(before);
  const keptBytes = [...bundle.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  return { keptBytes, decodedBytes, cpuMs: (user + system) / 1000 };
}

/** The least of several runs: others use the machine, too, and code gets faster when it is used. */
async function leastWork(path: string): Promise<Work> {
  let least = await workOf(path);
  for (let run = 1; run < 3; run++) {
    const work = await workOf(path);
    if (work.cpuMs < least.cpuMs) least = work;
  }
  return least;
}

/** Twice the size may take 2.8 times as long, what grows with the square 4 times. */
const MAX_EXPONENT = 1.5;
/** Some files are wanted by two parsers, and lines are quoted as evidence. */
const MAX_DECODED = 1.5;

describe("exponent", () => {
  const sizes = [1, 2, 4, 8];
  it.each([0, 1, 1.1, 2])("is %d for times that grow so", (power) => {
    expect(exponent(sizes, sizes.map((size) => 7 * size ** power))).toBeCloseTo(power);
  });
});

describe("analyzing", () => {
  it.each([["sockets", 20_000], ["processes", 2_000], ["slabs", 20_000], ["history", 80]] as const)(
    "decodes what is kept of %s about once, and takes time in proportion to it",
    async (kind, largest) => {
      const sizes = [largest / 4, largest / 2, largest];
      const works: Work[] = [];
      for (const size of sizes) {
        const path = join(folder, `${kind}-${size}.tgz`);
        await generate(kind, size, path);
        works.push(await leastWork(path));
      }
      for (const { keptBytes, decodedBytes } of works) {
        expect(decodedBytes).toBeGreaterThan(0);
        expect(decodedBytes).toBeLessThan(keptBytes * MAX_DECODED);
      }
      expect(exponent(sizes, works.map(({ cpuMs }) => cpuMs))).toBeLessThan(MAX_EXPONENT);
    },
  );
});
