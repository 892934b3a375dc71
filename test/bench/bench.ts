/**
 * `npm run bench [-- FAMILY... --runs N]`: what nailhouse costs against others that do the same, side by side on this machine.
 * A family is a file of this folder.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "table";
import { formatBytes } from "../../src/core/format.ts";
import { type Comparison, type Cost, type Family, measure, median } from "./_measure.ts";

const HEAD = ["", "wall time", "CPU time", "peak memory\nof all processes", "peak memory\nof the largest"];

const seconds = (value: number): string => `${value.toFixed(2)} s`;

function cell(ours: number, theirs: number, format: (value: number) => string): string {
  return Number.isNaN(ours / theirs) ? "-" : `${(ours / theirs).toFixed(2)}\n${format(ours)} : ${format(theirs)}`;
}

function row(name: string, ours: Cost, theirs: Cost): string[] {
  return [
    name,
    cell(ours.wallSeconds, theirs.wallSeconds, seconds),
    cell(ours.cpuSeconds, theirs.cpuSeconds, seconds),
    cell(ours.treePeakBytes, theirs.treePeakBytes, formatBytes),
    cell(ours.processPeakBytes, theirs.processPeakBytes, formatBytes),
  ];
}

/** Both commands by turns, so that both see the same machine; the first turn only warms the caches. */
function compare({ name, ours, theirs }: Comparison, runs: number): string[] {
  const costs: { ours: Cost[]; theirs: Cost[] } = { ours: [], theirs: [] };
  for (let run = 0; run <= runs; run++) {
    console.error(run === 0 ? `${name}: warming up` : `${name}: run ${run} of ${runs}`);
    const [a, b] = [measure(ours), measure(theirs)];
    if (run === 0) continue;
    costs.ours.push(a);
    costs.theirs.push(b);
  }
  return row(name, median(costs.ours), median(costs.theirs));
}

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$0"', program]).status === 0;
}

const here = fileURLToPath(new URL(".", import.meta.url));
const families = readdirSync(here)
  .filter((file) => /^[^_].*\.ts$/.test(file) && file !== "bench.ts")
  .map((file) => file.slice(0, -".ts".length))
  .sort();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "5" } },
});
const unknown = positionals.filter((name) => !families.includes(name));
const runs = Number(values.runs);
if (unknown.length > 0 || !(runs >= 1)) {
  console.error(`npm run bench -- [FAMILY...] [--runs N]; the families are ${families.join(", ")}`);
  process.exit(2);
}

const rows: string[][] = [];
for (const name of positionals.length === 0 ? families : positionals) {
  const { family } = await import(`./${name}.ts`) as { family: Family };
  const missing = Object.entries({ "/usr/bin/time": "time", ...family.needs }).filter(([program]) =>
    !isInstalled(program)
  );
  if (missing.length > 0) {
    console.error(`${name}: skipped, because this needs: apt-get install ${missing.map(([, pkg]) => pkg).join(" ")}`);
    process.exitCode = 1;
  } else rows.push(...family.comparisons.map((comparison) => compare(comparison, runs)));
}
if (rows.length > 0) {
  console.log(table([HEAD, ...rows], {
    header: { content: `nailhouse : the other. Ratios of medians of ${runs} runs; below 1 nailhouse costs less.` },
  }));
}
