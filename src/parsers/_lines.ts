// Line and column splitting for files of up to a million lines: no array of all lines, no regular expression per line.
import { ParseError } from "../core/errors.ts";

const TAB = 9;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;

/** Calls `each` for every line with its number, from 1. A carriage return before the newline is not part of the line. */
export function forEachLine(text: string, each: (line: string, number: number) => void): void {
  let start = 0;
  for (let number = 1; start < text.length; number++) {
    // There may be millions in a row: of sockets that hold nothing.
    if (text.charCodeAt(start) === NEWLINE) {
      each("", number);
      start++;
      continue;
    }
    const newline = text.indexOf("\n", start);
    const next = newline === -1 ? text.length : newline;
    const end = next > start && text.charCodeAt(next - 1) === CARRIAGE_RETURN ? next - 1 : next;
    each(text.slice(start, end), number);
    start = next + 1;
  }
}

/** The columns of a line: what stands between spaces and tabs. */
export function columns(line: string): string[] {
  const found: string[] = [];
  let start = -1;
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code === SPACE || code === TAB) {
      if (start !== -1) found.push(line.slice(start, i));
      start = -1;
    } else if (start === -1) start = i;
  }
  if (start !== -1) found.push(line.slice(start));
  return found;
}

/**
 * The rows of a list of nailhouse's own, which has a line with `#` also where nothing is in it.
 *
 * @param item What a row is, for the error.
 * @param each Undefined where the line is none, of which it warns if that is wrong.
 * @throws {ParseError} if there is neither such a line nor a row.
 */
export function ownRows<T>(
  text: string,
  name: string,
  item: string,
  each: (line: string, number: number) => T | undefined,
): readonly T[] {
  const rows: T[] = [];
  let header = false;
  forEachLine(text, (line, number) => {
    if (line.startsWith("#")) header = true;
    if (line === "" || line.startsWith("#")) return;
    const row = each(line, number);
    if (row !== undefined) rows.push(row);
  });
  if (rows.length === 0 && !header) {
    throw new ParseError(`Cannot parse ${name}: it has no header, and no line is ${item}`, { text });
  }
  return rows;
}

/** What people put behind a row, to point at it. */
const POINTERS = [" <-", " <=", " //"];

/** A row without what people add when they show it to somebody: `**Slab: 5 kB**`, `dentry <==`, `Slab: 5 kB  // what is this?`. */
export function withoutMarks(line: string): string {
  const end = POINTERS.reduce((least, mark) => {
    const at = line.indexOf(mark);
    return at === -1 ? least : Math.min(least, at);
  }, line.length);
  const row = line.slice(line.startsWith("**") ? 2 : 0, end);
  // Nothing of what is cut off need be looked at twice: a hostile line may be long.
  return end === line.length && !row.endsWith("**") ? row : row.trimEnd().replace(/\*\*$/, "");
}

/** A line for a warning: at most 120 characters of it, in quotes. */
export function quote(line: string): string {
  return JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}...` : line);
}
