/** What each snapshot of a history has is placed in another way than all else: it must come out the same. */
import { expect, it } from "vitest";
import { readEntries } from "../../src/bundle/open.ts";
import { placeEntries } from "../../src/bundle/_places.ts";
import type { BundleLimits } from "../../src/bundle/limits.ts";
import type { Entry } from "../../src/core/bundle.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";

/** All that is wanted here. */
const sources = [{ ...meminfo, patterns: ["proc/meminfo", "a"] }];
const WANTED = /^(?:history\/[^/]+\/)?(?:proc\/meminfo|a)$/;
const time = "2026-01-01T00:01:00Z";
const utf8 = new TextDecoder();

function file(path: string, text: string): Entry & { readonly bytes: Uint8Array } {
  const bytes = new TextEncoder().encode(text);
  return { path, kind: "file", bytes, read: () => Promise.resolve({ bytes, truncated: false }) };
}

/** Each with what no other has in it: two ordinary snapshots, then the paths, each followed by a snapshot's, then an ordinary one. */
function withSnapshots(root: string, paths: readonly string[]): Entry[] {
  const snapshot = (time: string): string[] =>
    ["proc/meminfo", "a", "proc/unwanted"].map((below) => `${root}history/${time}/${below}`);
  const all = [
    `${root}proc/meminfo`,
    ...snapshot("2026-01-01T00:00:00Z"),
    ...snapshot(time),
    ...paths,
    `${root}history/${time}/proc/meminfo`,
    ...snapshot("2026-01-01T00:02:00Z"),
  ];
  return all.map((path, i) => file(path, `MemTotal: ${i} kB\n`));
}

/** By the place that each entry has on its own; the later one of two that have the same. */
async function placed(entries: readonly Entry[], limits: Partial<BundleLimits>, warnings: string[]): Promise<unknown> {
  const files = new Map<string, string>();
  for await (const { path, entry } of placeEntries(entries, { limits }, warnings)) {
    if (WANTED.test(path)) files.set(path, utf8.decode(entry.bytes));
  }
  return Object.fromEntries(files);
}

it.each<[string, Partial<BundleLimits>, readonly string[]]>([
  ["root/", {}, []],
  ["", {}, []],
  ["./", {}, []],
  ["./root/", {}, []],
  ["/root//", {}, []],
  ["root/data/", {}, []],
  ["root/", {}, [`root/history/${time}/../proc/meminfo`, `root/history/${time}/proc/../proc/meminfo`]],
  ["root/", {}, [`root/history/${time}/./proc/meminfo`, `root/history/${time}//proc/meminfo`]],
  ["root/", {}, [`./root/history/${time}/proc/meminfo`, `/root/history/${time}/proc/meminfo`]],
  ["root/", {}, [`root/history/${time}/proc/meminfo/`, `root/history/${time}/root/proc/meminfo`]],
  ["root/", {}, [`history/${time}/proc/meminfo`, `other/history/${time}/proc/meminfo`]],
  ["root/", {}, [`root/history/../history/${time}/proc/meminfo`, `root/history//${time}/proc/meminfo`]],
  ["root/", {}, ["root/history/x/proc/meminfo", "root/history/proc/meminfo"]],
  ["root/", {}, [`root/history/${"x".repeat(5000)}/proc/meminfo`, `root/history/${"é".repeat(2040)}/proc/meminfo`]],
  ["root/", { maxPathBytes: 45 }, [`root/history/${time}/proc/meminfo`, `root/history/${time}x/proc/meminfo`]],
  ["root/", { maxPathBytes: 38 }, [`root/history/x/proc/meminfo`, `root/history/y/proc/meminfo`]],
  ["root/", { maxPathBytes: 45 }, ["root/history/x/proc/meminfo", `root/history/${time}/a`]],
  ["root/", { maxPathBytes: 135 }, ["root/history/x/proc/meminfo", `root/history/${"é".repeat(60)}/a`]],
  ["root/", {}, [
    "root/history/x/a",
    `root/history/${time}/proc//meminfo`,
    `root/history/${time}/pa`,
    "root/history/y/a",
  ]],
  ["root/", { maxDepth: 4 }, [`root/history/${time}/a/proc/meminfo`, "root/history/x/proc/meminfo"]],
  ["root/", { maxDepth: 3 }, ["root/history/x/proc/meminfo", "root/history/y/proc/meminfo"]],
])("of the snapshots below %j within %j, %j are where they belong", async (root, limits, paths) => {
  const entries = withSnapshots(root, paths);
  const warnings: string[] = [];
  const expected = await placed(entries, limits, warnings);
  const bundle = await readEntries(entries, { sources, limits });
  const found = Object.fromEntries(Array.from(bundle.files, ([path, bytes]) => [path, utf8.decode(bytes)]));
  expect(found).toEqual(expected);
  expect(bundle.warnings.filter((warning) => !warning.includes("in the bundle twice"))).toEqual(warnings);
});

it("a file that a snapshot has twice is told with its whole path", async () => {
  const path = `root/history/${time}/proc/meminfo`;
  const { warnings } = await readEntries([file(path, "a"), file(path, "b")], { sources });
  expect(warnings).toEqual([`history/${time}/proc/meminfo is in the bundle twice: the last one is used`]);
});

it("a link to a file of a snapshot is none", async () => {
  const path = `root/history/${time}/proc/meminfo`;
  const link: Entry = { ...file(path, "b"), kind: "link", linkTarget: "../x" };
  const { files, links } = await readEntries([file(path, "a"), link], { sources });
  expect([files.size, [...links.values()]]).toEqual([1, [`history/${time}/x`]]);
});
