// Tables whose first line names the columns.
import { ParseError } from "../core/errors.ts";
import type { ParseContext } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One row, by column name. A column that this kernel does not have is undefined. */
export interface Row {
  cell(column: string): string | undefined;
  /** A number of a column without which the row is still of use: a bad one is warned of and left out. */
  count(column: string): number | undefined;
}

/** Parses a table in which each column is one word. `firstColumn` is the header's first word. */
export function parseTable<T>(
  text: string,
  context: ParseContext,
  firstColumn: string,
  parseRow: (row: Row, line: number) => T | undefined,
): T[] {
  const rows: T[] = [];
  let header: Map<string, number> | undefined;
  forEachLine(text, (line, number) => {
    const words = columns(line);
    if (words.length === 0) return;
    if (header === undefined) {
      if (words[0] === firstColumn) header = new Map(words.map((word, i) => [word, i]));
      return;
    }
    const positions = header;
    const cell = (column: string): string | undefined => words[positions.get(column) ?? -1];
    const count = (column: string): number | undefined => {
      const digits = cell(column);
      const value = parseCount(digits);
      if (digits !== undefined && value === undefined) context.warn(number, `${column} is no count: ${quote(digits)}`);
      return value;
    };
    // A row that is shorter than the header was cut off: its last word may be, too.
    const row = words.length < positions.size ? undefined : parseRow({ cell, count }, number);
    if (row === undefined) context.warn(number, `not a row of the table: ${quote(line)}`);
    else rows.push(row);
  });
  if (header === undefined) {
    throw new ParseError(`Cannot parse a table: no header that begins with "${firstColumn}"`, { text });
  }
  return rows;
}
