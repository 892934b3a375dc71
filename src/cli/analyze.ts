import { open } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type BundleLimits, defaultLimits } from "../bundle/limits.ts";
import type { Confidence, Report } from "../core/report.ts";
import type { FleetSummary, HostDigest } from "../core/summary.ts";
import { digest, summarize } from "../engine/summarize.ts";
import { answerOf } from "../render/_summary.ts";
import { renderJson } from "../render/json.ts";
import type { TextOptions } from "../render/text.ts";
import { type Analysis, analyzeInTurn, analyzePath } from "./_analyst.ts";
import { type Command, UsageError } from "./_command.ts";
import { checkPaths, LIMITS, oneOf, parseLimits, wantsColor } from "./_input.ts";
import { pluginFiles, pluginHelp, pluginOptions } from "./_plugins.ts";
import { intoFile } from "./_result_file.ts";
import { columnsOf, print, say } from "./_say.ts";

const limitNames = Object.keys(defaultLimits);

const help = `nailhouse analyze PATH... [-f text|json|ndjson|markdown|html] [-o FILE] [--fail-on LEVEL] [--all]
                          [--limit NAME=VALUE]... [--plugin FILE]...

  PATH            a bundle, sosreport, supportconfig or insights archive, or an archive of several (.tgz, .tar.gz, .tar.xz,
                  .tar.bz2, .tar.zst, .tar, .zip), a directory, a folder of nailhouse record, / (this host, now: takes about ten
                  seconds), a pipe such as <(command), or - for standard input;
                  a kernel log (dmesg, journalctl, syslog, a serial console) is enough: the last OOM's dump tells what the memory
                  was, who was killed and why that one
  -f, --format    text (default), json, ndjson (one line a bundle), markdown (for a ticket), or html (one page, nothing is loaded)
  -o, --output    write to this file instead of standard output
  --fail-on       possible, likely or confirmed: exit with 1 if there is such a finding, or a surer one
  --limit         how large a bundle may be that nobody vouches for: ${limitNames.slice(0, 5).join(", ")},
                  ${limitNames.slice(5).join(", ")};
                  a number, perhaps with K, M or G: --limit maxFileBytes=1G
${pluginHelp}
  --all           show every account, all the evidence and all owners; of several bundles the whole reports after the summary

Of several bundles: a summary (which causes on how many hosts, the worst first), from all cores; in html each host's headline opens its report;
ndjson is a line a bundle, as soon as it is ready; json is {summary, reports}. A bundle that cannot be read costs only itself.

With Deno: --allow-read; and --allow-write for -o, -A for /.

  nailhouse analyze bundle.tgz
  nailhouse analyze *.tgz -f html -o summary.html
  nailhouse analyze *.tgz -f ndjson > reports.ndjson
  nailhouse analyze bundle.tgz -f html -o report.html
  nailhouse analyze / --fail-on likely
  dmesg | nailhouse analyze -
  nailhouse analyze <(ssh web1 dmesg) <(ssh web2 dmesg)
`;

const options = {
  format: { type: "string", short: "f", default: "text" },
  output: { type: "string", short: "o" },
  "fail-on": { type: "string" },
  all: { type: "boolean", default: false },
  limit: { type: "string", multiple: true, default: [] as string[] },
  ...pluginOptions,
} as const;

const LEVELS: readonly Confidence[] = ["possible", "likely", "confirmed"];
const FORMATS = ["text", "json", "ndjson", "markdown", "html"] as const;
type Format = (typeof FORMATS)[number];

/** What is printed of one bundle. A renderer is loaded only when it is used: together they take as long to load as a small bundle to read. */
async function renderOne(report: Report, format: Format, all: boolean, toFile: boolean): Promise<string> {
  if (format === "ndjson") return `${JSON.stringify(report)}\n`;
  if (format === "markdown") return (await import("../render/markdown.ts")).renderMarkdown(report);
  if (format === "html") return (await import("../render/html.ts")).renderHtml(report);
  if (format === "json") return renderJson(report);
  return (await import("../render/text.ts")).renderText(report, textOptions(all, toFile));
}

function textOptions(all: boolean, toFile: boolean): TextOptions {
  return { all, color: wantsColor(toFile), width: columnsOf(toFile) };
}

/** A bundle that could be read, as it was named on the command line. */
interface Analyzed {
  readonly path: string;
  readonly report: Report;
}

