/** Tables that a measurement writes into README.md, between its two marks. */
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";

/** A table as Markdown. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** Replaces what stands between `<!-- NAME:start -->` and `<!-- NAME:end -->` by these paragraphs. */
export async function writeReadme(name: string, paragraphs: readonly string[]): Promise<void> {
  const text = await readFile("README.md", "utf8");
  const [startMark, endMark] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [start, end] = [text.indexOf(startMark), text.indexOf(endMark)];
  if (start < 0 || end < start) throw new Error(`README.md has no ${startMark} and ${endMark}`);
  const parts = [text.slice(0, start) + startMark, ...paragraphs, endMark + text.slice(end + endMark.length)];
  await writeFile("README.md", parts.join("\n\n"));
  execFileSync("deno", ["fmt", "--quiet", "README.md"]);
}
