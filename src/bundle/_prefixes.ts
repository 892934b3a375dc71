/** What programs put before every line of another one's output, and tables as Markdown and spreadsheets write them. */
import { shortName } from "./_few.ts";

/** cat -n, grep -n and bars; ts, and kubectl logs --timestamps; pdsh, and docker compose logs. */
const PREFIXES: readonly RegExp[] = [
  /^ {0,8}(?:\d{1,7}(?:\t|[:|] ?)|[|\u2502\u2503] ?)/,
  /^\[?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,16}|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)\]? /,
  /^([\w.-]{1,64}) {0,16}(?:: | \| )/,
];
const TABLE_ROW = /^ {0,8}\| ?(.*)\|\s*$/;
const TABBED = /\t.*\t/;
/** So many lines tell what stands before all. */
const LINES_LOOKED_AT = 200;
const FEWEST_LINES = 2;
/** A prompt or a title may stand among them. */
const MOST_LINES = 0.9;
/** A host has several lines, as names of fields have not. */
const LINES_OF_HOST = 3;

/** The names of hosts that stand before most lines, which are `undefined` alone where it is no name; undefined where nothing does. */
function namesBefore(lines: readonly string[], prefix: RegExp): ReadonlySet<string | undefined> | undefined {
  const found = lines.map((line) => prefix.exec(line)).filter((each) => each !== null);
  const names = new Set(found.map(([, name]) => name));
  return found.length >= FEWEST_LINES && found.length >= MOST_LINES * lines.length &&
      (names.size === 1 || names.size * LINES_OF_HOST <= found.length)
    ? names
    : undefined;
}

function isFilled(line: string): boolean {
  return line.trim() !== "";
}

/** What `cat -n` put before the lines, where somebody copied it with blanks for the tab: numbers that go up by one, which no table has before all its rows. */
function withoutNumbers(lines: readonly string[]): readonly string[] {
  const found = lines.map((line) => /^ {0,8}(\d{1,7})(?: {1,2}|$)/.exec(line));
  const first = Number(found[0]?.[1]);
  const areNumbers = lines.length > FEWEST_LINES &&
    lines.every((line, i) => Number(found[i]?.[1]) === first + i || (line === "" && i === lines.length - 1));
  return areNumbers ? lines.map((line, i) => line.slice(found[i]?.[0].length)) : lines;
}

/** A line of JSON that is a text, as Ansible and others write an output's lines, or all of it: `"stdout": "..."`. */
const JSON_TEXT = /^\s*(?:"[\w .-]{1,64}" ?: ?)?("(?:[^"\\]|\\.)*"),?\s*$/;

/** What is within such texts, as it was printed. */
function withoutJson(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const quoted = JSON_TEXT.exec(line)?.[1];
    if (quoted === undefined) return [line];
    try {
      return (JSON.parse(quoted) as string).split(/\r?\n/);
    } catch (error) {
      // Another language's text.
      if (error instanceof SyntaxError) return [line];
      throw error;
    }
  });
}

/** A text without what its lines have before them in common, and what is to be said of that; undefined where they have nothing. */
export function withoutPrefixes(text: string): { readonly text: string; readonly warnings: string[] } | undefined {
  const warnings: string[] = [];
  let lines = withoutNumbers(withoutJson(text.split(/\r?\n/))).map((line) =>
    TABLE_ROW.exec(line)?.[1]?.split("|").map((cell) => cell.trim()).join("  ") ?? line
  );
  const looked = (): string[] => lines.slice(0, 2 * LINES_LOOKED_AT).filter(isFilled).slice(0, LINES_LOOKED_AT);
  // A time may stand behind a host's name, and the other way round.
  for (const prefix of [...PREFIXES, ...PREFIXES]) {
    const names = namesBefore(looked(), prefix);
    if (names === undefined) continue;
    const [host] = names;
    lines = lines.flatMap((line) => {
      const found = prefix.exec(line);
      if (found === null) return [line];
      return found[1] === host ? [line.slice(found[0].length)] : [];
    });
    if (names.size > 1) {
      warnings.push(`what stands behind other hosts' names than ${shortName(host ?? "")} is passed over`);
    }
  }
  if (namesBefore(looked(), TABBED) !== undefined) lines = lines.map((line) => line.replaceAll("\t", "  "));
  const plain = lines.join("\n");
  if (plain === text.replaceAll("\r\n", "\n")) return undefined;
  return {
    text: plain,
    warnings: [
      "what stands before each line (a number, a time, a host's name), bars, tabs and JSON's quotes are left out",
      ...warnings,
    ],
  };
}
