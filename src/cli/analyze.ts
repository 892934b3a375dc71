import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { openArchive, readEntries } from "../bundle/open.ts";
import type { Bundle } from "../core/bundle.ts";
import { BundleError } from "../core/errors.ts";
import type { Confidence, Report } from "../core/report.ts";
import { analyze, presetSources } from "../engine/analyze.ts";
import { directoryEntries, fileChunks, nodeGunzip } from "../host/node_input.ts";
import { preset } from "../preset.ts";
import { renderJson } from "../render/json.ts";
import { renderText } from "../render/text.ts";
import { type Command, UsageError } from "./_command.ts";

const help = `nailhouse analyze PATH... [-f text|json|ndjson] [-o FILE] [--fail-on LEVEL] [--all]

  PATH            a bundle (.tgz, .tar.gz, .tar), a directory, / (this host, now: takes about ten seconds), or - for standard input
  -f, --format    text (default), json, or ndjson (one line a bundle)
  -o, --output    write to this file instead of standard output
  --fail-on       possible, likely or confirmed: exit with 1 if there is such a finding, or a surer one
  --all           show every account, all the evidence and all owners

  nailhouse analyze bundle.tgz
  nailhouse analyze / --fail-on likely
`;

const LEVELS: readonly Confidence[] = ["possible", "likely", "confirmed"];
const FORMATS = ["text", "json", "ndjson"] as const;
type Format = (typeof FORMATS)[number];

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${option} is one of ${allowed.join(", ")}, not "${value}"`);
  return found;
}

/** Reads one PATH of the command line. */
async function openPath(path: string): Promise<Bundle> {
  const sources = presetSources(preset);
  if (path === "-") return await openArchive(process.stdin, { sources, decompress: nodeGunzip });
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError("Cannot read the bundle: there is no such file or directory");
  if (!stat.isDirectory()) {
    if (!stat.isFile()) throw new BundleError("Cannot read the bundle: it is neither a file nor a directory");
    return await openArchive(fileChunks(path), { sources, decompress: nodeGunzip });
  }
  if (resolve(path) === "/") {
    const { collectHere } = await import("./collect.ts");
    return await readEntries(await collectHere(), { sources });
  }
  const bundle = await readEntries(directoryEntries(path), { sources });
  if (bundle.files.size === 0) {
    throw new BundleError(
      "Cannot read the bundle: the directory has no file that a bundle or sosreport has (such as proc/meminfo)",
    );
  }
  return bundle;
}

/** What is wrong with an input, in one line; anything else is a defect and is thrown on. */
function inputProblem(error: unknown): string {
  if (error instanceof BundleError) return error.message;
  if (error instanceof Error && "syscall" in error) return `Cannot read the bundle: ${error.message}`;
  throw error;
}

function render(reports: readonly Report[], format: Format, all: boolean): string {
  if (format === "ndjson") return reports.map((report) => `${JSON.stringify(report)}\n`).join("");
  if (format === "json") {
    return reports.length === 1 ? renderJson(reports[0] as Report) : `${JSON.stringify(reports, undefined, 2)}\n`;
  }
  const color = process.env["FORCE_COLOR"] !== undefined ||
    (process.stdout.isTTY && process.env["NO_COLOR"] === undefined);
  const width = process.stdout.columns ?? 80;
  return reports.map((report) => renderText(report, { all, color, width })).join("\n\n");
}

/** Carries out `nailhouse analyze`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      format: { type: "string", short: "f", default: "text" },
      output: { type: "string", short: "o" },
      "fail-on": { type: "string" },
      all: { type: "boolean", default: false },
    },
  });
  const format = oneOf("--format", values.format, FORMATS);
  const failOn = values["fail-on"] === undefined ? undefined : oneOf("--fail-on", values["fail-on"], LEVELS);
  if (positionals.length === 0) throw new UsageError("analyze needs a PATH: a bundle, a directory, / or -");

  const reports: Report[] = [];
  let unreadable = false;
  for (const path of positionals) {
    try {
      reports.push(analyze(await openPath(path), preset));
    } catch (error) {
      console.error(`nailhouse: ${path}: ${inputProblem(error)}`);
      unreadable = true;
    }
  }
  if (reports.length > 0) {
    const output = render(reports, format, values.all);
    if (values.output === undefined) await new Promise((done) => process.stdout.write(output, done));
    else await writeFile(values.output, output);
  }
  if (unreadable) return 3;
  const fails = (report: Report): boolean =>
    failOn !== undefined && report.findings.some((f) => LEVELS.indexOf(f.confidence) >= LEVELS.indexOf(failOn));
  return reports.some(fails) ? 1 : 0;
}

export const analyzeCommand: Command = { run, help };
