/** `nailhouse redact` and `nailhouse collect --redact`: what is written where, for whom, and what is refused. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const sample = "samples/friend-push.tgz";
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-redact-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function nailhouse(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync("node", ["dist/cli.js", ...args], { encoding: "utf8", maxBuffer: 2 ** 28 });
}

describe("nailhouse redact", () => {
  it("writes a bundle for others and a mapping for its owner, and leaves IN alone", () => {
    const before = readFileSync(sample);
    const out = join(folder, "r.tgz");
    writeFileSync(out, "", { mode: 0o644 });
    const { status, stdout, stderr } = nailhouse("redact", sample, out);
    expect(status, stderr).toBe(0);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    for (const path of [out, `${out}.map.json`]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(`${out}.map.json`, "utf8"))).toMatchObject({ host: { vm: "host-1" } });
    expect(readFileSync(sample).equals(before)).toBe(true);
    const { findings } = JSON.parse(nailhouse("analyze", out, "-f", "json").stdout);
    expect(findings[0]).toMatchObject({ cause: "socket-backlog-udp", confidence: "confirmed" });
  });

  it.each([
    ["one path", () => ["redact", sample], 2, "IN and OUT"],
    ["standard input", () => ["redact", "-", join(folder, "x")], 2, "IN twice"],
    ["OUT that is IN", () => ["redact", sample, sample], 2, "overwrite IN"],
    [
      "OUT that is a link to IN",
      () => {
        const link = join(folder, "link");
        symlinkSync(join(process.cwd(), sample), link);
        return ["redact", sample, link];
      },
      2,
      "overwrite IN",
    ],
    ["no IN", () => ["redact", join(folder, "absent"), join(folder, "x")], 3, "no such file"],
    ["IN that is no bundle", () => ["redact", "package.json", join(folder, "x")], 3, "neither a tar archive"],
    [
      "IN that has nothing analysis reads",
      () => {
        const folder = mkdtempSync(join(tmpdir(), "nailhouse-redact-"));
        writeFileSync(join(folder, "notes.txt"), "nothing\n");
        spawnSync("tar", ["-czf", join(folder, "in.tgz"), "-C", folder, "notes.txt"]);
        return ["redact", join(folder, "in.tgz"), join(folder, "x")];
      },
      3,
      "no file that analysis reads",
    ],
    ["OUT in no directory", () => ["redact", sample, join(folder, "no/x")], 2, "no such file"],
    ["OUT that cannot be looked at", () => ["redact", sample, join(folder, "x".repeat(300))], 2, "Cannot write"],
    ["collecting to standard output", () => ["collect", "--redact", "-o", "-"], 2, "second file"],
  ])("refuses %s", (_, args, exit, message) => {
    const size = statSync(sample).size;
    const { status, stderr } = nailhouse(...args());
    expect(status, stderr).toBe(exit);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(statSync(sample).size).toBe(size);
    expect(readdirSync(folder)).not.toContain("x");
  });
});

describe.skipIf(process.platform !== "linux")("nailhouse collect --redact (Linux)", () => {
  it("writes no name and address of this host", () => {
    const out = join(folder, "here.tgz");
    const { status, stderr } = nailhouse("collect", "--redact", "--snapshots", "1", "--skip", "page-flags", "-o", out);
    expect(status, stderr).toBe(0);
    const text = gunzipSync(readFileSync(out)).toString("latin1");
    const interfaces = Object.values(networkInterfaces()).flatMap((each) => each ?? []).filter((each) =>
      !each.internal
    );
    for (const { address, family, mac } of interfaces) {
      expect(text).not.toContain(mac);
      const hex = family === "IPv4"
        ? address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"))
        : undefined;
      expect(text).not.toMatch(new RegExp(`(?<![\\d.])${address.replaceAll(".", "\\.")}(?![\\d.])`));
      if (hex !== undefined) expect(text).not.toContain(`${hex.reverse().join("").toUpperCase()}:`);
    }
    expect(text).not.toMatch(new RegExp(`Linux ${hostname()} |"hostname": "${hostname()}"|nailhouse-${hostname()}-`));
    expect(text).toContain("nailhouse-host-1-");
    expect(statSync(`${out}.map.json`).mode & 0o777).toBe(0o600);
    expect(nailhouse("analyze", out).status).toBe(0);
  });
});
