/** Several bundles at once, with the built command line. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const samples = ["samples/friend-push.tgz", "samples/busy.tgz", "samples/friend-push.sos.tar.gz"];
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-fleet-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) =>
  spawnSync("node", ["dist/cli.js", "analyze", ...args], { encoding: "utf8", maxBuffer: 2 ** 28 });

describe("nailhouse analyze of several bundles", () => {
  it("gives the same reports as one by one, in the order in which they were named", () => {
    const lines = run(...samples, "-f", "ndjson").stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines.map(({ path }) => path)).toEqual(samples);
    for (const { path, ...report } of lines) expect(report).toEqual(JSON.parse(run(path, "-f", "json").stdout));
  });

  it("sums them up, and one that is bad costs only itself", () => {
    const bad = join(folder, "bad.tgz");
    writeFileSync(bad, "this is no archive\n".repeat(100));
    const { status, stdout, stderr } = run(bad, ...samples);
    expect(status).toBe(3);
    expect(stderr.trim().split("\n")).toEqual([expect.stringContaining(`${bad}: Cannot read the bundle`)]);
    expect(stdout).toMatch(/^A cause in 2 of 3 bundles, most often socket-backlog-udp \(2\)/);
    const { summary, reports } = JSON.parse(run(bad, ...samples, "-f", "json").stdout);
    expect(reports.map(({ path }: { path: string }) => path)).toEqual(samples);
    expect(summary.unreadable[0].path).toBe(bad);
    expect(run(...samples, "--fail-on", "likely").status).toBe(1);
  });

  it("makes one page of them, with each one's report, and a summary for a ticket", () => {
    const page = run(...samples, "-f", "html").stdout;
    expect(page.match(/<article id="\d-report">/g)).toHaveLength(3);
    expect(page.indexOf("samples/friend-push")).toBeLessThan(page.indexOf("samples/busy.tgz"));
    const short = run(...samples, "-f", "markdown").stdout;
    expect(short).toMatch(/^## A cause in 2 of 3 bundles/);
    expect(short.length).toBeLessThan(3000);
    expect(run(...samples, "-f", "markdown", "--all").stdout.startsWith(`${short}\n---\n`)).toBe(true);
  });

  it.skipIf(!existsSync("/usr/bin/time"))("stays below 600 MB with 200 of them (needs Debian's time)", () => {
    const paths = Array.from({ length: 200 }, (_, i) => samples[i % samples.length] as string);
    const words = ["-f", "%M", process.execPath, "dist/cli.js", "analyze", ...paths, "-f", "ndjson"];
    const { stderr, stdout } = spawnSync("/usr/bin/time", words, { encoding: "utf8", maxBuffer: 2 ** 29 });
    expect(stdout.trimEnd().split("\n")).toHaveLength(200);
    expect(Number(stderr.trim().split("\n").at(-1)) * 1024).toBeLessThan(600 * 2 ** 20);
  });

  it("does so on Deno, too", () => {
    const deno = (...args: string[]) =>
      execFileSync("node_modules/.bin/deno", ["run", "-A", "src/cli/main.ts", "analyze", ...args], {
        encoding: "utf8",
      });
    expect(deno(...samples, "-f", "markdown")).toBe(run(...samples, "-f", "markdown").stdout);
  });
});
