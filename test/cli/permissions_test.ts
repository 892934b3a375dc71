/** What --help says that a command needs of Deno is enough, and none of it is too much. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const deno = resolve("node_modules/.bin/deno");
const cli = resolve("src/cli/main.ts");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nailhouse-permissions-"));
  mkdirSync(join(folder, "bundle/proc"), { recursive: true });
  writeFileSync(join(folder, "bundle/proc/meminfo"), "MemTotal: 1000 kB\nMemFree: 900 kB\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(permissions: readonly string[], args: readonly string[], cwd: string = folder) {
  const config = ["--config", resolve("deno.json"), "--no-prompt"];
  const { status, stdout, stderr } = spawnSync(deno, ["run", ...config, ...permissions, cli, ...args], {
    cwd,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** The permissions at the start of the line, which are those without any option. */
function stated(command: string): string[] {
  const { stdout } = run([], [command, "--help"]);
  const [, line = ""] = /^With Deno: (.*)$/m.exec(stdout) ?? [];
  expect(line).not.toBe("");
  return /^(?:-\S+(?: |$))*/.exec(line.replace(/[;,.](?: .*)?$/, ""))?.[0].trim().split(" ").filter((each) =>
    each !== ""
  ) ?? [];
}

const cases: [command: string, args: string[], expected: string[]][] = [
  ["analyze", ["bundle"], ["--allow-read"]],
  ["compare", ["bundle", "bundle"], ["--allow-read"]],
  ["redact", ["bundle", "redacted.tgz"], ["--allow-read", "--allow-write"]],
  ["explain", ["user-leak"], ["--allow-read"]],
  ["completion", ["bash"], []],
  ["new", ["analyzer", "my-cause"], ["--allow-read", "--allow-write"]],
  ["collect", ["--snapshots", "1", "--only", "host", "-o", "collected.tgz"], ["-A"]],
];

describe("nailhouse with Deno", () => {
  it.each(cases)("%s runs with what it states, and with nothing less", (command, args, expected) => {
    const permissions = stated(command);
    expect(permissions).toEqual(expected);
    for (const each of permissions) {
      const { status, stderr } = run(permissions.filter((other) => other !== each), [command, ...args]);
      expect(stderr).toMatch(/^nailhouse: .*Requires \w+ access to/m);
      expect(status).toBe(3);
    }
    expect(run(permissions, [command, ...args])).toMatchObject({ status: 0 });
  });

  it("record states that it needs all", () => expect(stated("record")).toEqual(["-A"]));

  it("writes its script with --allow-read", () =>
    expect(run(["--allow-read"], ["collect", "--emit-script"])).toMatchObject({ status: 0 }));

  it("writes with -o where it may write", () => {
    const read = stated("analyze");
    const report = join(folder, "r.html");
    const args = ["analyze", "bundle", "-f", "html", "-o", report];
    expect(run(read, args).stderr).toContain("Requires write access");
    expect(run([...read, `--allow-write=${report}`], args)).toMatchObject({ status: 0 });
  });

  it("loads nailhouse.config.ts where it may ask who the user is", () => {
    const cwd = join(folder, "configured");
    mkdirSync(cwd);
    copyFileSync("samples/plugin/cached.ts", join(cwd, "nailhouse.config.ts"));
    const args = ["explain", "cached-over-limit"];
    expect(run(["--allow-read"], args, cwd).stderr).toContain("Requires sys access");
    expect(run(["--allow-read", "--allow-sys=uid"], args, cwd)).toMatchObject({ status: 0 });
  });
});
