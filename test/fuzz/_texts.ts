/** Texts that a parser might be given: what it knows, changed in ways that no kernel would. */
import fc from "fast-check";

/** What programs have stumbled over. */
const NASTY = [
  "-1",
  "-0",
  "NaN",
  "Infinity",
  "1e309",
  "2147483648",
  "9007199254740993",
  "18446744073709551615",
  "99999999999999999999999999",
  "0x7fffffffffffffff",
  "1.5",
  "__proto__",
  "constructor",
  "toString",
  "",
  "\0",
  "\ufffd",
  "\u202e",
  "\ud800",
  "\x1b[31m",
  "\r",
  "\n",
  "\n\n",
  "\t",
  "    ",
  ..."=:,;()[]{}<>\"'%-+./\\|#*@",
  "kB",
  " : ",
];

/** One change of a text; the numbers choose where, and are taken modulo what there is. */
interface Change {
  readonly kind: "cut" | "drop" | "double" | "insert" | "number" | "word" | "blank" | "swap" | "end";
  readonly at: number;
  readonly length: number;
  readonly token: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom("cut", "drop", "double", "insert", "number", "word", "blank", "swap", "end"),
  at: fc.nat(),
  length: fc.oneof(fc.nat({ max: 8 }), fc.nat({ max: 400 })),
  token: fc.oneof(fc.constantFrom(...NASTY), fc.string({ maxLength: 12 }), fc.integer().map(String)),
});

/** The n-th match of a pattern, replaced. */
function replaceNth(text: string, pattern: RegExp, at: number, by: string): string {
  const matches = [...text.matchAll(pattern)];
  const match = matches[at % Math.max(1, matches.length)];
  return match === undefined ? text : text.slice(0, match.index) + by + text.slice(match.index + match[0].length);
}

function apply(text: string, { kind, at, length, token }: Change): string {
  const start = text.length === 0 ? 0 : at % text.length;
  const end = Math.min(text.length, start + length);
  switch (kind) {
    case "cut":
      return text.slice(0, start);
    case "end":
      return text.slice(start);
    case "drop":
      return text.slice(0, start) + text.slice(end);
    case "double":
      return text.slice(0, end) + text.slice(start);
    case "insert":
      return text.slice(0, start) + token + text.slice(start);
    case "number":
      return replaceNth(text, /\d+/g, at, token);
    case "word":
      return replaceNth(text, /[^\s:=,]+/g, at, token);
    case "blank":
      return replaceNth(text, /[ \t]+/g, at, token);
    case "swap":
      return text.slice(0, start) + text.slice(end) + text.slice(start, end);
  }
}

/** At most this much of a file is changed: longer texts would be fewer. */
const MAX_SEED = 4000;

/** The beginning of a long text, and as much from somewhere in it. */
function shorten(text: string, at: number): string {
  if (text.length <= MAX_SEED) return text;
  const half = MAX_SEED / 2;
  const start = text.indexOf("\n", at % text.length) + 1;
  return text.slice(0, half) + text.slice(start, start + half);
}

/** Texts like these, and anything at all. */
export function textsLike(seeds: readonly string[]): fc.Arbitrary<string> {
  const garbage = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.array(fc.oneof(fc.constantFrom(...NASTY), fc.nat().map(String)), { maxLength: 60 }).map((all) => all.join(" ")),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => new TextDecoder().decode(bytes)),
  );
  if (seeds.length === 0) return garbage;
  const changed = fc.tuple(fc.constantFrom(...seeds), fc.nat(), fc.array(change, { minLength: 1, maxLength: 6 })).map(
    ([seed, at, changes]) => changes.reduce(apply, shorten(seed, at)),
  );
  return fc.oneof({ arbitrary: changed, weight: 9 }, { arbitrary: garbage, weight: 1 });
}

/** One number of a line is another. */
export function withOtherNumber(text: string, line: number): fc.Arbitrary<string> {
  const lines = text.split("\n");
  const token = fc.oneof(fc.constantFrom(...NASTY), fc.constantFrom("0", "1"), fc.nat().map(String));
  return fc.tuple(fc.nat(), token).map(([at, by]) =>
    lines.with(line - 1, replaceNth(lines[line - 1] as string, /\d+/g, at, by)).join("\n")
  );
}

/** Bytes like these: some changed, some gone, some twice. */
export function bytesLike(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.constantFrom("set", "cut", "drop", "double"),
    at: fc.nat(),
    length: fc.oneof(fc.nat({ max: 16 }), fc.nat({ max: 2000 })),
    value: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 0x30, 0x37, 0x80, 0xff)),
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 6 })).map(([seed, edits]) => {
    let bytes = seed.slice();
    for (const { kind, at, length, value } of edits) {
      const start = at % Math.max(1, bytes.length);
      const end = Math.min(bytes.length, start + length);
      if (kind === "set") bytes.fill(value, start, Math.min(end, start + 16));
      else if (kind === "cut") bytes = bytes.slice(0, start);
      else {
        const from = kind === "drop" ? end : start;
        const to = kind === "drop" ? start : end;
        bytes = Uint8Array.from([...bytes.subarray(0, to), ...bytes.subarray(from)]);
      }
    }
    return bytes;
  });
}
