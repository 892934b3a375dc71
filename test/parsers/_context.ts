import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import type { HostFacts, ParseContext } from "../../src/core/source.ts";

/** A context that keeps the warnings, each as `LINE: MESSAGE`. */
export function contextOf(facts: HostFacts = { pageSizeBytes: 4096, machine: "x86_64" }): {
  readonly context: ParseContext;
  readonly warnings: readonly string[];
} {
  const warnings: string[] = [];
  return { context: { facts, warn: (line, message) => void warnings.push(`${line}: ${message}`) }, warnings };
}

/** Parses and expects that nothing was warned of. */
export function parseClean<T>(parse: (text: string, context: ParseContext) => T, text: string, facts?: HostFacts): T {
  const { context, warnings } = contextOf(facts);
  const value = parse(text, context);
  expect(warnings).toEqual([]);
  return value;
}

/** Parses and gives the value together with the warnings. */
export function parseWithWarnings<T>(
  parse: (text: string, context: ParseContext) => T,
  text: string,
): { readonly value: T; readonly warnings: readonly string[] } {
  const { context, warnings } = contextOf();
  return { value: parse(text, context), warnings };
}

/** A file of this machine; undefined where there is none or it must not be read: the test says that it is skipped. */
export function live(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The rows of a value, whichever collection it is. */
function rowsOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value];
  return Object.values(value as object).flatMap((part) => Array.isArray(part) || part instanceof Map ? [...part] : []);
}

function lineOf(row: unknown): number {
  const at = (Array.isArray(row) ? row[1] : row) as { line: number };
  return at.line;
}

/**
 * Registers what holds for every parser of rows, with a whole fixture: cut off anywhere it throws nothing but ParseError, keeps
 * the rows before the cut as they are, and loses none of them; line ends do not matter.
 */
export function itIsRobust(
  name: string,
  fixture: string,
  parse: (text: string, context: ParseContext) => unknown,
): void {
  it(`${name}() keeps the rows before a cut at every character`, () => {
    const whole = rowsOf(parse(fixture, contextOf().context));
    for (let cut = 0; cut < fixture.length; cut++) {
      const text = fixture.slice(0, cut);
      const lastLine = text.split("\n").length;
      const before = whole.filter((row) => lineOf(row) < lastLine);
      let rows: unknown[];
      try {
        rows = rowsOf(parse(text, contextOf().context));
      } catch (error) {
        expect(error, `cut at ${cut}`).toBeInstanceOf(ParseError);
        expect(before, `cut at ${cut}`).toEqual([]);
        continue;
      }
      // The last row may go on in the lines after it.
      const settled = rows.filter((row) => lineOf(row) < lastLine);
      expect(settled.length, `cut at ${cut}`).toBe(before.length);
      expect(settled.slice(0, -1), `cut at ${cut}`).toEqual(before.slice(0, -1));
    }
  });

  it(`${name}() does not mind CRLF, or a missing newline at the end`, () => {
    const whole = parse(fixture, contextOf().context);
    expect(rowsOf(whole)).not.toEqual([]);
    expect(parse(fixture.replaceAll("\n", "\r\n"), contextOf().context)).toEqual(whole);
    expect(parse(fixture.trimEnd(), contextOf().context)).toEqual(whole);
  });

  it(`${name}() throws ParseError, or finds nothing, in what is something else`, () => {
    for (
      const text of ["", "\n", "\0\0\0\0", "<html>\n", "a".repeat(1000), "-".repeat(99) + "\n:\n:::\n[]\n", "1 2 3\n"]
    ) {
      try {
        expect(rowsOf(parse(text, contextOf().context)), JSON.stringify(text.slice(0, 20))).toEqual([]);
      } catch (error) {
        expect(error, JSON.stringify(text.slice(0, 20))).toBeInstanceOf(ParseError);
      }
    }
  });
}
