/** The library as a program that has it installed: on Node, on Deno, and bundled for a page. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBundle as openInBrowser } from "../src/mod.ts";
import {
  analyze,
  type Analyzer,
  type BundleInput,
  type BundleLimits,
  compare,
  defineAnalyzer,
  defineArtifact,
  LimitError,
  observe,
  openBundle,
  PluginError,
  renderComparisonHtml,
  renderHtml,
  renderJson,
  renderMarkdown,
  renderText,
} from "../src/host/node_sdk.ts";

const sample = "samples/friend-push.tgz";
const bytes = new Uint8Array(readFileSync(sample));
const lines = 'import {openBundle,analyze} from "nailhouse"; const r = await analyze(await openBundle("' + sample +
  '")); console.log(r.findings[0].cause)';
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-sdk-"))));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a program of a few lines", () => {
  it("names the cause on Node", () => {
    const printed = execFileSync("node", ["--input-type=module", "--eval", lines], { encoding: "utf8" });
    expect(printed).toBe("socket-backlog-udp\n");
  });

  it("names the cause on Deno", () => {
    const printed = execFileSync("node_modules/.bin/deno", ["eval", lines], { encoding: "utf8" });
    expect(printed).toBe("socket-backlog-udp\n");
  });

  it("names the cause when it is bundled for a page, and has no import of Node's left", async () => {
    const { outputFiles: [output], metafile } = await build({
      stdin: { contents: `export { openBundle, analyze } from "nailhouse";`, resolveDir: process.cwd() },
      bundle: true,
      // The chunks of dist name each other without importing anything.
      logOverride: { "ignored-bare-import": "silent" },
      platform: "browser",
      format: "esm",
      write: false,
      metafile: true,
      outfile: join(folder, "page.js"),
    });
    const code = output?.text as string;
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
    const page = await import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`) as {
      openBundle: typeof openBundle;
      analyze: typeof analyze;
    };
    expect(page.analyze(await page.openBundle(new Blob([bytes]))).findings[0]?.cause).toBe("socket-backlog-udp");
    await expect(page.openBundle(sample)).rejects.toThrow("there are no files here");
  });
});

describe("openBundle()", () => {
  it.each<[string, () => BundleInput]>([
    ["a path", () => sample],
    ["a URL", () => pathToFileURL(sample)],
    ["bytes", () => bytes],
    ["a Blob", () => new Blob([bytes])],
    ["a ReadableStream", () => new Blob([bytes]).stream()],
    ["an iterable of pieces", async function* () {
      yield bytes.subarray(0, 1000);
      yield bytes.subarray(1000);
    }],
    ["a directory", () => {
      execFileSync("tar", ["-xzf", sample, "-C", folder]);
      return folder;
    }],
  ])("takes %s", async (_, input) => {
    const { findings, warnings } = analyze(await openBundle(input()));
    expect(warnings).toEqual(analyze(await openBundle(bytes)).warnings);
    expect(findings[0]).toMatchObject({ cause: "socket-backlog-udp", confidence: "confirmed" });
  });

  it("takes files in memory, as an object or a map", async () => {
    const files = { "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\nMemAvailable: 950 kB\n" };
    const report = analyze(await openBundle(files));
    expect(report.host.totalBytes).toBe(1_024_000);
    expect(analyze(await openBundle(new Map(Object.entries(files))))).toEqual(report);
  });

  it("tells what it has read, and ends when it is told to", async () => {
    const read: number[] = [];
    await openBundle(sample, { onProgress: (readBytes) => void read.push(readBytes) });
    expect(read.at(-1)).toBe(bytes.length);
    const stop = new AbortController();
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += 1000) {
        if (at > 0) stop.abort();
        yield bytes.subarray(at, at + 1000);
      }
    };
    await expect(openBundle(chunks(), { signal: stop.signal })).rejects.toThrow("aborted");
  });

  it("leaves a stream, of which it needs no more, to whoever gave it", async () => {
    const stream = new Blob([bytes]).stream();
    await expect(openBundle(stream, { limits: { maxEntries: 3 } })).rejects.toThrow(LimitError);
    await stream.cancel();
    expect(stream.locked).toBe(false);
  });

  it("keeps to the limits", async () =>
    await expect(openBundle(sample, { limits: { maxEntries: 3 } })).rejects.toThrow(LimitError));

  it.each<[string, BundleInput, string]>([
    ["a path that is not there", "absent.tgz", 'there is no file or directory "absent.tgz"'],
    ["a device with nothing to read", "/dev/null", "it is empty"],
    ["bytes of something else", new Uint8Array(2000).fill(65), "neither a tar archive"],
    ["files without paths", [[bytes]] as unknown as BundleInput, 'not object ("0")'],
    ["a number of a file", { "proc/uptime": 7 } as unknown as BundleInput, 'not number ("proc/uptime")'],
    ["files of something else", { "README.md": "hello" }, "no file that a bundle or sosreport has"],
  ])("refuses %s", async (_, input, message) => await expect(openBundle(input)).rejects.toThrow(message));

  it("has no paths in a browser", async () => await expect(openInBrowser(sample)).rejects.toThrow(TypeError));
});

const counters = defineArtifact({
  name: "counters",
  paths: ["run/cached/counters"],
  howToCapture: "cat /run/cached/counters",
  parse: Number,
});
const about = { title: "", mechanism: "", lookAlikes: "", references: [], uses: {} };
const plugin: Analyzer = defineAnalyzer({
  ...about,
  id: "cached",
  needs: { counters },
  analyze: ({ counters: { value } }) => ({ ruledOut: `${value} bytes` }),
});

describe("plugins of openBundle()", () => {
  const files = { "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n", "run/cached/counters": "7" };

  it("run besides the shipped analyzers, on files that only they read", async () => {
    const ids: string[] = [];
    const report = analyze(await openBundle(files, { plugins: [plugin] }), { onAnalyzer: (id) => void ids.push(id) });
    expect(report.ruledOut).toContainEqual({ cause: "cached", because: "7 bytes" });
    expect(ids).toEqual(expect.arrayContaining(["cached", "user-leak"]));
    expect(analyze(await openBundle(files)).ruledOut.map(({ cause }) => cause)).not.toContain("cached");
  });

  it.each<[string, unknown, string]>([
    ["that is none", { id: "x" }, "defineAnalyzer or defineCollector"],
    ["with a wrong id", { ...plugin, id: "../x" }, 'the analyzer "../x" is wrong at id'],
    ["without what it needs", { ...plugin, needs: { counters: 7 } }, "is wrong at needs.counters"],
    ["with an id that is shipped", { ...plugin, id: "user-leak" }, 'there are two analyzers with the id "user-leak"'],
    ["that collects nothing", { id: "y", title: "", why: "", priority: 1, captures: [{}] }, "captures.0.kind"],
  ])("refuse one %s", async (_, wrong, message) => {
    const opening = openBundle(files, { plugins: [wrong as Analyzer] });
    await expect(opening).rejects.toThrow(PluginError);
    await expect(opening).rejects.toThrow(message);
  });

  it.each<[string, unknown]>([["a module", { plugin }], ["one of them", plugin]])("are no %s", async (_, plugins) => {
    const opening = openBundle(files, { plugins: plugins as Analyzer[] });
    await expect(opening).rejects.toThrow(PluginError);
    await expect(opening).rejects.toThrow("given as an array");
  });

  it.each<[string, unknown, string]>([
    ["no outcome", undefined, "its outcome is wrong"],
    ["no finding", { findings: [undefined] }, "its outcome is wrong at findings.0"],
    ["a finding that lacks all", { findings: [{}] }, "its outcome is wrong at findings.0.title"],
    ["words that are none", { ruledOut: 7 }, "its outcome is wrong"],
    ["a promise", Promise.resolve({ ruledOut: "x" }), "a Promise, but analyze() answers at once"],
  ])("cost only themselves when they find %s", async (_, outcome, message) => {
    const wrong = defineAnalyzer({ ...plugin, id: "wrong", analyze: () => outcome as { ruledOut: string } });
    const report = analyze(await openBundle(files, { plugins: [wrong, plugin] }));
    expect(report.ruledOut).toContainEqual({ cause: "cached", because: "7 bytes" });
    expect(report.notAssessed.find(({ cause }) => cause === "wrong")?.missing[0]).toContain(message);
  });
});

describe("openBundle()", () => {
  const limits: [string, Record<string, unknown>][] = [
    ["no number", { maxEntries: NaN }],
    ["null", { maxEntries: null }],
    ["a text", { maxEntries: "5" }],
    ["negative", { maxEntries: -1 }],
    ["of no such name", { maxEntrys: 5 }],
    ["one of every object's", { toString: 5 }],
  ];
  it.each(limits)(
    "refuses a limit that is %s",
    (_, given) => expect(openBundle(bytes, { limits: given as Partial<BundleLimits> })).rejects.toThrow(RangeError),
  );

  it("takes the default for a limit that is undefined, not none", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 65 }, (_, i) => [`${"a/".repeat(i)}meminfo`, "MemTotal: 9 kB\n"]),
    );
    const given = { maxDepth: undefined } as unknown as Partial<BundleLimits>;
    const opened = (each?: Partial<BundleLimits>) =>
      openBundle({ ...many, "proc/meminfo": "MemTotal: 9 kB\n" }, { ...(each && { limits: each }) });
    expect((await opened(given)).warnings).toEqual((await opened()).warnings);
  });

  it("takes what a page's fetch() gives as bytes", async () =>
    expect(analyze(await openBundle(bytes.slice().buffer)).findings[0]?.cause).toBe("socket-backlog-udp"));

  it.each([undefined, null, 5])(
    "says what it takes, if it is given %s",
    (nothing) =>
      expect(openBundle(nothing as unknown as BundleInput)).rejects.toThrow("a bundle is opened from a path, bytes"),
  );

  it("takes no report for a kernel log, though it quotes one", async () => {
    const report = analyze(await openBundle(sample));
    const compared = compare({ report }, { report });
    const summary = { schemaVersion: 1, summary: {}, reports: [{ path: "x", report }] };
    const lines = [{ path: 'a"b', ...report }, { path: "c", ...report }].map((each) => JSON.stringify(each)).join("\n");
    const written = [
      renderJson(report),
      JSON.stringify(report),
      lines,
      JSON.stringify(summary, undefined, 2),
      JSON.stringify(compared, undefined, 2),
    ];
    const printed = [renderText(report), renderMarkdown(report)];
    for (
      const text of [
        ...written,
        ...printed,
        printed[0]?.replaceAll(/^/gm, "> ") ?? "",
        renderHtml(report),
        renderComparisonHtml(compared),
      ]
    ) {
      await expect(openBundle(new TextEncoder().encode(text))).rejects.toThrow("it is a report of one");
    }
    const beside = `${printed[0]}\n$ cat /proc/meminfo\nMemTotal:        8000000 kB\nMemFree:         7000000 kB\n`;
    expect((await openBundle(new TextEncoder().encode(beside))).files.has("proc/meminfo")).toBe(true);
  });
});

it("compare(observe(), observe()) says whether a fix worked", async () => {
  const [before, after] = [
    observe(await openBundle(sample)),
    observe(await openBundle("samples/friend-push-wudp.tgz")),
  ];
  expect(compare(before, after).outcome).toBe("fixed");
});
