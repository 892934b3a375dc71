/** How text looks on a terminal: its width, and emphasis by escape sequences, by which alone nothing is told. */
import { type GroupId, GROUPS } from "./_groups.ts";

export interface Style {
  readonly width: number;
  readonly all: boolean;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
  /** For what is held. */
  readonly alarm: (text: string) => string;
  readonly group: (id: GroupId, text: string) => string;
}

/** SGR codes. */
const GROUP_CODES: { readonly [G in GroupId]: string } = {
  processes: "34",
  shared: "36",
  "huge-pages": "33",
  kernel: "35",
  unaccounted: "7",
  cache: "32",
  free: "2",
};

/** What a group is drawn with. */
export const GROUP_LETTERS: { readonly [G in GroupId]: string } = {
  processes: "P",
  shared: "S",
  "huge-pages": "H",
  kernel: "K",
  unaccounted: "?",
  cache: "c",
  free: ".",
};

/** What is held by findings, whatever its group. */
export const HELD_LETTER = "#";

/** Below that tables and plots have no room: the terminal breaks their lines. */
const LEAST_WIDTH = 20;

export function styleOf(width: number, all: boolean, color: boolean): Style {
  const sgr =
    (code: string) => (text: string): string => (color && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text);
  const groups = new Map(GROUPS.map(({ id }) => [id, sgr(GROUP_CODES[id])]));
  return {
    width: Math.max(width, LEAST_WIDTH),
    all,
    strong: sgr("1"),
    faint: sgr("2"),
    alarm: sgr("1;31"),
    group: (id, text) => (groups.get(id) as (text: string) => string)(text),
  };
}
