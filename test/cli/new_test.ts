/** What `nailhouse new` writes works as it is: in a checkout, and on its own. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const deno = resolve("node_modules/.bin/deno");
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-new-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function nailhouse(cwd: string, ...args: string[]) {
  return spawnSync("node", [resolve("dist/cli.js"), ...args], { cwd, encoding: "utf8" });
}

/** An error tells what was printed. */
function run(cwd: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  expect(status, `${program} ${args.join(" ")}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

describe("nailhouse new", () => {
  it("on its own: a plug-in that finds its sample, and a test that passes", () => {
    const cwd = join(folder, "own");
    // As it is installed: a link out of node_modules is no package.
    const installed = join(cwd, "node_modules/nailhouse");
    cpSync("dist", join(installed, "dist"), { recursive: true });
    cpSync("package.json", join(installed, "package.json"));
    for (const name of ["zod", "date-fns", "fflate", "fzstd", "table", "xz-decompress"]) {
      symlinkSync(resolve("node_modules", name), join(cwd, "node_modules", name));
    }
    writeFileSync(join(cwd, "package.json"), '{ "dependencies": { "nailhouse": "*" } }');
    expect(nailhouse(cwd, "new", "analyzer", "my-cause")).toMatchObject({
      status: 0,
      stdout: "my-cause.ts\nsamples/my-cause/proc/meminfo\nsamples/my-cause/run/my-cause/counters\nmy-cause_test.ts\n",
    });
    expect(nailhouse(cwd, "new", "collector", "my-files").status).toBe(0);
    const { stdout } = nailhouse(cwd, "analyze", "samples/my-cause", "--plugin", "my-cause.ts", "-f", "json");
    expect(JSON.parse(stdout).findings[0]).toMatchObject({ cause: "my-cause", bytes: { low: 2 ** 29 } });
    const tests = ["my-cause_test.ts", "my-files_test.ts"];
    run(cwd, deno, "test", "-A", "--no-check", ...tests);
    // What they say that Deno wants to check them.
    for (const each of tests) {
      expect(readFileSync(join(cwd, each), "utf8")).toMatch(/^\/\/ .*deno test[^]*@types\/node/);
    }
    symlinkSync(resolve("node_modules/@types"), join(cwd, "node_modules/@types"));
    run(cwd, deno, "test", "-A", ...tests);
  });

  it("in a checkout: registered, typed, formatted, and its tests pass", () => {
    const cwd = join(folder, "checkout");
    mkdirSync(cwd);
    const parts = ["src", "analyzers", "collectors", ".ci", "package.json", "deno.json", "tsconfig.json"];
    for (
      const part of [
        ...parts,
        "samples/remedies",
        "test/generated_test.ts",
        "test/collectors_test.ts",
        "test/layers_test.ts",
        "test/_scan.ts",
      ]
    ) {
      cpSync(part, join(cwd, part), { recursive: true });
    }
    symlinkSync(resolve("node_modules"), join(cwd, "node_modules"));
    for (const words of [["analyzer", "my-cause"], ["collector", "my-files"]]) {
      const { status, stderr } = nailhouse(cwd, "new", ...words);
      expect(status, stderr).toBe(0);
    }
    const written = ["analyzers", "collectors", "test"];
    run(cwd, deno, "fmt", "--check", ...written);
    run(cwd, deno, "lint", ...written);
    run(cwd, deno, "check", "--quiet", "analyzers", "collectors");
    run(cwd, "node_modules/.bin/vitest", "run", "--config", ".ci/vitest.config.ts");
    expect(nailhouse(cwd, "new", "analyzer", "my-cause").stderr).toContain(
      "there is a file analyzers/my-cause.ts already",
    );
  });

  it.each([
    [["new"], "needs two words"],
    [["new", "cause", "x"], "analyzer, collector"],
    [["new", "analyzer", "../x"], "NAME is of small letters"],
    [["new", "analyzer", "user-leak"], '"user-leak" is taken by a shipped analyzer'],
  ])("%j is a usage error", (args, message) => {
    const { status, stderr } = nailhouse(folder, ...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
