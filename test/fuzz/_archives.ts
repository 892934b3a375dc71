/** Archives and whole bundles for fuzzing. */
import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { openArchive, readEntries } from "../../src/bundle/open.ts";
import { readTar } from "../../src/bundle/tar.ts";
import type { Entry } from "../../src/core/bundle.ts";
import { BundleError } from "../../src/core/errors.ts";
import type { SourceLine } from "../../src/core/ledger.ts";
import type { Report } from "../../src/core/report.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { renderText } from "../../src/render/text.ts";
import { brokenPromises } from "../_expect.ts";
import { paxEntry, pieces, tar, tarEntry } from "../bundle/_archive.ts";
import { meminfoText } from "../analyzers/_bundle.ts";
import { checkNumbers } from "./_targets.ts";

const sources = presetSources(preset);

const plain = tar(
  tarEntry("root/proc/meminfo", meminfoText()),
  tarEntry("long", `root/${"n".repeat(150)}\0`, { type: "L" }),
  tarEntry("short", "x"),
  paxEntry({ path: "root/proc/7/status", mtime: "1.5" }),
  tarEntry("short", "Name:\ta\nVmRSS:\t 8 kB\n"),
  tarEntry("root/link", "", { type: "2", link: "proc/meminfo" }),
  tarEntry("root/hard", "", { type: "1", link: "root/proc/meminfo" }),
  paxEntry({ "GNU.sparse.map": "0,5,9,5", "GNU.sparse.size": "20", "GNU.sparse.name": "root/proc/vmstat" }),
  tarEntry("sparse", "nr_xx 12.."),
  paxEntry({
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.realsize": "9",
    "GNU.sparse.name": "root/s",
  }),
  tarEntry("sparse", `1\n0\n5\n${"\0".repeat(506)}hello`),
);

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`archives/${name}`, import.meta.url)));

/** One archive in each compression; those that nothing here can write are files, made of the first by the real programs. */
export const archives: readonly Uint8Array[] = [
  plain,
  new Uint8Array(gzipSync(plain)),
  ...["a.tar.xz", "a.tar.zst", "a.tar.bz2"].map(fixture),
];

/** The archive that the fixtures are made of. */
export const plainArchive: Uint8Array = plain;

/** Throws when opening and analyzing does anything but give a report or refuse the archive. */
export async function tryArchive(bytes: Uint8Array): Promise<void> {
  const limits = { maxFileBytes: 2 ** 16, maxTotalBytes: 2 ** 18, maxUnpackedBytes: 2 ** 24 };
  try {
    // Cut where nothing else is, too.
    const bundle = await openArchive(pieces(bytes, 997), { sources, limits });
    checkReport(analyze(bundle, preset));
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
  }
}

function checkReport(report: Report): void {
  // The engine refuses what cannot be: that is an answer to numbers that no host has.
  const failed = report.notAssessed.filter(({ missing }) =>
    missing.some((text) => text.startsWith("the analyzer failed") && !text.startsWith("the analyzer failed: it claims"))
  );
  const problems = [...failed.map(({ cause, missing }) => `${cause}: ${missing.join()}`), ...brokenPromises(report)];
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const words = report.findings.flatMap(({ title, evidence }) => [title, ...evidence.map(({ because }) => because)]);
  const wrong = words.find((text) => /\b(?:NaN|Infinity) (?:[KMGT]?i?B|%|[a-z]+s)\b/.test(text));
  if (wrong !== undefined) throw new Error(wrong);
  checkNumbers(JSON.parse(JSON.stringify(report)).findings, "findings");
  renderText(report, { all: true, color: false, width: 80 });
}

/** A sample's files, as text where they are text. */
export async function sampleFiles(sample: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const bytes = gunzipSync(readFileSync(new URL(`../../samples/${sample}`, import.meta.url)));
  const files = new Map<string, Uint8Array>();
  for await (const entry of readTar(pieces(bytes), () => {})) {
    if (entry.kind === "file") files.set(entry.path, (await entry.read(2 ** 24)).bytes);
  }
  return files;
}

async function reportOf(files: ReadonlyMap<string, Uint8Array>): Promise<Report> {
  const entries = Array.from(files, ([path, bytes]): Entry => ({
    path,
    kind: "file",
    read: () => Promise.resolve({ bytes, truncated: false }),
  }));
  return analyze(await readEntries(entries, { sources }), preset);
}

/** The lines that the findings of a sample are made of: most others may say anything. */
export async function citedLines(files: ReadonlyMap<string, Uint8Array>): Promise<readonly SourceLine[]> {
  const { findings, ledger } = await reportOf(files);
  const cited = [
    ...findings.flatMap(({ evidence }) => evidence),
    ...(ledger?.accounts ?? []).flatMap(({ sources: all }) => all),
  ];
  const places = [...files.keys()];
  return cited.flatMap(({ path, line }) => {
    const place = places.find((each) => each === path || each.endsWith(`/${path}`));
    return place === undefined ? [] : [{ path: place, line }];
  });
}

/** Throws when the analysis of a sample fails in which some files are changed. */
export async function tryBundle(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  checkReport(await reportOf(files));
}
