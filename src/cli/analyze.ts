import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type BundleLimits, defaultLimits } from "../bundle/limits.ts";
import { openArchive, type OpenOptions, readEntries } from "../bundle/open.ts";
import type { Bundle } from "../core/bundle.ts";
import { BundleError, LimitError } from "../core/errors.ts";
import type { Confidence, Report } from "../core/report.ts";
import { analyze, presetSources } from "../engine/analyze.ts";
import { directoryEntries, fileChunks, nodeGunzip } from "../host/node_input.ts";
import { preset } from "../preset.ts";
import { renderHtml } from "../render/html.ts";
import { renderJson } from "../render/json.ts";
import { renderMarkdown } from "../render/markdown.ts";
import { renderAnswer, renderText } from "../render/text.ts";
import { type Command, UsageError } from "./_command.ts";

const help = `nailhouse analyze PATH... [-f text|json|ndjson|markdown|html] [-o FILE] [--fail-on LEVEL] [--all]
                          [--limit NAME=VALUE]...

  PATH            a bundle or sosreport (.tgz, .tar.gz, .tar.xz, .tar.bz2, .tar.zst, .tar), a directory, / (this host, now: takes about ten seconds), or - for standard input;
                  a kernel log (dmesg, journalctl, syslog, a serial console) tells of OOM kills alone
  -f, --format    text (default), json, ndjson (one line a bundle), markdown (for a ticket), or html (one page, nothing is loaded)
  -o, --output    write to this file instead of standard output
  --fail-on       possible, likely or confirmed: exit with 1 if there is such a finding, or a surer one
  --limit         how large a bundle may be that nobody vouches for: ${Object.keys(defaultLimits).join(", ")};
                  a number, perhaps with K, M or G: --limit maxFileBytes=1G
  --all           show every account, all the evidence and all owners; of several bundles the whole report, not just the answer

  nailhouse analyze bundle.tgz
  nailhouse analyze bundle.tgz -f html -o report.html
  nailhouse analyze / --fail-on likely
  dmesg | nailhouse analyze -
`;

const LEVELS: readonly Confidence[] = ["possible", "likely", "confirmed"];
const FORMATS = ["text", "json", "ndjson", "markdown", "html"] as const;
type Format = (typeof FORMATS)[number];

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${option} is one of ${allowed.join(", ")}, not "${value}"`);
  return found;
}

/** `--limit NAME=VALUE`, several times. */
function parseLimits(given: readonly string[]): Partial<BundleLimits> {
  const names = Object.keys(defaultLimits) as (keyof BundleLimits)[];
  return Object.fromEntries(given.map((each) => {
    const [name, value = ""] = each.split("=", 2) as [string, string?];
    const [, digits, unit = ""] = /^(\d{1,15})([KMG]?)$/.exec(value) ?? [];
    const limit = Number(digits) * 1024 ** " KMG".indexOf(unit || " ");
    if (!Number.isSafeInteger(limit) || limit === 0) {
      throw new UsageError(`--limit is NAME=VALUE with a number above 0, such as maxFileBytes=1G, not "${each}"`);
    }
    return [oneOf("--limit", name as keyof BundleLimits, names), limit];
  }));
}

/** Reads one PATH of the command line. */
async function openPath(path: string, limits: Partial<BundleLimits>): Promise<Bundle> {
  const options: OpenOptions = {
    sources: presetSources(preset),
    limits,
    clock: () => performance.now(),
    decompress: nodeGunzip,
  };
  if (path === "-") return await openArchive(process.stdin, options);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError("Cannot read the bundle: there is no such file or directory");
  if (!stat.isDirectory()) {
    if (!stat.isFile()) throw new BundleError("Cannot read the bundle: it is neither a file nor a directory");
    return await openArchive(fileChunks(path), options);
  }
  if (resolve(path) === "/") {
    const { collectHere } = await import("./collect.ts");
    return await readEntries(await collectHere(), options);
  }
  const warnings: string[] = [];
  const broken = (message: string): void => void warnings.push(message);
  const bundle = await readEntries(directoryEntries(path, broken), options, warnings);
  if (bundle.files.size === 0) {
    throw new BundleError(
      "Cannot read the bundle: the directory has no file that a bundle or sosreport has (such as proc/meminfo)",
    );
  }
  return bundle;
}

/** What is wrong with an input, in one line; anything else is a defect and is thrown on. */
function inputProblem(error: unknown): string {
  if (error instanceof LimitError) return `${error.message}; --limit ${error.limit}=VALUE raises it`;
  if (error instanceof BundleError) return error.message;
  if (error instanceof Error && ("syscall" in error || error.name === "NotCapable")) {
    return `Cannot read the bundle: ${error.message}`;
  }
  throw error;
}

/** A bundle that could be read, as it was named on the command line. */
interface Analyzed {
  readonly path: string;
  readonly report: Report;
}

/** NO_COLOR (no-color.org) counts unless it is empty; FORCE_COLOR is the stronger one, and 0 switches it off. */
function wantsColor(toFile: boolean): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: without } = process.env;
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return !toFile && process.stdout.isTTY && (without === undefined || without === "");
}

function render(analyzed: readonly Analyzed[], format: Format, all: boolean, toFile: boolean): string {
  const reports = analyzed.map(({ report }) => report);
  const only = reports.length === 1 ? reports[0] : undefined;
  if (format === "ndjson") return reports.map((report) => `${JSON.stringify(report)}\n`).join("");
  if (format === "markdown") return reports.map(renderMarkdown).join("\n---\n\n");
  if (format === "html") return renderHtml(...reports as [Report, ...Report[]]);
  if (format === "json") return only === undefined ? `${JSON.stringify(reports, undefined, 2)}\n` : renderJson(only);
  const color = wantsColor(toFile);
  const options = { all, color, width: toFile ? 80 : process.stdout.columns ?? 80 };
  if (only !== undefined) return renderText(only, options);
  const part = all ? renderText : renderAnswer;
  return analyzed.map(({ path, report }) => `${path}\n${part(report, options)}`).join("\n");
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
      limit: { type: "string", multiple: true, default: [] },
    },
  });
  const format = oneOf("--format", values.format, FORMATS);
  const failOn = values["fail-on"] === undefined ? undefined : oneOf("--fail-on", values["fail-on"], LEVELS);
  const limits = parseLimits(values.limit);
  if (positionals.length === 0) throw new UsageError("analyze needs a PATH: a bundle, a directory, / or -");

  const analyzed: Analyzed[] = [];
  let unreadable = false;
  for (const path of positionals) {
    try {
      analyzed.push({ path, report: analyze(await openPath(path, limits), preset) });
    } catch (error) {
      console.error(`nailhouse: ${path}: ${inputProblem(error)}`);
      unreadable = true;
    }
  }
  if (analyzed.length > 0) {
    const output = render(analyzed, format, values.all, values.output !== undefined);
    if (values.output === undefined) await new Promise((done) => process.stdout.write(output, done));
    else await writeFile(values.output, output);
  }
  if (unreadable) return 3;
  const fails = (report: Report): boolean =>
    failOn !== undefined && report.findings.some((f) => LEVELS.indexOf(f.confidence) >= LEVELS.indexOf(failOn));
  return analyzed.some(({ report }) => fails(report)) ? 1 : 0;
}

export const analyzeCommand: Command = { run, help };
