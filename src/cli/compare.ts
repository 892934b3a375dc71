import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { BundleLimits } from "../bundle/limits.ts";
import { load } from "../computed/load.ts";
import type { Comparison, Observed } from "../core/comparison.ts";
import { BundleError } from "../core/errors.ts";
import { compare } from "../engine/compare.ts";
import { parseReport } from "../engine/report_schema.ts";
import { renderComparisonHtml } from "../render/compare_html.ts";
import { renderComparisonMarkdown } from "../render/compare_markdown.ts";
import { renderComparisonText } from "../render/compare_text.ts";
import { loadOf } from "../sdk.ts";
import { type Analyst, shipped } from "./_analyst.ts";
import { type Command, UsageError } from "./_command.ts";
import { pluginFiles, pluginHelp, pluginOptions } from "./_plugins.ts";
import { checkPaths, inputProblem, LIMITS, oneOf, openPath, parseLimits, wantsColor } from "./_input.ts";
import { intoFile } from "./_result_file.ts";
import { columnsOf, print, say } from "./_say.ts";

const help = `nailhouse compare BEFORE AFTER [-f text|json|markdown|html] [-o FILE] [--all] [--limit NAME=VALUE]...
                               [--plugin FILE]...

Says whether a fix worked: which findings went or came, in which accounts the memory is now, and whether the load was the same.

  BEFORE, AFTER   as for nailhouse analyze, or a report that it wrote with -f json (.json)
  -f, --format    text (default), json, markdown (for a ticket), or html (one page, nothing is loaded)
  -o, --output    write to this file instead of standard output
  --all           show every account and finding
  --limit         as for nailhouse analyze
${pluginHelp}

With Deno: --allow-read; and --allow-write for -o, -A for /.

  nailhouse compare before.tgz after.tgz
  nailhouse compare monday.tgz / -f markdown
`;

const options = {
  format: { type: "string", short: "f", default: "text" },
  output: { type: "string", short: "o" },
  all: { type: "boolean", default: false },
  limit: { type: "string", multiple: true, default: [] as string[] },
  ...pluginOptions,
} as const;

const FORMATS = ["text", "json", "markdown", "html"] as const;

async function readReport(path: string): Promise<Observed> {
  const json = await readFile(path, "utf8");
  try {
    return { report: parseReport(json) };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    const why = error.name === "SyntaxError"
      ? `Cannot read the report: it is no JSON, as -f json of one bundle writes: ${error.message.replace(/\s+/g, " ")}`
      : error.message;
    throw new BundleError(why, { cause: error });
  }
}

async function observePath(path: string, limits: Partial<BundleLimits>, analyst: Analyst): Promise<Observed> {
  if (path.endsWith(".json")) return await readReport(path);
  const { sources, collectors } = analyst;
  const bundle = await openPath(path, { sources: [...sources, load], collectors }, limits);
  return { report: await analyst.analyze(bundle), load: loadOf(bundle) };
}

function render(comparison: Comparison, format: (typeof FORMATS)[number], all: boolean, toFile: boolean): string {
  if (format === "json") return `${JSON.stringify(comparison, undefined, 2)}\n`;
  if (format === "markdown") return renderComparisonMarkdown(comparison);
  if (format === "html") return renderComparisonHtml(comparison);
  return renderComparisonText(comparison, { all, color: wantsColor(toFile), width: columnsOf(toFile) });
}

/** Carries out `nailhouse compare`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const format = oneOf("--format", values.format, FORMATS);
  const limits = parseLimits(values.limit);
  const [before, after] = positionals;
  if (before === undefined || after === undefined || positionals.length > 2) {
    throw new UsageError("compare needs two PATHs: BEFORE and AFTER");
  }
  checkPaths(positionals);
  const files = pluginFiles(values, positionals);
  const thread = files.length === 0 ? undefined : await (await import("./_plugin_thread.ts")).startPlugins(files);
  const sides: Observed[] = [];
  try {
    for (const path of [before, after]) {
      try {
        sides.push(await observePath(path, limits, thread ?? shipped));
      } catch (error) {
        say(`nailhouse: ${path}: ${inputProblem(error)}`);
        return 3;
      }
    }
  } finally {
    await thread?.end();
  }
  const output = render(
    compare(sides[0] as Observed, sides[1] as Observed),
    format,
    values.all,
    values.output !== undefined,
  );
  const { output: path } = values;
  if (path === undefined) await print(output);
  else await intoFile(path, () => writeFile(path, output));
  return 0;
}

export const compareCommand: Command = {
  run,
  help,
  options,
  optionWords: { format: FORMATS, output: "paths", limit: LIMITS, plugin: "paths" },
  words: "paths",
};
