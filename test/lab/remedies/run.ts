/**
 * `npm run remedies`: tries every program of samples/remedies, and every command of the reports that the lab can try, on the running kernel and
 * writes what it did to measured.json and commands.json there, from which `npm run gen` makes what the reports quote. `-- NAME...` tries some,
 * by the name of the remedy, the file or the cause.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import process from "node:process";
import { formatBytes } from "../../../src/core/format.ts";
import { describeMark, type RemedyMark, type RemedyTrial } from "../../../src/core/remedy.ts";
import { withLabLock } from "../lab.ts";
import { commandTrials, tryCommand } from "./commands.ts";
import { experiments, programsFolder, tryRemedy } from "./trial.ts";

/** A trial as it is kept: of this very text. */
interface Measured extends RemedyTrial {
  readonly file: string;
  readonly sha256: string;
}

const SOCKETS = 5;
const date = new Date().toISOString().slice(0, "2026-01-01".length);
const only = process.argv.slice(2);
const output = `${programsFolder}measured.json`;
const measured: Measured[] = JSON.parse(readFileSync(output, "utf8"));
const files = readdirSync(programsFolder);

const key = ({ cause, file }: Pick<Measured, "cause" | "file">): string => `${cause} ${file}`;
const results = new Map(measured.map((each) => [key(each), each]));

for (const experiment of experiments) {
  for (const use of experiment.uses) {
    for (const file of files.filter((file) => /\.(c|py|js|java|rs)$/.test(file) && file.startsWith(`${use.remedy}.`))) {
      if (only.length > 0 && !only.includes(use.remedy) && !only.includes(file)) continue;
      const sha256 = createHash("sha256").update(readFileSync(`${programsFolder}${file}`)).digest("hex");
      const trial = await withLabLock(() => tryRemedy(file, experiment, use, SOCKETS));
      const { cause } = experiment;
      const all: Measured = { cause, file, sha256, kernel: release(), date, ...trial };
      results.set(key(all), all);
      const numbers = Object.entries(trial).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
      console.log(`${cause} ${file}: ${numbers.join(", ")}`);
    }
  }
}
const sorted = [...results.values()].filter(({ file }) => files.includes(file)).sort((a, b) =>
  key(a) < key(b) ? -1 : 1
);
writeFileSync(output, `${JSON.stringify(sorted, undefined, 2)}\n`);

const commands = `${programsFolder}commands.json`;
const marks: RemedyMark[] = JSON.parse(readFileSync(commands, "utf8"));
for (const trial of commandTrials) {
  const { cause, remedy } = trial;
  if (only.length > 0 && !only.includes(remedy) && !only.includes(cause)) continue;
  const at = marks.findIndex((mark) => mark.cause === cause && mark.remedy === remedy);
  if (at < 0) throw new Error(`${commands} has no "${remedy}" of ${cause}`);
  const mark = { cause, remedy, kernel: release(), date, ...await tryCommand(trial) };
  marks[at] = mark;
  console.log(`${cause}, ${remedy}: ${describeMark(mark)}`);
}
writeFileSync(commands, `${JSON.stringify(marks, undefined, 2)}\n`);
process.exit();
