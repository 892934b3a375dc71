/** What was measured, as a page to read. */
import { cpus, totalmem } from "node:os";
import process from "node:process";
import { formatBytes } from "../../src/core/format.ts";
import type { Row } from "./_measure.ts";

/** The rows of one family. */
export interface Section {
  readonly name: string;
  readonly about: string;
  readonly rows: readonly Row[];
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

function line({ name, measure, figures, value, limit, met }: Row): string {
  const verdict = met === undefined ? "" : met ? "yes" : "**no**";
  return `| ${[name, measure, figures, value, limit ?? "", verdict].map(cell).join(" | ")} |`;
}

function section({ name, about, rows }: Section): string {
  return [
    `## ${name}`,
    "",
    about,
    "",
    "| what : against what | measure | nailhouse : the other | ratio | limit | met |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(line),
    "",
  ].join("\n");
}

/** A Markdown page of all families. */
export function performancePage(sections: readonly Section[], runs: number): string {
  const [cpu] = cpus();
  return `# What nailhouse costs

Written by \`npm run bench -- --write\` (some ten minutes): do not edit. Medians of ${runs} runs, by turns with what is compared, on ${cpus().length} CPUs (${
    cpu?.model ?? "of an unknown model"
  }), ${
    formatBytes(totalmem())
  }, ${process.platform}. The seconds are of that machine, which others used, too: the ratios are what counts. Below 1 nailhouse
costs less than the other; a limit that is not met is an aim. Large bundles are real captures, scaled (test/bench/bundles), and made when they are needed. What does not depend on the
machine has a budget in CI (test/bench/budget_test.ts).

${sections.map(section).join("\n")}`;
}
