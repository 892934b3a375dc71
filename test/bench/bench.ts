/**
 * `npm run bench [-- FAMILY... --runs N --quick --write]`: what nailhouse costs, each figure as a ratio to another program's for the same task, side by
 * side on this machine. A family is a file of this folder.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "table";
import type { Family, Row } from "./_measure.ts";
import { performancePage, type Section } from "./_page.ts";

// Where it names all certificates of a system, each start of Node takes three times as long: also that of what nailhouse is compared with.
delete process.env.NODE_EXTRA_CA_CERTS;

const HEAD = ["", "measure", "nailhouse : the other", "ratio", "limit", "met"];

const cells = ({ name, measure, figures, value, limit = "", met }: Row): string[] => [
  name,
  measure,
  figures,
  value,
  limit,
  met === undefined ? "" : met ? "yes" : "NO",
];

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$0"', program]).status === 0;
}

const here = fileURLToPath(new URL(".", import.meta.url));
const names = readdirSync(here)
  .filter((file) => /^[^_].*\.ts$/.test(file) && file !== "bench.ts" && !file.endsWith("_test.ts"))
  .map((file) => file.slice(0, -".ts".length))
  .sort();
const families = new Map<string, Family>();
for (const name of names) families.set(name, (await import(`./${name}.ts`) as { family: Family }).family);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string" },
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !families.has(name));
// Quick is for whoever works on the bench itself, or wants to see the order of magnitude.
const settings = { runs: Number(values.runs ?? (values.quick ? 1 : 3)), divisor: values.quick ? 8 : 1 };
// The page is of everything at its full size.
const wrongPage = values.write && (values.quick || positionals.length > 0);
if (unknown.length > 0 || !(settings.runs >= 1) || wrongPage) {
  console.error(
    `npm run bench -- [FAMILY...] [--runs N] [--quick | --write]; --write is of all families, which are ${
      names.join(", ")
    }`,
  );
  process.exit(2);
}

const rows: Row[] = [];
const sections: Section[] = [];
for (const [name, family] of families) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const missing = Object.entries({ "/usr/bin/time": "time", ...family.needs }).filter(([program]) =>
    !isInstalled(program)
  );
  if (missing.length > 0) {
    console.error(`${name}: skipped, because this needs: apt-get install ${missing.map(([, pkg]) => pkg).join(" ")}`);
    process.exitCode = 1;
    continue;
  }
  const from = rows.length;
  for await (const row of family.rows(settings)) {
    console.error(cells(row).join("  "));
    rows.push(row);
  }
  sections.push({ name, about: family.about, rows: rows.slice(from) });
}
if (rows.length > 0) {
  console.log(
    table([HEAD, ...rows.map((row, i) => cells(row.name === rows[i - 1]?.name ? { ...row, name: "" } : row))], {
      columns: { 0: { width: 40, wrapWord: true } },
      // A rule between what is compared, none between its measures, whose name is not repeated.
      drawHorizontalLine: (index, count) =>
        index <= 2 || index === count || rows[index - 2]?.name !== rows[index - 3]?.name,
      header: { content: `Medians of ${settings.runs} runs by turns; below 1 nailhouse costs less.` },
    }),
  );
}
if (values.write && process.exitCode === undefined) {
  writeFileSync(new URL("../../samples/performance.md", import.meta.url), performancePage(sections, settings.runs));
}
