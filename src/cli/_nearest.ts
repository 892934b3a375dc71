/** What somebody may have meant who mistyped a word. */

/** The least number of letters to add, drop or change (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(
        Math.min((row[j] as number) + Number(letter !== other), (row[j + 1] as number) + 1, (next[j] as number) + 1),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}

/** `; perhaps "..."`, to be put behind what is wrong; undefined when no known word is like it. */
export function perhaps(word: string, known: readonly string[]): string | undefined {
  if (word === "") return undefined;
  const close = known.filter((each) => each.includes(word) || distance(word, each) <= Math.max(2, each.length / 4));
  return close.length === 0 ? undefined : `; perhaps ${close.join(", ")}`;
}
