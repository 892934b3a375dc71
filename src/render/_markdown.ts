/** Text from a bundle, made safe for Markdown as GitHub, GitLab and chats read it. */
import { printable } from "./_printable.ts";

/** Zero width, in the source only: splits what would be taken for a mention, a reference or an emoji, which no backslash prevents. */
const SPLIT = "<!-- -->";

/** Text that stands in a line of Markdown, also in a table, as it is: no markup, no link, nobody notified. */
export function inline(text: string): string {
  return printable(text).trim()
    .replace(/[\\`*[\]<>|~$&]/g, "\\$&")
    // Inside a word an underscore is one.
    .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, "\\_")
    .replace(/:(?=\/\/)|(?<=www)\./gi, "\\$&")
    .replace(/(?<![A-Za-z0-9])(?:[@#!](?=[A-Za-z0-9])|GH(?=-\d))/gi, `$&${SPLIT}`)
    // GitHub makes emoji of `:a:` and `:100:` in an IPv6 address, too.
    .replace(/:(?=(?:[+-]1|100|1234|8ball|[a-z][\w+-]*):)/gi, `$&${SPLIT}`)
    // At the beginning of an item of a list these would begin another one, or a heading.
    .replace(/^(?:[-+=#]|\d+(?=[.)](?:\s|$)))/, (mark) => /\d/.test(mark) ? `${mark}\\` : `\\${mark}`);
}

/** As {@linkcode inline}, but for what stands between backticks: that is code. */
export function prose(text: string): string {
  return text.split(/`([^`]+)`/).map((part, i) => {
    if (i % 2 === 1) return codeSpan(part);
    const [, before, , after] = /^(\s*)([^]*?)(\s*)$/.exec(part) as RegExpExecArray;
    return part.trim() === "" ? part : `${before === "" ? "" : " "}${inline(part)}${after === "" ? "" : " "}`;
  }).join("").trim();
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}

/** Text as code in a line; not for tables. */
export function codeSpan(text: string): string {
  const safe = printable(text).trim();
  const fence = "`".repeat(longestRun(safe) + 1);
  return fence.length === 1 ? `\`${safe}\`` : `${fence} ${safe} ${fence}`;
}

/** Lines as a block of code, each of them made safe on its own. */
export function codeBlock(lines: readonly string[], language: string): string {
  const safe = lines.flatMap((line) => line.split("\n")).map(printable);
  const fence = "`".repeat(Math.max(3, longestRun(safe.join("\n")) + 1));
  return [`${fence}${language}`, ...safe, fence].join("\n");
}

/** A part that is shown when it is asked for. What it contains must begin and end with an empty line to be read as Markdown. */
export function collapsed(summary: string, body: string): string {
  return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>`;
}