/** What is printed of several, once all of them are there. Their reports are there only for a format that has them. */
async function renderMany(
  summary: FleetSummary,
  analyzed: readonly Analyzed[],
  format: Exclude<Format, "ndjson">,
  all: boolean,
  toFile: boolean,
): Promise<string> {
  if (format === "json") return `${JSON.stringify({ schemaVersion: 1, summary, reports: analyzed }, undefined, 2)}\n`;
  if (format === "html") {
    const { renderSummaryHtml } = await import("../render/summary_html.ts");
    return renderSummaryHtml(summary, new Map(analyzed.map(({ path, report }) => [path, report])));
  }
  if (format === "markdown") {
    const { renderMarkdown } = await import("../render/markdown.ts");
    const { renderSummaryMarkdown } = await import("../render/summary_markdown.ts");
    const whole = analyzed.map(({ report }) => renderMarkdown(report));
    return [renderSummaryMarkdown(summary), ...whole].join("\n---\n\n");
  }
  const { renderText } = await import("../render/text.ts");
  const { renderSummaryText } = await import("../render/summary_text.ts");
  const options = textOptions(all, toFile);
  const whole = analyzed.map(({ path, report }) => `\n${path}\n${renderText(report, options)}`);
  return [renderSummaryText(summary, options), ...whole].join("");
}

/** Where the result goes. */
async function openOutput(
  path: string | undefined,
): Promise<{ write(text: string): Promise<void>; close(): Promise<void> }> {
  if (path === undefined) {
    return {
      write: print,
      close: () => Promise.resolve(),
    };
  }
  const file = await intoFile(path, () => open(path, "w"));
  // Not write(), which may stop halfway, as on a disk that is nearly full.
  return { write: (text) => intoFile(path, () => file.appendFile(text)), close: () => file.close() };
}

interface Settings {
  readonly format: Format;
  readonly all: boolean;
  readonly output: string | undefined;
  readonly fails: (report: Report) => boolean;
}

async function printOne(analysis: Analysis, { format, all, output, fails }: Settings): Promise<number> {
  if ("problem" in analysis) {
    say(`nailhouse: ${analysis.path}: ${analysis.problem}`);
    return 3;
  }
  const out = await openOutput(output);
  await out.write(await renderOne(analysis.report, format, all, output !== undefined));
  await out.close();
  return fails(analysis.report) ? 1 : 0;
}

async function printMany(analyses: AsyncIterable<Analysis> | Iterable<Analysis>, settings: Settings): Promise<number> {
  const { format, all, output, fails } = settings;
  const out = await openOutput(output);
  const keep = format === "json" || format === "html" || all;
  const analyzed: Analyzed[] = [];
  const digests: HostDigest[] = [];
  const unreadable: { path: string; problem: string }[] = [];
  let failed = false;
  for await (const analysis of analyses) {
    const { path } = analysis;
    if ("problem" in analysis) {
      say(`nailhouse: ${path}: ${analysis.problem}`);
      unreadable.push(analysis);
      continue;
    }
    const { report } = analysis;
    failed ||= fails(report);
    if (format === "ndjson") await out.write(`${JSON.stringify({ path, ...report })}\n`);
    else digests.push(digest(path, report, answerOf(report).headline));
    if (keep && format !== "ndjson") analyzed.push({ path, report });
  }
  if (format !== "ndjson" && digests.length > 0) {
    await out.write(await renderMany(summarize(digests, unreadable), analyzed, format, all, output !== undefined));
  }
  await out.close();
  if (unreadable.length > 0) return 3;
  return failed ? 1 : 0;
}

/** What came of one PATH. */
function printAnalyses(analyses: readonly Analysis[], settings: Settings): Promise<number> {
  return analyses.length === 1 ? printOne(analyses[0] as Analysis, settings) : printMany(analyses, settings);
}

async function runWithPlugins(
  files: readonly string[],
  paths: readonly string[],
  limits: Partial<BundleLimits>,
  settings: Settings,
): Promise<number> {
  const { startPlugins } = await import("./_plugin_thread.ts");
  const thread = await startPlugins(files);
  try {
    if (paths.length > 1) return await printMany(analyzeInTurn(paths, limits, thread), settings);
    const analyses = await analyzePath({ path: paths[0] as string, limits }, thread);
    return await printAnalyses(analyses, settings);
  } finally {
    await thread.end();
  }
}

/** Carries out `nailhouse analyze`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const failOn = values["fail-on"] === undefined ? undefined : oneOf("--fail-on", values["fail-on"], LEVELS);
  const limits = parseLimits(values.limit);
  const settings: Settings = {
    format: oneOf("--format", values.format, FORMATS),
    all: values.all,
    output: values.output,
    fails: ({ findings }) =>
      failOn !== undefined && findings.some((f) => LEVELS.indexOf(f.confidence) >= LEVELS.indexOf(failOn)),
  };
  const [first] = positionals;
  if (first === undefined) throw new UsageError("analyze needs a PATH: a bundle, a directory, / or -");
  checkPaths(positionals);
  const files = pluginFiles(values, positionals);
  if (files.length > 0) return await runWithPlugins(files, positionals, limits, settings);
  if (positionals.length > 1) {
    const { analyzeAll } = await import("./_fleet.ts");
    return await printMany(analyzeAll(positionals, limits), settings);
  }
  return await printAnalyses(await analyzePath({ path: first, limits }), settings);
}

export const analyzeCommand: Command = {
  run,
  help,
  options,
  optionWords: { format: FORMATS, output: "paths", "fail-on": LEVELS, limit: LIMITS, plugin: "paths" },
  words: "paths",
};
