import { ParseError } from "../core/errors.ts";
import type { ParseContext } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/**
 * A file of names and numbers, one pair a line.
 *
 * @throws {ParseError} if no line is one; `example` tells what one looks like.
 */
export function parseNamedNumbers(
  text: string,
  context: ParseContext,
  file: string,
  example: string,
): ReadonlyMap<string, NumberAtLine> {
  const numbers = new Map<string, NumberAtLine>();
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const [name, digits, ...rest] = columns(line);
    const value = parseCount(digits);
    if (name === undefined || value === undefined || rest.length > 0) {
      context.warn(number, `not a name and a number: ${quote(line)}`);
    } else numbers.set(name, { value, line: number });
  });
  if (numbers.size === 0) throw new ParseError(`Cannot parse ${file}: no line like "${example}"`, { text });
  return numbers;
}
