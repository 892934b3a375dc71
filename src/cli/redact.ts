import { rmSync, statSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { archiveEntries, readEntries } from "../bundle/open.ts";
import { redactEntries, type RedactionCounts, Redactor } from "../bundle/redact.ts";
import { tarSink } from "../bundle/tar_write.ts";
import type { Analyzer } from "../core/analyzer.ts";
import type { Entry } from "../core/bundle.ts";
import { BundleError } from "../core/errors.ts";
import { presetSources } from "../engine/analyze.ts";
import { clock, directoryEntries, fileChunks, nodeGunzip } from "../host/node_input.ts";
import { gzipOutput } from "../host/node_output.ts";
import { collectors, preset } from "../preset.ts";
import { inputProblem } from "./_input.ts";
import { pluginFiles, pluginHelp, pluginOptions, withPlugins } from "./_plugins.ts";
import { openMapping, openPrivate } from "./_private_file.ts";
import { type Command, UsageError } from "./_command.ts";
import { intoFile } from "./_result_file.ts";
import { say } from "./_say.ts";

const help = `nailhouse redact IN OUT [--plugin FILE]...

Writes a bundle that analyzes alike, to be passed on: host and user names, IP and MAC addresses, paths in homes, command-line
arguments, secrets, e-mail addresses and UUIDs become pseudonyms, the same ones everywhere in it.

  IN    a bundle or sosreport (.tgz, .tar.gz, .tar.xz, .tar.bz2, .tar.zst, .tar, .zip), or a directory; it is not changed
  OUT   the redacted .tgz; OUT.map.json beside it says what stands for what, and stays with you

${pluginHelp}

Files that a plug-in's analyzers read are passed on, too, redacted as any text is: what else is secret in them only you know.

Only files that analysis reads are passed on. Names of programs, numbers of processes and ports stay, and so do names that tell
nothing but are somebody's choice: of network interfaces, control groups, and of files outside homes. Look before you publish.

With Deno: --allow-read --allow-write

  nailhouse redact bundle.tgz redacted.tgz
  nailhouse collect --redact -o redacted.tgz     # the same while collecting
`;

/** Opens IN, which is read twice: what the host is called must be known before the first file is written. */
async function open(path: string, broken: (message: string) => void): Promise<AsyncIterable<Entry>> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError("Cannot read the bundle: there is no such file or directory");
  if (stat.isDirectory()) return directoryEntries(path, broken);
  if (!stat.isFile()) {
    throw new BundleError(
      "Cannot redact the bundle: it is neither a file nor a directory, and is read twice; save it to a file first",
    );
  }
  return await archiveEntries(fileChunks(path), { clock, decompress: nodeGunzip }, broken);
}

function sameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}

function showCounts({ files }: RedactionCounts): void {
  if (process.stderr.isTTY && files % 100 === 0) process.stderr.write(`\r\x1b[Kredacting: ${files} files`);
}

async function redact(input: string, output: string, analyzers: readonly Analyzer[]): Promise<readonly string[]> {
  const { facts, files } = await readEntries(await open(input, () => {}), { sources: [] });
  if (files.size === 0 && statSync(input).isDirectory()) {
    throw new BundleError(
      "Cannot read the bundle: the directory has no file that a bundle or sosreport has (such as proc/meminfo)",
    );
  }
  const warnings: string[] = [];
  const entries = await open(input, (message) => warnings.push(message));
  return await intoFile(output, async () => {
    if (sameFile(input, output) || sameFile(input, `${output}.map.json`)) {
      throw new UsageError(`OUT would overwrite IN (${input}): give it another name`);
    }
    const map = openMapping(output);
    const gzip = gzipOutput(openPrivate(output));
    const redactor = new Redactor(facts, presetSources({ ...preset, analyzers }));
    const tar = tarSink(redactor.root(basename(input).replace(/\.(?:tgz|tar\.gz|tar)$/, "")), gzip);
    warnings.push(...await redactEntries(entries, redactor, tar, facts.capturedAt ?? 0, showCounts));
    await tar.end();
    await gzip.close();
    map.write(redactor.mapping());
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const counts = redactor.counts();
    if (counts.files === 0) {
      for (const path of [output, map.path].filter((each) => statSync(each).isFile())) rmSync(path);
      throw new BundleError("Cannot redact the bundle: it has no file that analysis reads, so nothing is passed on");
    }
    say(
      `${output}: ${counts.files} files; not passed on: ${counts.notRead} that analysis does not read, ${counts.notText} that are not ` +
        `text; keep ${map.path} to yourself`,
    );
    return warnings;
  });
}

/** Carries out `nailhouse redact`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: pluginOptions });
  const [input, output] = positionals;
  if (input === undefined || output === undefined || positionals.length > 2) {
    throw new UsageError("redact needs two paths: IN and OUT");
  }
  if (input === "-" || output === "-") throw new UsageError("redact reads IN twice and writes two files: neither is -");
  const { analyzers } = await withPlugins(pluginFiles(values, [input]), { analyzers: preset.analyzers, collectors });
  try {
    for (const warning of await redact(input, output, analyzers)) say(`nailhouse: ${input}: ${warning}`);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    // Limits cannot be raised here.
    say(`nailhouse: ${input}: ${error instanceof BundleError ? error.message : inputProblem(error)}`);
    return 3;
  }
}

export const redactCommand: Command = {
  run,
  help,
  options: pluginOptions,
  optionWords: { plugin: "paths" },
  words: "paths",
};
