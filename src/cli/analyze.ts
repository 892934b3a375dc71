import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { defaultLimits } from "../bundle/limits.ts";
import type { Confidence, Report } from "../core/report.ts";
import { analyze, presetSources } from "../engine/analyze.ts";
import { preset } from "../preset.ts";
import { renderHtml } from "../render/html.ts";
import { renderJson } from "../render/json.ts";
import { renderMarkdown } from "../render/markdown.ts";
import { renderAnswer, renderText } from "../render/text.ts";
import { type Command, UsageError } from "./_command.ts";
import { inputProblem, oneOf, openBundles, parseLimits, wantsColor } from "./_input.ts";

const help = `nailhouse analyze PATH... [-f text|json|ndjson|markdown|html] [-o FILE] [--fail-on LEVEL] [--all]
                          [--limit NAME=VALUE]...

  PATH            a bundle, sosreport, supportconfig or insights archive, or an archive of several (.tgz, .tar.gz, .tar.xz, .tar.bz2, .tar.zst, .tar), a directory, / (this host, now: takes about ten seconds), or - for standard input;
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

/** A bundle that could be read, as it was named on the command line. */
interface Analyzed {
  readonly path: string;
  readonly report: Report;
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
      for await (const opened of openBundles(path, presetSources(preset), limits)) {
        const name = opened.path === "" ? path : `${path}: ${opened.path}`;
        analyzed.push({ path: name, report: analyze(opened.bundle, preset) });
      }
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
