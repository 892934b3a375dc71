/**
 * Whatever is in a bundle, parsers, the archive reader and the analysis refuse it or make the best of it: no other error, no number
 * that cannot be, no hang. CI spends seconds on it; `npm run fuzz -- SECONDS` as many as are given, `--seed N` repeats a run.
 */
import fc from "fast-check";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { archives, citedLines, plainArchive, sampleFiles, tryArchive, tryBundle } from "./_archives.ts";
import { found } from "./found.ts";
import { parserTargets, tryParser } from "./_targets.ts";
import { bytesLike, textsLike, withOtherNumber } from "./_texts.ts";
import { readTar } from "../../src/bundle/tar.ts";
import { openArchive } from "../../src/bundle/open.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";
import { pieces } from "../bundle/_archive.ts";

/** All of it, in CI, which repeats the same inputs: when it fails, a change is to blame. `npm run fuzz` takes new ones. */
const CI_SECONDS = 12;
const CI_SEED = 20_261_123;
const seconds = Number(process.env["FUZZ_SECONDS"] ?? CI_SECONDS);
const seed = Number(process.env["FUZZ_SEED"] ?? CI_SEED);
console.log(`fuzzing for ${seconds} seconds, seed ${seed}: npm run fuzz -- ${seconds} --seed ${seed}`);

const targets = await parserTargets();
const parserMs = (seconds * 600) / targets.length;
const PATIENCE_MS = seconds * 1000 + 60_000;

function within(milliseconds: number): fc.Parameters<unknown> {
  return {
    seed,
    numRuns: Infinity,
    interruptAfterTimeLimit: milliseconds,
    markInterruptAsFailure: false,
    // Shrinking is not interrupted.
    endOnFailure: false,
  };
}

describe("every parser", () => {
  it.each(targets)("$name has something to begin with", ({ seeds }) => expect(seeds).not.toEqual([]));

  it.each(targets)(
    "$name gives a value or a ParseError, whatever it is given",
    (target) => fc.assert(fc.property(textsLike(target.seeds), (text) => tryParser(target, text)), within(parserMs)),
    PATIENCE_MS,
  );

  it.each(targets)("$name takes no longer than the text is long", (target) => {
    const line = target.seeds[0]?.split("\n").find((each) => each.length > 5) ?? "x";
    for (const unit of [line, "a", "1", " ", "[", "(", "\t0", ": ", '"', "=", "[]", "\\", `\n${line[0]}`]) {
      const long = unit.repeat(Math.ceil(200_000 / unit.length));
      tryParser(target, long);
      tryParser(target, line + long);
      tryParser(target, `${line}\n${line.slice(0, line.length / 2)}${long}\n${line}`);
    }
  }, PATIENCE_MS);

  it.each(found)("takes what was once found: $parser, $why", ({ parser, text }) => {
    const target = targets.find(({ name }) => name === parser);
    expect(target).toBeDefined();
    if (target !== undefined) tryParser(target, text);
  });
});

describe("the archive reader", () => {
  it("reads what the fuzzing begins with", async () => {
    const paths: string[] = [];
    for await (const { path } of readTar(pieces(plainArchive), (message) => paths.push(message))) paths.push(path);
    expect(paths).toEqual([
      "root/proc/meminfo",
      `root/${"n".repeat(150)}`,
      "root/proc/7/status",
      "root/link",
      "root/hard",
      "root/proc/vmstat",
      "root/s",
    ]);
    for (const archive of archives) {
      const { files, warnings } = await openArchive(pieces(archive), { sources: [meminfo] });
      expect([files.has("proc/meminfo"), warnings]).toEqual([true, []]);
    }
  });

  it(
    "gives a bundle or a BundleError, whatever it is given",
    () => fc.assert(fc.asyncProperty(bytesLike(archives), tryArchive), within(seconds * 200)),
    PATIENCE_MS,
  );
});

describe("the analysis", () => {
  it("gives a report that keeps its promises, whatever the files say", async () => {
    const names = ["friend-push.tgz", "tcp-send.sos.tar.gz", "zram.sos.tar.gz", "guest-5.10-oom.tgz", "bpf-array.tgz"];
    const samples = await Promise.all(names.map(async (name) => {
      const files = await sampleFiles(name);
      return { files, cited: await citedLines(files) };
    }));
    const changed = fc.constantFrom(...samples).chain(({ files, cited }) => {
      const textOf = (path: string): string => new TextDecoder().decode(files.get(path));
      const paths = [...files.keys()].filter((path) => !/nailhouse.*json$/.test(path));
      // Half of the time one of the files that all others are compared with.
      const path = fc.oneof(
        fc.constantFrom(...paths),
        fc.constantFrom(
          ...paths.filter((each) => /proc\/(?:meminfo|zoneinfo|vmstat|slabinfo|net\/|buddyinfo)/.test(each)),
        ),
      );
      const anyEdit = path.chain((name) => textsLike([textOf(name)]).map((value) => [name, value] as const));
      const citedEdit = fc.constantFrom(...cited).chain(({ path: name, line }) =>
        withOtherNumber(textOf(name), line).map((value) => [name, value] as const)
      );
      const edits = fc.array(fc.oneof(anyEdit, citedEdit), { minLength: 1, maxLength: 3 });
      const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
      return edits.map((all) => new Map([...files, ...all.map(([name, text]) => [name, encode(text)] as const)]));
    });
    await fc.assert(fc.asyncProperty(changed, tryBundle), within(seconds * 200));
  }, PATIENCE_MS);
});
