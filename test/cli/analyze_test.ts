/** The command line on bad input: one clear line, the right exit code, and nothing lost that was good. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { wantsColor } from "../../src/cli/_input.ts";
import { columnsOf } from "../../src/cli/_say.ts";
import { tar, tarEntry } from "../bundle/_archive.ts";

const sample = "samples/friend-push.tgz";
const whole = readFileSync(sample);
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-cli-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function nailhouse(
  args: readonly string[],
  input?: Uint8Array,
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync("node", ["dist/cli.js", ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    ...(input && { input }),
  });
  return { status, stdout, stderr };
}

describe("nailhouse analyze of what cannot be read", () => {
  it.each([
    ["an empty file", () => file("empty", new Uint8Array(0)), "it is empty"],
    ["text", () => file("text", new TextEncoder().encode("hello\n".repeat(200))), "neither a tar archive"],
    ["a short text", () => file("short", new TextEncoder().encode("hello\n")), "neither a tar archive"],
    ["gzip of text", () => file("text.gz", gzipSync("hello\n".repeat(200))), "neither a tar archive"],
    ["a gzip header and no more", () => file("head.gz", whole.subarray(0, 12)), "cut off before its first file"],
    ["a file that is not there", () => join(folder, "absent"), "no such file"],
    [
      "an archive of something else",
      () => file("esxi.tgz", gzipSync(tar(tarEntry("esx-1/var/log/vmkernel.log", "cpu0:2 MemSched: 123\n")))),
      "ask for what `nailhouse collect` or `sos report` writes on the node itself",
    ],
    ["a directory of nothing", () => folder, "no file that a bundle or sosreport has"],
    ["xz", () => file("x.xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0)), "xz"],
  ])("%s: one line, exit 3", (_, path, message) => {
    const { status, stdout, stderr } = nailhouse(["analyze", path()]);
    expect(status, stderr).toBe(3);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(message);
  });

  it("still analyzes the others, and exits with 3", () => {
    const { status, stdout } = nailhouse(["analyze", join(folder, "absent"), sample, "-f", "ndjson"]);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "cause-found" });
  });
});

describe("nailhouse analyze of a bundle that was cut off", () => {
  it.each([0.3, 0.6, 0.9, 0.999])("at %d of its length: analyzed up to there, and says so", (share) => {
    const cut = file(`cut-${share}.tgz`, whole.subarray(0, Math.floor(whole.length * share)));
    const { status, stdout, stderr } = nailhouse(["analyze", cut, "-f", "json"]);
    expect(status, stderr).toBe(0);
    const report = JSON.parse(stdout) as { warnings: string[]; ledger: unknown };
    expect(report.warnings.join("\n")).toMatch(/cut off/);
    expect(report.ledger).not.toBeNull();
  });

  it("in its last snapshot: the answer is the same", () => {
    const { stdout } = nailhouse([
      "analyze",
      file("cut.tgz", whole.subarray(0, Math.floor(whole.length * 0.9))),
      "-f",
      "json",
    ]);
    expect((JSON.parse(stdout) as { findings: { cause: string }[] }).findings[0]?.cause).toBe("socket-backlog-udp");
  });

  it("with a flipped bit: says that it is damaged", () => {
    const damaged = Uint8Array.from(whole);
    damaged[Math.floor(whole.length / 2)] = (damaged[Math.floor(whole.length / 2)] as number) ^ 0x10;
    const { status, stdout } = nailhouse(["analyze", file("damaged.tgz", damaged), "-f", "json"]);
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { warnings: string[] }).warnings.join("\n")).toMatch(/damaged/);
  });
});

describe("nailhouse analyze", () => {
  it("reads standard input, compressed or not", () => {
    const json = nailhouse(["analyze", sample, "-f", "json"]).stdout;
    expect(nailhouse(["analyze", "-", "-f", "json"], whole).stdout).toBe(json);
    expect(nailhouse(["analyze", "-", "-f", "json"], gunzipSync(whole)).stdout).toBe(json);
  });

  it("reads a pipe as it reads a file", () => {
    const args = ["-c", `exec node dist/cli.js analyze <(cat ${sample}) -f json`];
    expect(spawnSync("bash", args, { encoding: "utf8", maxBuffer: 2 ** 28 }).stdout)
      .toBe(nailhouse(["analyze", sample, "-f", "json"]).stdout);
    // What is read twice must be a file.
    const redacted = spawnSync("bash", ["-c", `node dist/cli.js redact <(cat ${sample}) ${join(folder, "r.tgz")}`], {
      encoding: "utf8",
    });
    expect([redacted.status, redacted.stderr]).toEqual([3, expect.stringContaining("save it to a file first")]);
  });

  it("prints all to who reads slowly, and ends quietly when nobody reads on", () => {
    const html = nailhouse(["analyze", sample, sample, "-f", "html"]).stdout;
    // More than a pipe holds.
    expect(html.length).toBeGreaterThan(2 ** 16);
    const shell = (command: string) => spawnSync("bash", ["-c", command], { encoding: "utf8", maxBuffer: 2 ** 28 });
    expect(shell(`node dist/cli.js analyze ${sample} ${sample} -f html | (sleep 1; cat)`).stdout === html).toBe(true);
    const { stdout, stderr } = shell(
      `node dist/cli.js analyze ${sample} ${sample} -f html | head -c 9; echo " ended with \${PIPESTATUS[0]}"`,
    );
    expect([stdout, stderr]).toEqual([`${html.slice(0, 9)} ended with 141\n`, ""]);
  });

  it("reads no socket", async () => {
    const path = join(folder, "socket");
    const server = createServer().listen(path);
    await once(server, "listening");
    expect(nailhouse(["analyze", path])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("neither a file, a pipe nor a directory"),
    });
    server.close();
  });

  it("reads a directory as it reads the archive", () => {
    const into = mkdtempSync(join(folder, "extracted-"));
    spawnSync("tar", ["-xzf", sample, "--strip-components=1", "-C", into]);
    expect(nailhouse(["analyze", into, "-f", "json"]).stdout).toBe(nailhouse(["analyze", sample, "-f", "json"]).stdout);
  });

  it("exits with 1 when a finding reaches --fail-on, else with 0", () => {
    expect(nailhouse(["analyze", sample, "--fail-on", "confirmed"]).status).toBe(1);
    const healthy = mkdtempSync(join(folder, "healthy-"));
    mkdirSync(join(healthy, "proc"));
    writeFileSync(join(healthy, "proc/meminfo"), "MemTotal: 1000000 kB\nMemFree: 990000 kB\nMemAvailable: 990000 kB\n");
    expect(nailhouse(["analyze", healthy, "--fail-on", "possible"]).status).toBe(0);
  });

  it.each([
    [["analyze"], "needs a PATH"],
    [["analyze", sample, "-f", "yaml"], "--format is one of"],
    [["analyze", sample, "--fail-on", "maybe"], "--fail-on is one of"],
    [["analyze", sample, "--nonsense"], "--nonsense"],
    [["analyse"], 'no command "analyse"'],
    [[], "a command is missing"],
    [["/tmp/bundle.tgz"], "perhaps analyze /tmp/bundle.tgz"],
    [["analyze", sample, "-o", "/nowhere/report"], "Cannot write /nowhere/report: ENOENT"],
    [["analyze", "-", "-"], "standard input (-) can be read once"],
    [["compare", "-", "-"], "standard input (-) can be read once"],
    [["compare", sample, sample, "-o", "/nowhere/report"], "Cannot write /nowhere/report: ENOENT"],
  ])("%j is a usage error: exit 2", (args, message) => {
    const { status, stderr, stdout } = nailhouse(args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
  });

  it("writes to a file with -o", () => {
    const path = join(folder, "report.json");
    expect(nailhouse(["analyze", sample, "-f", "json", "-o", path]).stdout).toBe("");
    expect(JSON.parse(readFileSync(path, "utf8"))).toHaveProperty("schemaVersion", 1);
  });

  it.skipIf(process.platform !== "linux")("says that the disk is full (Linux)", () => {
    const lines = ["analyze $0 -o /dev/full", "analyze $0 > /dev/full", "explain > /dev/full", "--help > /dev/full"];
    for (const line of [...lines, "analyze $0 $0 -f ndjson > /dev/full"]) {
      const { status, stderr } = spawnSync("sh", ["-c", `node dist/cli.js ${line}`, sample], { encoding: "utf8" });
      expect(status).toBe(2);
      expect(stderr).toMatch(/^nailhouse: Cannot write .*: ENOSPC: no space left on device, write\n$/);
    }
  });

  it.each(["--help", "--version", "collect --help", "analyze --help", "help analyze"])(
    "%s answers on standard output",
    (args) => {
      const { status, stdout } = nailhouse(args.split(" "));
      expect(status).toBe(0);
      expect(stdout).not.toBe("");
    },
  );
});

describe("a reader that wants no more", () => {
  it.each(["--help", `analyze ${sample} ${sample} ${sample} -f ndjson`])("ends %s without a word", (args) => {
    const line = `{ node dist/cli.js ${args}; echo "ended with $?" >&2; } | true`;
    expect(spawnSync("sh", ["-c", line], { encoding: "utf8" }).stderr).toBe("ended with 141\n");
  });
});

describe("a terminal", () => {
  const { columns, isTTY } = process.stdout;
  afterEach(() => {
    Object.assign(process.stdout, { columns, isTTY });
    vi.unstubAllEnvs();
  });

  it("whose size nobody has set is taken for a usual one", () => {
    for (const [told, used] of [[0, 80], [undefined, 80], [132, 132]]) {
      Object.assign(process.stdout, { columns: told });
      expect(columnsOf(false)).toBe(used);
      expect(columnsOf(true)).toBe(80);
    }
  });

  it.each([["xterm", true], ["dumb", false]])("of the kind %s: colours %s", (term, wants) => {
    Object.assign(process.stdout, { isTTY: true });
    for (const [name, value] of [["TERM", term], ["NO_COLOR", ""], ["FORCE_COLOR", ""]] as const) {
      vi.stubEnv(name, value);
    }
    expect(wantsColor(false)).toBe(wants);
  });
});

describe("nailhouse explain", () => {
  it("lists the causes", () =>
    expect(nailhouse(["explain"]).stdout).toMatch(/^socket-backlog-udp +UDP receive queues/m));

  it("says how a cause comes about, and what it is read from", () => {
    const { stdout } = nailhouse(["explain", "socket-backlog-udp"]);
    expect(stdout).toContain("never reads the replies");
    expect(stdout).toContain("proc/net/udp");
  });

  it("suggests the cause that was meant", () => {
    const { status, stderr } = nailhouse(["explain", "user-leek"]);
    expect(status).toBe(2);
    expect(stderr).toContain('there is no cause "user-leek"; perhaps user-leak\n');
  });
});
