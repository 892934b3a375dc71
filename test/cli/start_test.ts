/** What `dist/cli.js` begins with: beside the file it keeps what V8 made of the program. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cliFile } from "../../.ci/cli_file.ts";
import { answers } from "../../src/cli/_help.ts";

const sample = resolve("samples/friend-push.tgz");
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
/** Loaded before the program: tells what V8 is given, and whether it takes it. */
const SPY = `
const vm = require("node:vm");
const { Script } = vm;
vm.Script = class extends Script {
  constructor(source, options) {
    super(source, options);
    console.error(options.cachedData === undefined ? "compiled" : this.cachedDataRejected ? "rejected" : "taken");
  }
};
`;

let folder: string;
let answer: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nailhouse-start-"));
  chmodSync(folder, 0o755);
  copyFileSync("dist/cli.js", join(folder, "cli.js"));
  chmodSync(join(folder, "cli.js"), 0o644);
  writeFileSync(join(folder, "spy.cjs"), SPY);
  answer = spawnSync(process.execPath, ["dist/cli.js", "analyze", sample], { encoding: "utf8" }).stdout;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the copy, and tells how it came to its code. */
function run(args: readonly string[], uid?: number): { stdout: string; code: string } {
  const command = ["--require", join(folder, "spy.cjs"), join(folder, "cli.js"), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: "utf8",
    cwd: folder,
    ...(uid === undefined ? {} : { uid }),
  });
  expect(status, stderr).toBe(0);
  return { stdout, code: stderr.trim() };
}

const analyze = (uid?: number) => run(["analyze", sample], uid);
const caches = (): string[] =>
  readdirSync(folder).filter((name) => name.endsWith(".cache")).map((name) => join(folder, name));

describe("dist/cli.js", () => {
  it("runs alone, and faster the next time: with what V8 made of it", () => {
    expect(analyze()).toEqual({ stdout: answer, code: "compiled" });
    expect(caches()).toHaveLength(1);
    expect(analyze()).toEqual({ stdout: answer, code: "taken" });
  });

  it("compiles what V8 does not take", () => {
    analyze();
    writeFileSync(caches()[0] as string, "not what it was");
    expect(analyze()).toEqual({ stdout: answer, code: "rejected" });
    expect(analyze()).toEqual({ stdout: answer, code: "taken" });
  });

  it.each([["collect", "--help"], ["explain"], ["collect", "--snapshots", "1", "--only", "host", "-o", "-"]])(
    "writes nothing for %s: a host in trouble is not written to",
    (...args) => {
      expect(run(args).code).toContain("compiled");
      expect(caches()).toEqual([]);
    },
  );

  it.each([...answers])("says %s without the program", (word, answer) => {
    expect(run([word])).toEqual({ stdout: answer, code: "" });
  });

  it("is ASCII, a byte a character, for the program is taken from it by its length", () => {
    expect(readFileSync("dist/cli.js", "latin1")).toMatch(/^[\0-\x7f]*$/);
    expect(() => cliFile("`·`")).toThrow("not ASCII");
    expect(() => cliFile("2*@")).toThrow("*@");
  });

  it("tells where a defect is by lines of its own, with what ends a comment in it", () => {
    const program = "\nconst text = '/* */';\nthrow new Error(text + programUrl);";
    const cli = join(folder, "small.mjs");
    writeFileSync(cli, cliFile(program));
    const { status, stderr } = spawnSync(process.execPath, [cli], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toContain("Error: /* */file:///");
    const line = readFileSync(cli, "utf8").split("\n").findIndex((text) => text.startsWith("throw")) + 1;
    expect(stderr).toContain(`small.mjs:${line}:7`);
  });

  it.skipIf(process.platform !== "linux")("writes nothing when this host is analyzed (Linux)", () => {
    expect(run(["analyze", "/"]).stdout).toContain("MemTotal");
    expect(caches()).toEqual([]);
  }, 60_000);

  it("takes nothing that is a link, and does without what it cannot read or replace", () => {
    analyze();
    const [cache] = caches() as [string];
    renameSync(cache, join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), cache);
    expect(analyze()).toEqual({ stdout: answer, code: "compiled" });
    rmSync(cache);
    symlinkSync(cache, cache);
    expect(analyze()).toEqual({ stdout: answer, code: "compiled" });
    rmSync(cache);
    mkdirSync(cache);
    expect(analyze()).toEqual({ stdout: answer, code: "compiled" });
    expect(statSync(cache).isDirectory()).toBe(true);
    expect(caches()).toEqual([cache]);
    rmSync(cache, { recursive: true });
  });

  it.skipIf(!isRoot)(`takes root's${isRoot ? "" : " (skipped: needs root)"}`, () => {
    copyFileSync(sample, join(folder, "bundle.tgz"));
    const mine = () => run(["analyze", join(folder, "bundle.tgz")], NOBODY);
    analyze();
    chownSync(join(folder, "cli.js"), NOBODY, NOBODY);
    expect(mine()).toEqual({ stdout: answer, code: "taken" });
    chmodSync(caches()[0] as string, 0o600);
    expect(mine()).toEqual({ stdout: answer, code: "compiled" });
  });

  it("takes nothing that others can write", () => {
    analyze();
    chmodSync(caches()[0] as string, 0o666);
    expect(analyze()).toEqual({ stdout: answer, code: "compiled" });
  });

  it.skipIf(!isRoot)(`takes nothing of another user${isRoot ? "" : " (skipped: needs root)"}`, () => {
    analyze();
    chownSync(caches()[0] as string, NOBODY, NOBODY);
    expect(analyze()).toEqual({ stdout: answer, code: "compiled" });
    // It is root's again, and the program a user's: whose it is may change that, too.
    const [cache] = caches() as [string];
    chownSync(join(folder, "cli.js"), NOBODY, NOBODY);
    chownSync(cache, NOBODY, NOBODY);
    expect(analyze()).toEqual({ stdout: answer, code: "taken" });
  });

  it.skipIf(!isRoot)(`needs not be in a folder of the user's own${isRoot ? "" : " (skipped: needs root)"}`, () => {
    copyFileSync(sample, join(folder, "bundle.tgz"));
    expect(run(["analyze", join(folder, "bundle.tgz")], NOBODY)).toEqual({ stdout: answer, code: "compiled" });
    expect(caches()).toEqual([]);
  });
});
