/** Plug-ins as files, on the command line of Node and Deno: the worked example, and ones that misbehave. */
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../src/core/comparison.ts";
import type { Report } from "../../src/core/report.ts";
import { parseReport } from "../../src/engine/report_schema.ts";

const execute = promisify(execFile);
const example = resolve("samples/plugin/cached.ts");
const sample = resolve("samples/friend-push.tgz");
const runtimes = { Node: ["node", resolve("dist/cli.js")], Deno: deno() } as const;
let folder: string;
let bundle: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nailhouse-plugins-"));
  bundle = hostWith("host", "pid 7\ncache_bytes 600000000\ncache_limit_bytes 100000000\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

function deno(): string[] {
  // Of the permissions only those that analyzing needs.
  return [
    resolve("node_modules/.bin/deno"),
    "run",
    "--allow-read",
    "--allow-env=NO_COLOR,FORCE_COLOR",
    resolve("src/cli/main.ts"),
  ];
}

/** A host of 1 GB, on which cached counts what it holds. */
function hostWith(name: string, counters: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, "proc"), { recursive: true });
  mkdirSync(join(root, "run/cached"), { recursive: true });
  writeFileSync(
    join(root, "proc/meminfo"),
    "MemTotal: 1000000 kB\nMemFree: 300000 kB\nMemAvailable: 300000 kB\nActive(anon): 700000 kB\nAnonPages: 700000 kB\n",
  );
  writeFileSync(join(root, "run/cached/counters"), counters);
  return root;
}

function plugin(name: string, code: string): string {
  const path = join(folder, name);
  writeFileSync(path, code);
  return path;
}

/** A plug-in analyzer in TypeScript, of which only analyze() matters. */
function analyzer(name: string, body: string): string {
  return plugin(
    `${name}.ts`,
    `import { type Analyzer, defineAnalyzer } from "nailhouse";
    const about = { title: "", mechanism: "", lookAlikes: "", references: [], needs: {}, uses: {} };
    export const it: Analyzer = defineAnalyzer({ ...about, id: "${name}", analyze() { ${body} } });`,
  );
}

function run([program = "", ...words]: readonly string[], args: readonly string[], cwd = ".") {
  const { status, stdout, stderr } = spawnSync(program, [...words, ...args], { cwd, encoding: "utf8" });
  return { status, stdout, stderr };
}

function reportOf(runtime: readonly string[], args: readonly string[]): Report {
  const { status, stdout, stderr } = run(runtime, ["analyze", ...args, "-f", "json"]);
  expect(status, stderr).toBe(0);
  return parseReport(stdout);
}

