/** A column of lsof that some options add. */
/** What +fg, with which supportconfig runs it, puts between type and device: `RW,AP,LG`, with flags of the descriptor behind a semicolon. */
const FLAGS = /^[A-Z]+(?:,[A-Z]+)*(?:;[A-Z,]*)?$/;

/** The columns of a line without them. */
export function withoutFlags(words: readonly string[], type: number): readonly string[] {
  return FLAGS.test(words[type + 1] ?? "") ? words.toSpliced(type + 1, 1) : words;
}
