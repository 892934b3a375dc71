/** `npm run executable`: the command line as one file, for a host that has neither Node nor a network. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nailhouse-executable-"));
const samples = ["friend-push.tgz", "user-leak.tgz", "friend-push.sos.tar.gz"].map((name) => `${root}/samples/${name}`);

function run(program: string, ...args: string[]): { status: number | null; stdout: string } {
  // Nothing of the checkout, and no program, can be found.
  return spawnSync(program, args, { cwd: folder, env: {}, encoding: "utf8", maxBuffer: 2 ** 26, timeout: 60_000 });
}

describe("the executable", () => {
  beforeAll(() => {
    const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
    // The build is there already, and others are using it.
    const command = scripts.executable.replace("npm run build && ", "");
    const { status, stderr } = spawnSync("sh", ["-c", command], { cwd: root, encoding: "utf8" });
    expect(status, stderr).toBe(0);
    copyFileSync(`${root}/out/nailhouse`, join(folder, "nailhouse"));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it("prints the bytes that Node prints, of several bundles at once, too", () => {
    const args = ["analyze", ...samples, "-f", "json"];
    const { status, stdout } = run(join(folder, "nailhouse"), ...args);
    expect(status).toBe(0);
    expect(stdout).toBe(run(process.execPath, `${root}/dist/cli.js`, ...args).stdout);
  });

  it.skipIf(process.platform !== "linux")("collects (Linux)", () => {
    // Sockets are what a program lists.
    const args = ["collect", "-o", "b.tgz", "--snapshots", "1", "--only", "memory,sockets"];
    expect(run(join(folder, "nailhouse"), ...args).status).toBe(0);
    expect(readdirSync(folder)).toEqual(["b.tgz", "nailhouse"]);
    const { status, stdout } = run(join(folder, "nailhouse"), "analyze", "b.tgz", "-f", "json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout).ledger.totalBytes).toBeGreaterThan(0);
  });
});