describe("samples/plugin/cached.ts", () => {
  it.each(Object.entries(runtimes))("is judged on %s", (_, runtime) => {
    const { findings } = reportOf(runtime, [bundle, "--plugin", example]);
    expect(findings[0]).toMatchObject({
      cause: "cached-over-limit",
      bytes: { low: 500_000_000, high: 500_000_000 },
      evidence: [{ path: "run/cached/counters", line: 2, text: "cache_bytes 600000000" }],
    });
  });

  it("is ruled out within its limit, and not assessed where the daemon does not run", () => {
    const within = hostWith("within", "pid 7\ncache_bytes 5\ncache_limit_bytes 100\n");
    expect(reportOf(runtimes.Node, [within, "--plugin", example]).ruledOut).toContainEqual({
      cause: "cached-over-limit",
      because: "its cache holds 5 B of 100 B",
    });
    expect(reportOf(runtimes.Node, [sample, "--plugin", example]).notAssessed).toContainEqual({
      cause: "cached-over-limit",
      missing: ["run/cached/counters"],
      howToCapture: ["cat /run/cached/counters"],
    });
  });

  it("tells a file that it cannot parse, as shipped analyzers do", () => {
    const broken = hostWith("broken", "gibberish\n");
    expect(reportOf(runtimes.Node, [broken, "--plugin", example]).notAssessed).toContainEqual({
      cause: "cached-over-limit",
      missing: ["run/cached/counters: pid is no number"],
      howToCapture: [],
    });
  });

  it("is explained", () => {
    const { stdout } = run(runtimes.Node, ["explain", "cached-over-limit", "--plugin", example]);
    expect(stdout).toContain("drops entries when a client asks");
  });

  it("is part of the shell collector", () => {
    const { status, stdout } = run(runtimes.Node, ["collect", "--emit-script", "--plugin", example]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ +file run\/cached\/counters changing$/m);
  });

  it.each(Object.entries(runtimes))("is compared on %s: its finding is gone after a fix", (_, runtime) => {
    const after = hostWith("fixed", "pid 7\ncache_bytes 5\ncache_limit_bytes 100000000\n");
    const { status, stdout, stderr } = run(runtime, ["compare", bundle, after, "--plugin", example, "-f", "json"]);
    expect(status, stderr).toBe(0);
    const { findings } = JSON.parse(stdout) as Comparison;
    expect(findings.map(({ cause, change }) => [cause, change])).toContainEqual(["cached-over-limit", "gone"]);
  });

  it("has its file redacted and passed on, and none without it", () => {
    const root = hostWith("secret", "pid 7\ncache_bytes 600000000\ncache_limit_bytes 100000000\npeer 203.0.113.77\n");
    const [with_, without] = [join(folder, "with.tgz"), join(folder, "without.tgz")];
    expect(run(runtimes.Node, ["redact", root, with_, "--plugin", example])).toMatchObject({ status: 0 });
    expect(run(runtimes.Node, ["redact", root, without])).toMatchObject({ status: 0 });
    const text = (path: string): string => gunzipSync(readFileSync(path)).toString("latin1");
    expect(text(with_)).toMatch(/cache_bytes 600000000\n.*\npeer (?!203\.0\.113\.77)\S/);
    expect(text(with_)).not.toContain("203.0.113.77");
    expect(text(without)).not.toContain("cache_bytes");
    expect(reportOf(runtimes.Node, [with_, "--plugin", example]).findings[0]?.cause).toBe("cached-over-limit");
  });

  it.skipIf(process.platform !== "linux")("is collected, and then judged (Linux)", () => {
    const root = hostWith("root", "pid 7\ncache_bytes 1\ncache_limit_bytes 2\n");
    const out = join(folder, "b.tgz");
    const words = ["collect", "--root", root, "--snapshots", "1", "--only", "cached", "-o", out, "--plugin", example];
    expect(run(runtimes.Node, words)).toMatchObject({ status: 0 });
    const { ruledOut } = reportOf(runtimes.Node, [out, "--plugin", example]);
    expect(ruledOut.map(({ cause }) => cause)).toContain("cached-over-limit");
  });
});

