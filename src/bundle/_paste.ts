/** Several outputs of commands in one text, as they stand in an issue, a ticket or a terminal: each is told by how it begins, or by the command before it. */
import { shortName } from "./_few.ts";
import { HOSTNAME_PLACE } from "./facts.ts";
import { namespacePath, type Section, sectionPath } from "./_layouts.ts";
import {
  FREE_PLACE,
  isSocketList,
  LOG_PLACE,
  partPath,
  rowPath,
  SAR_PLACE,
  SS_PLACE,
  statusPath,
  titledPath,
  VMSTAT_PLACE,
} from "./_loose.ts";
import { beginsAsKernelLog } from "./log.ts";
import { unbroken, withoutQuotedPrintable } from "./_mail.ts";

/** Between the outputs: a fence of Markdown, a prompt where nothing was typed, a tag of HTML, `==> FILE <==` of head and tail, `------ TITLE (COMMAND) ------` of Android's bugreport, `==== TITLE ====` of Proxmox' pvereport. */
const FENCE =
  /^ {0,3}(?:```|~~~)|^\[?[\w.-]{1,64}@[\w.-]{1,255}[^$#%>]{0,200}[$#%] ?$|^<\/?(?:pre|code|details|summary)\b|^\{(?:noformat|code)\b[^}]{0,100}\}|^------ .{1,300} ------$|^==== .{1,100} ====$/;
/** Behind some fences stands the first line, and not the language that Markdown has there. */
const FENCED = /^ {0,3}(?:```|~~~)(?=.*(?: {2}|: |[$#] )\S)/;
const FILE_TITLE =
  /^==> (\/\S{1,200}) <==$|^------ [^()]{1,100} \((?:cat )?(\/[^\s:]{1,200})(?:: [\d: -]{1,40})?\) ------$/;
/** `root@host:~# ` and `[root@host ~]# `: whatever follows is a command. */
const HOST_PROMPT = /^\[?[\w.-]{1,64}@[\w.-]{1,255}[^$#%>]{0,200}[$#%>] ?(\S.*)$/;
/** Of the debugger, where somebody looks at a kernel that panicked. */
const CRASH_PROMPT = /^crash> (\S.*)$/;
/** `$ `, `# `, `#`, `~ # `, `bash-5.1# `, `host:~ # `, `host$ `: what follows may be something else, such as the header of slabinfo. */
const PROMPT = /^(?:(?:[\w.-]{1,64}[: ])?[~/]\S{0,200} |(?:[\w.-]{1,64}:)[~/]\S{0,200}|[\w.-]{1,64})?[$#] ?(\S.*)$/;
const PROGRAM =
  /^(?:sudo +(?:-\S+ +)*)?(?:\/\S{1,100}\/)?(?:cat|date|df|dmesg|du|egrep|find|free|grep|head|hostname|ipcs|journalctl|kubectl|docker|ip netns exec|ls|lsof|lsmod|netstat|ps|sar|slabtop|smem|ss|swapon|sysctl|tail|top|uname|uptime|vmstat|vmware-toolbox-cmd|watch|zpool)(?:[ ;|&]|$)/;
/** Without a prompt: its options tell the unit of what stands below. */
const BARE_FREE = /^free(?:$| -\w| *(?:&&|;|\|))/;
/** `root@host:~# `, `[root@host ~]# `, `host$ cat`, and what Ansible has above the output of a host. */
const HOST_ABOVE = new RegExp(
  String
    .raw`^(?:\[[\w.-]{1,64}@(?<a>[\w.-]{1,255})[: ][^\]\n]{0,200}\][$#%]|[\w.-]{1,64}@(?<b>[\w.-]{1,255})[: ] ?[~/][^$#%>\n]{0,200}[$#%>]|` +
    String.raw`(?<c>[\w.-]{1,64})[$#] (?=${PROGRAM.source.slice(1)})|(?<d>\S{1,255}) \| (?:CHANGED|SUCCESS) \| rc=\d)`,
  "gm",
);
const LINE_LENGTH_LOOKED_AT = 800;
const COMMENT = /^#[ \t]*\w/;
/** As mail quotes, also as HTML writes it. */
const QUOTED = /^(?:(?:>|&gt;) ?)+/;
/** Behind a time the kernel's words are found as they stand. */
const QUOTED_WITHOUT_TIME = /^(?:(?:>|&gt;) ?)+[ \t]{0,8}(?![\s>\[<]|[A-Z][a-z]{2} [ \d]\d |\d{4}-\d\d-)\S/m;
/** What web pages, mails, chats and word processors put in place of blanks. */
const OTHER_BLANKS = /[\u00a0\u2000-\u200a\u202f\u205f\u3000]/g;
/** What cannot be seen, and what marks the beginning of a text. */
const NO_WIDTH = /[\u200b-\u200f\u2060\ufeff]/g;
/** What word processors make of "quotes", and of --. */
const TYPOGRAPHIC: ReadonlyMap<string, string> = new Map([["\u201c", '"'], ["\u201d", '"'], ["\u201e", '"'], [
  "\u2013",
  "--",
], [
  "\u2014",
  "---",
]]);
/** Of a spreadsheet, or a table of a web page. */
const TABBED = /^.*\S\t+\S.*\S\t+\S.*$/gm;
/** Around and between the lines, where somebody took a web page's source. */
const LINE_TAGS = /<\/?(?:div|p|br|span|tt)(?: [^<>\n]{0,200})?\/?>/g;
/** As HTML writes them, and where somebody took its source. */
const ENTITIES: ReadonlyMap<string, string> = new Map(Object.entries({
  lt: "<",
  gt: ">",
  quot: '"',
  "#34": '"',
  "#39": "'",
  nbsp: " ",
  amp: "&",
}));
const ENTITY = new RegExp(`&(${[...ENTITIES.keys()].join("|")});`, "g");
/** What people mark in a table's row, as Markdown does. */
const MARKED = /(?<![*\w])\*\*([\w.,%+-]{1,24})\*\*(?![*\w])/g;
/** A row of meminfo in a table of Markdown, Jira or HTML: `| MemTotal | 16268028 kB |`. */
const TABLE_ROW =
  /^[ \t]*(?:\|{1,2}|<tr\b[^>\n]{0,80}>\s*<t[dh]\b[^>\n]{0,80}>) *`?([A-Z]\w{2,24}(?:\((?:anon|file)\))?):?`? *(?:\|{1,2}|<\/t[dh]>\s*<td\b[^>\n]{0,80}>) *`?(\d{1,12} kB)\b.*$/gm;
/** Where a web page lost its line breaks: all rows of meminfo on one line. */
const FLAT_MEMINFO = /^.{0,200}\bMemTotal: +\d{1,12} kB (?:[A-Z]\w{2,24}: +\d{1,12} kB ){2}.*$/gm;
const FLAT_ROW = / (?=(?:[A-Z]\w{2,24}(?:\((?:anon|file)\))?|HugePages_\w{4,5}): +\d)/g;
// deno-lint-ignore no-control-regex
const COLOUR = /\u001b\[[\d;]{0,32}[a-zA-Z]/g;
/** Fewer lines than this may have empty ones between them for another reason. */
const MIN_DOUBLE_SPACED = 4;
const SS = /\/ss_-peaonmi$/;
const SS_COMMAND = /(?:^|[ /])ss /;
const SS_ROW = /^(?:[a-z]\S{0,15} +)?(?:[A-Z][A-Z\d-]{2,15} +)?\d+ +\d+ +\S*[:*]/;
const MEMINFO_PLACE = "proc/meminfo";
/** Of other lines there may be thousands below it, as in collectl's recordings. */
const MEMINFO_LINE = /^[\s*>|`-]*[A-Za-z]\w*(?:\(\w+\))?[*`]*:[\s*`|]*\d|^[\s*]*node_memory_|^# /;
/** slabtop's second title, below its totals. */
const SLABTOP_ROWS = /^ *OBJS ACTIVE /;
/** The number of a process stands in the first of them. */
const STATUS_LINES = 9;
const RANGES_SAID = 8;
/** So many are looked through for one of which something is known. */
const MAX_HOSTS = 8;

/** A part of the text. */
interface Part {
  /** The first line's number, and the last one's. */
  readonly line: number;
  end: number;
  readonly lines: string[];
  /** The command whose output it is, if its prompt stands right before it. */
  readonly command: string | undefined;
  /** Whether nothing but an empty line stands between it and the part before it. */
  readonly isNext: boolean;
  /** By how it begins. */
  readonly path: string | undefined;
  readonly indent: number;
}

/** What was found of a file. */
interface Found {
  readonly texts: string[];
  readonly lines: (readonly [number, number])[];
  /** Of a file of which rows may have been picked out: the names of those that are known. */
  readonly names: Set<string>;
}

/** What a text consists of. */
export interface Paste {
  readonly sections: readonly Section[];
  /** What is read as what, and what is passed over. */
  readonly warnings: readonly string[];
}

/** The command of a line with a prompt, or that stands for a line with a file's name. */
function commandOf(line: string): string | undefined {
  // Markdown has a # that is no heading's as \\#.
  const head = line.slice(0, LINE_LENGTH_LOOKED_AT).trimStart().replace(/^\\(?=[#$] )/, "");
  const title = FILE_TITLE.exec(head);
  if (title !== null) return `cat ${title[1] ?? title[2]}`;
  const atHost = (HOST_PROMPT.exec(head) ?? CRASH_PROMPT.exec(head))?.[1];
  const atAny = PROMPT.exec(head)?.[1];
  const bare = BARE_FREE.test(head) ? head : undefined;
  const command = atHost ?? (atAny !== undefined && PROGRAM.test(atAny) ? atAny : bare);
  return command?.trim().replace(/^sudo +/, "");
}

/** Beginnings are told by at most three lines. */
function headOf(lines: readonly string[], at: number): string {
  return `${lines.slice(at, at + 3).map((line) => line.slice(0, LINE_LENGTH_LOOKED_AT)).join("\n")}\n`;
}

/** A line without its first blanks, of which it may have fewer. */
function unindent(line: string, blanks: number): string {
  let at = 0;
  while (at < blanks && (line[at] === " " || line[at] === "\t")) at++;
  return line.slice(at);
}

/** What people show as a comment, below the command: `# Mem: 62Gi 56Gi` is a row, where its title is commented, too, or it needs none. slabinfo's has a # of its own. */
function withoutComments(lines: readonly string[]): readonly string[] {
  let isCommented = false;
  return lines.map((line, at) => {
    if (!COMMENT.test(line)) {
      isCommented = false;
      return line;
    }
    const text = line.slice(1);
    const known = titledPath(headOf([text], 0)) ?? rowPath(headOf([text], 0));
    isCommented ||= known !== undefined && titledPath(headOf(lines, at)) === undefined;
    return isCommented ? text : line;
  });
}

/** A text without what a terminal, a web page or a mail program put in. */
function plainText(text: string): string {
  return withoutQuotedPrintable(
    text.replace(NO_WIDTH, "").replace(OTHER_BLANKS, " ").replace(
      /[\u201c-\u201e\u2013\u2014]/g,
      (mark) => TYPOGRAPHIC.get(mark) as string,
    ),
  ).replace(COLOUR, "").replace(LINE_TAGS, "").replace(
    ENTITY,
    (_, name: string) => ENTITIES.get(name) as string,
  ).replace(MARKED, "$1").replace(TABLE_ROW, "$1: $2").replace(
    FLAT_MEMINFO,
    (line) => line.replace(FLAT_ROW, "\n"),
  );
}

/** Whether an empty line stands below each line, as where paragraphs were made of them. */
function isDoubleSpaced(lines: readonly string[]): boolean {
  const filled = lines.filter((line) => line.trim() !== "").length;
  return filled >= MIN_DOUBLE_SPACED &&
    lines.every((line, at) => line.trim() === "" || (lines[at + 1] ?? "").trim() === "");
}

function partsOf(plain: string): Part[] {
  const parts: Part[] = [];
  const untabbed = plain.replace(TABBED, (line) => line.replaceAll("\t", "  "));
  const shown = withoutComments(untabbed.split("\n").map((line) => line.replace(QUOTED, "").replace(FENCED, "")));
  const isDouble = isDoubleSpaced(shown);
  const lines = isDouble ? shown.filter((line) => line.trim() !== "") : shown;
  const numbers = isDouble ? shown.flatMap((line, at) => line.trim() === "" ? [] : at + 1) : undefined;
  const numberOf = (at: number): number => numbers?.[at] ?? at + 1;
  let current: Part | undefined;
  let command: string | undefined;
  let isNext = false;
  lines.forEach((line, at) => {
    const typed = commandOf(line.trimEnd());
    if (typed !== undefined || FENCE.test(line)) {
      // A fence may stand between the command and its output.
      command = typed ?? (current === undefined ? command : undefined);
      current = undefined;
      isNext = false;
      return;
    }
    if (line.trim() === "") {
      isNext ||= current !== undefined;
      current = undefined;
      return;
    }
    const isTitle = begins(lines, at, current);
    if (isTitle || current === undefined || (current.path === MEMINFO_PLACE && !MEMINFO_LINE.test(line))) {
      // Between a command and its output a program may complain, or ask for a password.
      if (current?.path === undefined) command ??= current?.command;
      // As code in Markdown, or below a point of a list.
      const blanks = /^[ \t]*/.exec(line)?.[0].length ?? 0;
      const asIs = partPath(headOf(lines, at));
      const path = asIs ?? partPath(headOf(lines.slice(at, at + 3).map((each) => unindent(each, blanks)), 0));
      const indent = asIs === undefined && path !== undefined ? blanks : 0;
      current = {
        line: numberOf(at),
        end: numberOf(at),
        lines: [],
        command,
        isNext: isNext && (!isTitle || SLABTOP_ROWS.test(line)),
        path,
        indent,
      };
      parts.push(current);
      command = undefined;
      isNext = false;
    }
    current.lines.push(unindent(line, current.indent));
    current.end = numberOf(at);
  });
  return parts;
}

/** Whether slabtop's table is in a part, and not its totals alone. */
function hasTable({ lines }: Part): boolean {
  return lines.some((line) => SLABTOP_ROWS.test(line));
}

/** Whether a line begins something else than what it stands in. */
function begins(lines: readonly string[], at: number, current: Part | undefined): boolean {
  const [head, line = ""] = [headOf(lines, at), lines[at]];
  // Below a title of whoever shows it the kernel's may be indented.
  const isIndented = current !== undefined && current.path === undefined && /^[ \t]/.test(line);
  const title = titledPath(head) ?? (isIndented ? titledPath(line.trimStart() + "\n") : undefined);
  if (title !== undefined) {
    if (current?.path !== title) return true;
    // vmstat has its titles again and again, below every screen.
    if (title === VMSTAT_PLACE) return false;
    // slabinfo has two lines that tell it, slabtop another one below its totals. What it printed a moment later is another table.
    return current.lines.length > 1 && (!SLABTOP_ROWS.test(line) || hasTable(current));
  }
  if (current === undefined || current.path === LOG_PLACE) return false;
  const row = rowPath(head);
  if (row !== undefined) return current.path !== row;
  return current.path === undefined && beginsAsKernelLog(line);
}

/** The file that a command shows, if it is one of the kernel's and could be read. What VMware's tools say of the balloon is a number alone. */
function shownPath({ command, lines }: Part): string | undefined {
  if (command === undefined || /^\S*cat: /.test(lines[0] ?? "")) return undefined;
  if (/^(?:\S{0,100}\/)?vmware-toolbox-cmd stat balloon$/.test(command)) {
    return "sos_commands/vmware/vmware-toolbox-cmd_stat_balloon";
  }
  const path = sectionPath(command);
  return path !== undefined && (/^(?:proc|sys)\//.test(path) || path === HOSTNAME_PLACE) ? path : undefined;
}

/** Where a part has its place, if it begins as something that has one. */
function placeOf(part: Part): string | undefined {
  const { command, path, lines } = part;
  // What grep leaves of it has no header.
  const isSs = path === SS_PLACE ||
    (path === undefined && command !== undefined && SS_COMMAND.test(command) && SS_ROW.test(lines[0] ?? ""));
  if (!isSs) return path ?? statusPath(lines.slice(0, STATUS_LINES).join("\n")) ?? shownPath(part);
  return (command === undefined ? undefined : namespacePath(command)) ?? SS_PLACE;
}

/** Their numbers have no unit: the command tells it. */
const UNITLESS: ReadonlySet<string> = new Set([FREE_PLACE, VMSTAT_PLACE]);

/** A part's text. Of one family alone ss has no column for it: the command tells, and stays above, as where it tells the unit. */
function contentOf({ command, lines }: Part, path: string): string {
  if (path === LOG_PLACE) return `${unbroken(lines).join("\n")}\n`;
  const isTold = !UNITLESS.has(path) && (!SS.test(path) || /^Netid /.test(lines[0] ?? ""));
  return `${command === undefined || isTold ? "" : `$ ${command}\n`}${lines.join("\n")}\n`;
}

/** Whether a part belongs to what stands above it, with an empty line between them. */
function goesOnIn(
  path: string | undefined,
  above: Part | undefined,
  mayGoOn: boolean,
  { isNext, path: own, lines }: Part,
): boolean {
  const [first = ""] = lines;
  if (!isNext) return false;
  // The day stands above, and an empty line between the tables.
  if (path === SAR_PLACE) return own === undefined;
  if (SLABTOP_ROWS.test(first)) return own === path && above !== undefined && !hasTable(above);
  // Of a connection that is closed ss -m and ss -i print a line of details that is empty.
  return mayGoOn || (path !== undefined && own === undefined && SS.test(path) && SS_ROW.test(first));
}

/** Of these several rows may have been picked out, one time after the other. */
const PICKED: ReadonlySet<string> = new Set(["proc/meminfo", "proc/slabinfo"]);

/** The names of a part's rows, or of the nodes that they are of. */
function namesIn(path: string, { lines }: Part): readonly string[] {
  if (path === FREE_PLACE) return lines.flatMap((row) => /^Node \d+ (?=MemTotal)/.exec(row)?.[0] ?? []);
  return PICKED.has(path) ? lines.flatMap((row) => /^\**([A-Za-z]\S*)/.exec(row)?.[1] ?? []) : [];
}

/** Whether the text is one file as it stands. */
function isWhole(whole: string | undefined, path: string, { lines }: Found): boolean {
  return path === LOG_PLACE || (path === whole && (lines.length === 1 || !isSocketList(path)));
}

/** A log may have colours: it is read with them. What mail put into it is taken out. */
function isAsItStands(text: string, plain: string, path: string): boolean {
  if (path !== LOG_PLACE) return text === plain;
  return text.search(OTHER_BLANKS) === -1 && text.search(NO_WIDTH) === -1 && !QUOTED_WITHOUT_TIME.test(text) &&
    withoutQuotedPrintable(text) === text;
}

/**
 * Each host that prompts tell a text to be of, where there are several, and its lines: from its prompts on; those above the first prompt are the first host's.
 */
export function* hostsOf(text: string): Generator<{ readonly host: string; readonly text: string }> {
  const marks = [...text.matchAll(HOST_ABOVE)].map(({ index, groups: { a, b, c, d } = {} }) => ({
    // With its domain, and without, it is one.
    host: ((a ?? b ?? c ?? d) as string).split(".", 1)[0] as string,
    index,
  }));
  const hosts = new Set(marks.map(({ host }) => host));
  if (hosts.size < 2) return;
  for (const own of [...hosts].slice(0, MAX_HOSTS)) {
    const pieces = marks.map(({ host, index }, i) => {
      const piece = text.slice(i === 0 ? 0 : index, marks[i + 1]?.index);
      // Lines keep their numbers.
      return host === own ? piece : "\n".repeat(piece.split("\n").length - 1);
    });
    yield { host: own, text: pieces.join("") };
  }
}

function ranges(parts: readonly (readonly [number, number])[]): string {
  const said = parts.slice(0, RANGES_SAID).map(([from, to]) => from === to ? `${from}` : `${from}-${to}`).join(", ");
  return parts.length > RANGES_SAID ? `${said} and others` : said;
}

/** The files that were found, and what to say of where they and the rest stand. */
function pasteOf(found: ReadonlyMap<string, Found>, passedOver: readonly (readonly [number, number])[]): Paste {
  const encoder = new TextEncoder();
  const warnings = [...found].map(([path, { lines }]) =>
    `lines ${ranges(lines)} are read as ${shortName(path)}, by what is in them`
  );
  if (passedOver.length > 0) {
    warnings.push(
      `lines ${ranges(passedOver)} are passed over: nothing that is known, or something that other lines tell as well`,
    );
  }
  return {
    sections: [...found].map(([path, { texts }]) => ({ path, bytes: encoder.encode(texts.join("\n")) })),
    warnings: ["a text with several files: what is cited by path and line stands in its parts", ...warnings],
  };
}

const AMOUNT = String.raw`(\d[\d.,]*)([KMGT]?)i?B?`;
const OF_FREE = new RegExp(`^Mem: +${AMOUNT} `, "m");
const POWERS = ["", "K", "M", "G", "T"];
/** All of memory, and what of it is available, by meminfo, free (before 3.3.10 what is free without the caches), and the head of top. */
const AVAILABLE: readonly (readonly [RegExp, RegExp])[] = [
  [/^MemTotal: +(\d+)( )kB/m, /^MemAvailable: +(\d+)( )kB/m],
  [OF_FREE, new RegExp(`^-/\\+ buffers/cache: +\\S+ +${AMOUNT}$`, "m")],
  [OF_FREE, new RegExp(`^Mem: +(?:\\S+ +){5}${AMOUNT}$`, "m")],
  [/\bMem *: *([\d.,]+)()[ +]*total,/, / ([\d.,]+)()\+? avail Mem/],
];

/** Which part of memory is available, as far as one table tells it. */
function availableShare({ lines }: Part): number | undefined {
  const text = lines.map((line) => line.trim()).join("\n");
  for (const patterns of AVAILABLE) {
    const [total, available] = patterns.map((pattern) => {
      const [, digits, unit = ""] = pattern.exec(text) ?? [];
      return Number(digits?.replace(",", ".")) * 1024 ** Math.max(0, POWERS.indexOf(unit));
    }) as [number, number];
    if (total > 0 && available >= 0) return available / total;
  }
  return undefined;
}

/** Tables of all memory: what stands below one was looked at at about the same time. */
const OF_MEMORY: ReadonlySet<string | undefined> = new Set([MEMINFO_PLACE, FREE_PLACE]);

/**
 * Where memory was looked at several times, and nothing tells when, as before and after, that comes first of which the least was available: that is what somebody
 * asks about, whichever was later.
 */
function worstFirst(parts: readonly Part[]): { readonly parts: readonly Part[]; readonly warnings: readonly string[] } {
  const looks: { readonly places: Set<string | undefined>; readonly parts: Part[]; share: number }[] = [];
  for (const part of parts) {
    const share = OF_MEMORY.has(part.path) ? availableShare(part) : undefined;
    let look = looks.at(-1);
    if (look === undefined || (share !== undefined && look.places.has(part.path))) {
      looks.push(look = { places: new Set(), parts: [], share: Infinity });
    }
    look.parts.push(part);
    if (share === undefined) continue;
    look.places.add(part.path);
    look.share = Math.min(look.share, share);
  }
  const [first, ...others] = looks.toSorted((a, b) => a.share - b.share);
  if (first === undefined || others.length === 0) return { parts, warnings: [] };
  return {
    parts: [first, ...looks.filter((look) => look !== first)].flatMap((look) => look.parts),
    warnings: [
      `memory was looked at ${looks.length} times, and nothing tells when: the time at which the least was available is used`,
    ],
  };
}

/** In the order in which they stand. */
function inOrder({ texts, lines, names }: Found): Found {
  const order = lines.map((_, i) => i).sort((a, b) => (lines[a]?.[0] ?? 0) - (lines[b]?.[0] ?? 0));
  const sorted = <T>(all: readonly T[]): T[] => order.map((i) => all[i] as T);
  return { texts: sorted(texts), lines: sorted(lines), names };
}

/**
 * Splits a text into the files that it consists of. Undefined where it is one file as it stands, or nothing that is known.
 *
 * @param whole Where the text as a whole has its place, by how it begins.
 */
export function splitPaste(text: string, whole: string | undefined): Paste | undefined {
  const found = new Map<string, Found>();
  const passedOver: (readonly [number, number])[] = [];
  let path: string | undefined;
  let mayGoOn = false;
  let above: Part | undefined;
  let isBroken = false;
  const plain = plainText(text);
  const { parts, warnings } = worstFirst(partsOf(plain));
  for (const part of parts) {
    const range = [part.line, part.end] as const;
    // What looks like rows of something else may well be the rest of a log.
    const goesOn = goesOnIn(path, above, mayGoOn, part);
    above = part;
    if (!goesOn) {
      path = placeOf(part);
      mayGoOn = path === LOG_PLACE || (path !== undefined && part.path === undefined && !SS.test(path));
    }
    isBroken ||= path === LOG_PLACE && unbroken(part.lines) !== part.lines;
    const known = path === undefined ? undefined : found.get(path);
    const names = path === undefined ? [] : namesIn(path, part);
    const areOthers = names.length > 0 && names.every((name) => known?.names.has(name) !== true);
    if (path === undefined) passedOver.push(range);
    else if (known === undefined) {
      found.set(path, { texts: [contentOf(part, path)], lines: [range], names: new Set(names) });
    } else if (goesOn || path === LOG_PLACE || isSocketList(path) || areOthers) {
      known.texts.push(contentOf(part, path));
      known.lines.push(range);
      for (const name of names) known.names.add(name);
    } else {
      // The first one is kept, as of files in an archive, but see worstFirst().
      passedOver.push(range);
      path = undefined;
      mayGoOn = false;
    }
  }
  const [one] = found;
  if (one === undefined) return undefined;
  if (found.size === 1 && !isBroken && isWhole(whole, ...one) && isAsItStands(text, plain, one[0])) return undefined;
  const ordered = [...found].map(([each, parts]) => [each, inOrder(parts)] as const);
  const paste = pasteOf(new Map(ordered), passedOver.sort((a, b) => a[0] - b[0]));
  return { ...paste, warnings: [...paste.warnings, ...warnings] };
}
