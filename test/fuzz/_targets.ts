/** What is fuzzed: every parser that src/parsers/mod.ts exports, and what may be told of what it gives. */
import * as assert from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { openArchive } from "../../src/bundle/open.ts";
import { ParseError } from "../../src/core/errors.ts";
import type { HostFacts, ParseContext, Reader, Source } from "../../src/core/source.ts";
import { openSnapshots } from "../../src/engine/reader.ts";
import * as parsers from "../../src/parsers/mod.ts";

type Parse = (text: string, context: ParseContext) => unknown;

export interface ParserTarget {
  readonly name: string;
  readonly parse: Parse;
  /** Texts that it can parse: its documentation's example, files of a sample, and inputs that were found by fuzzing. */
  readonly seeds: readonly string[];
}

const FACTS: HostFacts = { pageSizeBytes: 4096, machine: "x86_64", userHz: 100, cpus: 2 };
const root = new URL("../../", import.meta.url);
const SAMPLES = ["samples/friend-push.tgz", "samples/friend-push-netns.sos.tar.gz", "samples/bpf-array.tgz"];

function isSource(value: unknown): value is Source<unknown> {
  return typeof value === "object" && value !== null && "patterns" in value && "read" in value;
}

/** The texts that the examples of the documentation parse. */
function exampleTexts(add: (name: string, text: string) => void): void {
  const spies = Object.fromEntries(
    Object.entries(parsers).map(([name, value]) => [
      name,
      typeof value !== "function" || !name.startsWith("parse") ? value : (text: string, context: ParseContext) => {
        add(name, text);
        return (value as Parse)(text, context);
      },
    ]),
  );
  const folder = new URL("src/parsers/", root);
  for (const file of readdirSync(folder)) {
    const source = readFileSync(new URL(file, folder), "utf8");
    for (const [, example = ""] of source.matchAll(/^ \* ```ts\n((?: \*.*\n)*?) \* ```$/gm)) {
      const code = example.replaceAll(/^ \* ?/gm, "")
        .replace(/import (\{.*\}) from "nailhouse\/parsers";/, "const $1 = parsers;")
        .replace(/import (\{.*\}) from "node:assert";/, "const $1 = assert;");
      new Function("parsers", "assert", code)(spies, assert);
    }
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The files of a sample that sources give their parsers. */
async function sampleTexts(sample: string, add: (parse: Parse, text: string) => void): Promise<void> {
  const sources = Object.values<unknown>(parsers).filter(isSource);
  const bundle = await openArchive(oneChunk(readFileSync(new URL(sample, root))), { sources });
  const { base } = openSnapshots(bundle);
  const reader: Reader = {
    facts: base.facts,
    time: base.time,
    timeline: [],
    earlier: [],
    paths: (pattern) => base.paths(pattern).slice(0, 2),
    read: (source) => source.read(reader),
    parse(path, parse) {
      add(parse as Parse, new TextDecoder().decode(bundle.files.get(path)));
      return base.parse(path, parse);
    },
  };
  for (const source of sources) source.read(reader);
}

/** All parsers, with their texts. */
export async function parserTargets(): Promise<readonly ParserTarget[]> {
  const seeds = new Map<unknown, Set<string>>();
  const add = (parse: unknown, text: string): void =>
    void seeds.set(parse, (seeds.get(parse) ?? new Set<string>()).add(text));
  const byName: { readonly [name: string]: unknown } = parsers;
  exampleTexts((name, text) => add(byName[name], text));
  for (const sample of SAMPLES) await sampleTexts(sample, add);
  const exported = Object.entries(parsers).flatMap(([name, value]) =>
    typeof value === "function" && /^parse[A-Z]/.test(name) ? [{ name, parse: value as Parse }] : []
  );
  return exported.map(({ name, parse }) => ({ name, parse, seeds: [...(seeds.get(parse) ?? [])] }));
}

/** Amounts that are never negative, by the names that parsers give them. */
const AMOUNT = /(?:[bB]ytes|[cC]ounts?|[pP]ages|[oO]bjects|[sS]labs|[dD]rops|[tT]hreads|[iI]node|[pP]id|blocks)$/;

function checkNumber(value: number, at: string, name: string): void {
  if (!Number.isFinite(value)) throw new Error(`${at} is ${value}`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Error(`${at} is ${value}, above 2^53`);
  if (AMOUNT.test(name) && (value < 0 || !Number.isInteger(value))) throw new Error(`${at} is ${value}`);
  if (name === "line" && value < 1) throw new Error(`${at} is ${value}`);
}

/** Throws when a value has a number that is none, or an amount that cannot be. */
export function checkNumbers(value: unknown, at = "the value", name = ""): void {
  if (typeof value === "number") checkNumber(value, at, name);
  else if (value instanceof Map) {
    for (const [key, each] of value) checkNumbers(each, `${at}[${JSON.stringify(key)}]`, name);
  } else if (Array.isArray(value) || value instanceof Set) {
    let i = 0;
    for (const each of value) checkNumbers(each, `${at}[${i++}]`, name);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) checkNumbers(each, `${at}.${key}`, key);
  }
}

/** The longest that one text of some kilobytes may take: a thousand times what it does take, on a machine that is busy. */
export const MAX_MILLISECONDS = 2000;

/** Throws when the parser does anything but give a value or refuse the text. */
export function tryParser({ parse }: Pick<ParserTarget, "parse">, text: string): void {
  const start = performance.now();
  const lines = text.split("\n").length;
  const warn = (line: number, message: string): void => {
    if (!(line >= 1 && line <= lines) || message === "") {
      throw new Error(`warns of line ${line} of ${lines}: ${message}`);
    }
  };
  try {
    checkNumbers(parse(text, { facts: FACTS, warn }));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
  const took = performance.now() - start;
  if (took > MAX_MILLISECONDS) throw new Error(`takes ${took.toFixed(0)} ms for ${text.length} characters`);
}