describe("a plug-in that misbehaves", () => {
  // At the same time, because both wait for the one that hangs.
  it("costs only itself on Node and Deno: one hangs, one ends the process, one throws", async () => {
    const files = [
      analyzer("hangs", "for (;;);"),
      analyzer("throws", 'throw new Error("no idea");'),
      analyzer("exits", "process.exit(0);"),
      analyzer("fine", 'return { ruledOut: "it is not" };'),
    ];
    const words = ["analyze", sample, ...files.flatMap((file) => ["--plugin", file]), "-f", "json"];
    const printed = await Promise.all(
      Object.values(runtimes).map(([program = "", ...start]) => execute(program, [...start, ...words])),
    );
    for (const { stdout } of printed) {
      const report = parseReport(stdout);
      expect(report.findings[0]?.cause).toBe("socket-backlog-udp");
      expect(report.ruledOut).toContainEqual({ cause: "fine", because: "it is not" });
      const told = Object.fromEntries(report.notAssessed.map(({ cause, missing }) => [cause, missing[0]]));
      expect(told).toMatchObject({
        hangs: "the analyzer failed: no answer after 5 seconds",
        throws: "the analyzer failed: no idea",
        exits: "the analyzer failed: it ended the thread that it ran in",
      });
    }
  });

  it.each(Object.entries(runtimes))("that fails after it has answered costs nothing on %s", (_, runtime) => {
    const late = analyzer("late", 'setTimeout(() => { throw new Error("too late"); }, 0); return { ruledOut: "no" };');
    const { status, stdout } = run(runtime, ["analyze", sample, sample, sample, "-f", "ndjson", "--plugin", late]);
    expect(status).toBe(0);
    const reports = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as Report);
    expect(reports.map(({ findings }) => findings[0]?.cause)).toEqual(Array(3).fill("socket-backlog-udp"));
  });

  it.each([
    ["a file that is not there", () => "absent.ts", "there is no file"],
    ["a file that is no program", () => plugin("wrong.ts", "this is no program"), "wrong.ts cannot be loaded"],
    ["a file without plug-ins", () => plugin("empty.ts", "export const a = 1;"), "exports neither an analyzer nor"],
    ["an id that is shipped", () => analyzer("user-leak", ""), 'two analyzers with the id "user-leak"'],
  ])("%s is a usage error", (_, file, message) => {
    const { status, stdout, stderr } = run(runtimes.Node, ["analyze", sample, "--plugin", file()]);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect([status, stdout]).toEqual([2, ""]);
  });
});

it.each(Object.entries(runtimes))("what a plug-in says on %s is not the result", (_, runtime) => {
  const says = analyzer("says", 'console.log("a word"); return { ruledOut: "said" };');
  const report = reportOf(runtime, [sample, "--plugin", says]);
  expect(report.ruledOut).toContainEqual({ cause: "says", because: "said" });
  const loud = plugin("loud.ts", `console.log("a word"); export * from "${example}";`);
  expect(run(runtime, ["explain", "--plugin", loud]).stdout).not.toContain("a word");
});

describe("nailhouse.config.ts", () => {
  const causes = (cwd: string, ...args: string[]) => {
    const { stdout, stderr } = run(runtimes.Node, ["analyze", ...args, "-f", "json"], cwd);
    return { known: parseReport(stdout).notAssessed.map(({ cause }) => cause), stderr };
  };
  const withConfig = (name: string): string => {
    const cwd = join(folder, name);
    mkdirSync(cwd);
    copyFileSync(example, join(cwd, "cached.ts"));
    writeFileSync(join(cwd, "nailhouse.config.ts"), 'export * from "./cached.ts";');
    return cwd;
  };

  it("is loaded from the current directory, unless it is not wanted", () => {
    const cwd = withConfig("mine");
    expect(causes(cwd, sample)).toEqual({ known: expect.arrayContaining(["cached-over-limit"]), stderr: "" });
    expect(causes(cwd, sample, "--no-config").known).not.toContain("cached-over-limit");
  });

  it.skipIf(process.platform === "win32")("is not loaded if others can write it or its directory", () => {
    const cwd = withConfig("shared");
    chmodSync(cwd, 0o777);
    expect(causes(cwd, sample).stderr).toContain("not loaded, because others can write its directory");
    chmodSync(cwd, 0o755);
    chmodSync(join(cwd, "nailhouse.config.ts"), 0o666);
    const { known, stderr } = causes(cwd, sample);
    expect(stderr).toContain("not loaded, because others can write it;");
    expect(known).not.toContain("cached-over-limit");
  });

  it("is not loaded from inside of what is analyzed", () => {
    const cwd = withConfig("bundle");
    mkdirSync(join(cwd, "proc"));
    writeFileSync(join(cwd, "proc/meminfo"), readFileSync(join(bundle, "proc/meminfo")));
    const { known, stderr } = causes(cwd, ".");
    expect(stderr).toContain("not loaded, because it is in what is to be read (.)");
    expect(known).not.toContain("cached-over-limit");
  });
});
