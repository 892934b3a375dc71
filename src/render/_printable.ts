/**
 * Characters that act on a terminal or reorder what is read: C0 and C1 controls, DEL, bidirectional and zero-width marks, line and paragraph
 * separators. A process can carry any of them in its name.
 */
// deno-lint-ignore no-control-regex
const ACTIVE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;

/** Text from a bundle, made safe to print: tabs and NULs become spaces, other active characters are written as `\u{..}`. */
export function printable(text: string): string {
  return text.replace(
    ACTIVE,
    (character) =>
      character === "\t" || character === "\0" ? " " : `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
}

/**
 * Breaks text between words so that no line is longer than `width`, unless a single word is.
 *
 * @param first What the first line begins with.
 * @param indent What the others begin with: as many blanks.
 */
export function wrap(text: string, width: number, first = "", indent: string = " ".repeat(first.length)): string {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join("\n");
}

const NO_BREAK = "\u00a0";

/** Items with a bar between them, broken into lines between items only. */
export function wrapItems(items: readonly string[], width: number, first = ""): string {
  const whole = items.map((item) => item.replaceAll(" ", NO_BREAK)).join(" | ");
  return wrap(whole, width, first).replaceAll(NO_BREAK, " ");
}

/** What is left out of a list, as its last line. */
export function more(all: readonly unknown[], shown: readonly unknown[], indent: string): string[] {
  return shown.length < all.length ? [`${indent}and ${all.length - shown.length} more (--all)`] : [];
}
