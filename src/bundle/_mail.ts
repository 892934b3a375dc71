/** What mail programs do to a kernel's log: they break its lines, and encode them. */

/** Whole lines of a dump are longer (a zone's has some 400 characters): with one of them nothing was broken. */
const LONGEST_BROKEN_LINE = 100;
/** No line of a kernel's is longer than its buffer for one. */
const LONGEST_LINE = 2048;
/** What a log's line begins with, where it has anything before the kernel's words. */
const PREFIX = /^[ \t]{0,8}(?:<\d+>)?(?:\[ *\d+\.\d+\]|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )/;
const FIELD = String
  .raw`(?:[a-z_]+(?:\((?:anon|file)\))?: ?\d+(?:kB|KB)?|\d+\*\d+kB|\([A-Z]+\)|= \d+kB|0?kB|all_unreclaimable\? \w+)`;
/** The rest of a line of nodes, zones or free blocks: nothing but fields, and no blank before them as where totals go on. */
const REST = new RegExp(String.raw`^${FIELD}(?: +${FIELD})*\s*$`);
/** Lines of a dump that are so long. */
const LONG_LINE = /^(?:Node \d+ |\w{1,16} free:\d+kB|\w{1,16}: \d+\*\d+kB)/;
/** What the mail's own head says, where it was saved whole. */
const ENCODED = /^Content-Transfer-Encoding: quoted-printable\r?$/im;
/** How much is looked at to know an encoding. */
const SAMPLE_LENGTH = 4096;

/** A text as it was before it was encoded as quoted-printable, which breaks lines behind =, and writes that as =3D; it has fewer lines then. A log may have both ("a0=3D", "=====") beside = that stand for themselves. */
export function withoutQuotedPrintable(text: string): string {
  const first = text.indexOf("=3D");
  if (!/=\r?\n/.test(text)) return text;
  if (first === -1 && !ENCODED.test(text)) return text;
  // Above may be the mail's head, which is not encoded.
  const sample = text.slice(text.lastIndexOf("\n", first) + 1, first + SAMPLE_LENGTH);
  if (/=(?![\dA-F]{2}|\r?\n|[\dA-F\r]?$)/.test(sample)) return text;
  return text.replaceAll(/=\r?\n/g, "").replaceAll(
    /=([0-7][\dA-F])/g,
    (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
  );
}

/** Lines of a log as they were before a mail program broke them, each at its place, and an empty one for each that was a rest; the same array where none was. */
export function unbroken(lines: readonly string[]): readonly string[] {
  if (lines.some(({ length }) => length > LONGEST_BROKEN_LINE) || !lines.some((line) => REST.test(line))) return lines;
  const havePrefixes = lines.some((line) => PREFIX.test(line));
  const whole: string[] = [];
  let isBroken = false;
  let at = -1;
  for (const line of lines) {
    const head = whole[at];
    const isRest = havePrefixes
      ? /^\S/.test(line) && !PREFIX.test(line) && PREFIX.test(head ?? "")
      : REST.test(line) && LONG_LINE.test(head ?? "");
    if (isRest && (head?.length ?? 0) < LONGEST_LINE) whole[at] = `${head?.trimEnd()} ${line}`;
    else if (!isRest) at = whole.length;
    whole.push(isRest ? "" : line);
    isBroken ||= isRest;
  }
  return isBroken ? whole : lines;
}
