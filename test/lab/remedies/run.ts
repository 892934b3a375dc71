/**
 * `npm run remedies`: tries every program of samples/remedies on the running kernel and writes what it did to samples/remedies/measured.json,
 * from which `npm run gen` makes what the reports quote. `-- NAME...` tries some, by the remedy's name or the file's.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import process from "node:process";
import { formatBytes } from "../../../src/core/format.ts";
import type { RemedyTrial } from "../../../src/core/remedy.ts";
import { withLabLock } from "../lab.ts";
import { experiments, programsFolder, tryRemedy } from "./trial.ts";

/** A trial as it is kept: of this very text. */
interface Measured extends RemedyTrial {
  readonly file: string;
  readonly sha256: string;
}

const SOCKETS = 5;
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
      const date = new Date().toISOString().slice(0, "2026-01-01".length);
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
process.exit();
