/** Collects this machine, as it is. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collectors } from "../../collectors/mod.ts";
import { parseStatus } from "../../src/bundle/manifest.ts";
import { collect, type CollectOptions, memorySink } from "../../src/engine/collect.ts";
import { nodeHost } from "../../src/host/node.ts";
import { mountSilent, silentFsProblem } from "./silent_fs.ts";

const root = process.getuid?.() === 0;
const utf8 = new TextDecoder();

async function here(options: CollectOptions) {
  const sink = memorySink();
  const host = await nodeHost();
  const status = await collect(host, collectors, sink, { snapshots: 1, ...options });
  const text = (path: string) => utf8.decode(sink.files.get(path));
  return { paths: [...sink.files.keys()], status, text, files: sink.files, host };
}

function problemsOf(status: { collectors: readonly { problems: readonly { path: string; reason: string }[] }[] }) {
  return status.collectors.flatMap((each) => each.problems);
}

describe.skipIf(process.platform !== "linux")("collect() on this machine", () => {
  it("captures what every kernel has, and names what it could not", async () => {
    const { paths, status } = await here({});
    expect(paths).toEqual(expect.arrayContaining([
      "proc/meminfo",
      "proc/vmstat",
      "proc/zoneinfo",
      "proc/buddyinfo",
      "proc/swaps",
      "proc/net/udp",
      "proc/net/tcp",
      "proc/net/sockstat",
      "proc/net/snmp",
      "proc/self/status".replace("self", String(process.pid)),
      `proc/${process.pid}/cmdline`,
      `proc/${process.pid}/smaps_rollup`,
      `proc/${process.pid}/oom_score_adj`,
      "proc/sys/vm/overcommit_memory",
      "proc/sys/net/ipv4/udp_mem",
      "sos_commands/process/socket_owners",
      "sos_commands/kernel/uname_-a",
    ]));
    expect(new Set(paths).size).toBe(paths.length);
    expect(status.collectors.map((each) => each.id).sort()).toEqual(collectors.map((each) => each.id).sort());
    // A command line of some other process may be long.
    const allowed = root
      ? /permission denied$|cmdline: longer than its limit/
      : /not root|cmdline: longer than its limit/;
    for (const { path, reason } of problemsOf(status)) expect(`${path}: ${reason}`).toMatch(allowed);
  });

  it("tells processes apart from those that end while they are read", async () => {
    const children = Array.from({ length: 50 }, (_, i) => spawn("sleep", [String(0.02 * i)]));
    const { status } = await here({ only: ["processes"] });
    for (const child of children) child.kill();
    for (const { reason } of problemsOf(status)) expect(reason).toMatch(/permission denied|longer than its limit/);
  });

  const ip = spawnSync("ip", ["netns"]).status === 0;
  it.skipIf(!root || !ip)("captures a network namespace without a process (root and ip only)", async () => {
    const name = `nailhouse-test-${process.pid}`;
    execFileSync("ip", ["netns", "add", name]);
    try {
      const server = "require('dgram').createSocket('udp4').bind(4711, () => console.log('bound'))";
      const child = spawn("ip", ["netns", "exec", name, "node", "-e", server]);
      await new Promise((resolve) => child.stdout.once("data", resolve));
      const folder = `sos_commands/networking/namespaces/${name}`;
      const occupied = await here({ only: ["sockets"] });
      expect(occupied.text(`${folder}/proc/net/udp`)).toContain(":1267 ");
      expect(occupied.text(`${folder}/ss_-peaonmi`)).toContain(":4711");
      expect(occupied.text("proc/net/udp")).not.toContain(":1267 ");
      child.kill();
      await new Promise((resolve) => child.once("close", resolve));
      const empty = await here({ only: ["sockets"], snapshots: 2, intervalSeconds: 0.1 });
      expect(empty.text(`${folder}/proc/net/sockstat`)).toContain("sockets: used");
      expect(empty.text(`${folder}/proc/net/udp`)).not.toContain(":1267 ");
      expect(empty.paths.filter((path) => path.startsWith("history/") && path.endsWith(`${name}/proc/net/udp`)))
        .toHaveLength(1);
      expect(problemsOf(empty.status)).toEqual([]);
    } finally {
      execFileSync("ip", ["netns", "delete", name]);
    }
  });

  it.skipIf(!root)("finds the owner of a socket that nobody reads (root only)", async () => {
    const script = `
      const dgram = require("dgram");
      const net = require("child_process").spawn("true");
      const deaf = dgram.createSocket("udp4");
      deaf.bind(0, "127.0.0.1", () => {
        const sender = dgram.createSocket("udp4");
        for (let i = 0; i < 50; i++) sender.send(Buffer.alloc(1000), deaf.address().port, "127.0.0.1");
        setTimeout(() => { console.log(deaf.address().port); process.kill(process.pid, "SIGSTOP"); }, 0);
      });`;
    const child = spawn("node", ["-e", script]);
    try {
      const port: number = await new Promise((resolve) => child.stdout.once("data", (data) => resolve(Number(data))));
      const { text } = await here({ only: ["sockets"] });
      const hex = port.toString(16).toUpperCase().padStart(4, "0");
      const line = text("proc/net/udp").split("\n").find((each) => each.includes(`0100007F:${hex} `))?.trim().split(
        /\s+/,
      );
      expect(line?.[4]).not.toMatch(/:00000000$/);
      expect(text("sos_commands/process/socket_owners")).toMatch(
        new RegExp(`^/proc/${child.pid}/fd/\\d+ -> socket:\\[${line?.[9]}\\]$`, "m"),
      );
    } finally {
      child.kill("SIGKILL");
    }
  });
});

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

describe.skipIf(process.platform !== "linux" || !existsSync(cli))("nailhouse collect (of dist: npm run build)", () => {
  let folder: string;
  const run = (args: readonly string[], options: { readonly uid?: number } = {}) =>
    spawnSync("node", [cli, "collect", ...args], { cwd: folder, encoding: "utf8", ...options });
  const list = (bundle: string) =>
    execFileSync("tar", ["-tzf", join(folder, bundle)], { encoding: "utf8" }).trim().split("\n");
  const statusOf = (bundle: string) =>
    parseStatus(
      execFileSync("tar", ["-xzOf", join(folder, bundle), "--wildcards", "*/nailhouse-status.json"], {
        encoding: "utf8",
      }),
    );

  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-cli-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("writes a private bundle of one root directory, and says what to do next", () => {
    const { status, stdout, stderr } = run(["--snapshots", "2", "--interval", "0.2", "--skip", "page-flags"]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    const [bundle] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
    expect(stderr).toMatch(/^snapshot 1 of 2: .*\nsnapshot 2 of 2: .*\nnailhouse-.*\.tgz: .* MiB, 2 snapshots/);
    expect(stderr).toContain(`next: nailhouse analyze ${bundle}\n`);
    const paths = list(bundle as string);
    const directory = bundle?.replace(".tgz", "");
    expect(paths[0]).toBe(`${directory}/nailhouse.json`);
    expect(paths.at(-1)).toBe(`${directory}/nailhouse-status.json`);
    expect(paths.every((path) => path.startsWith(`${directory}/`))).toBe(true);
    expect(statSync(join(folder, bundle as string)).mode & 0o777).toBe(0o600);
  });

  it("takes the output's rights away from others when it overwrites a file", () => {
    writeFileSync(join(folder, "old.tgz"), "x", { mode: 0o644 });
    expect(run(["--only", "kernel-log", "--snapshots", "1", "--quiet", "-o", "old.tgz"])).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(statSync(join(folder, "old.tgz")).mode & 0o777).toBe(0o600);
  });

  it("writes to standard output", () => {
    const { stdout, stderr } = spawnSync("sh", [
      "-c",
      `node ${cli} collect --snapshots 1 --only memory -o - | tar -tzf -`,
    ], {
      encoding: "utf8",
    });
    expect(stdout).toContain("/proc/meminfo\n");
    expect(stderr).toContain("the bundle is on standard output: ");
  });

  it.each<[string, string[], string]>([
    ["an unknown collector", ["--only", "memroy"], 'there is no collector "memroy"; there are '],
    ["a number that is none", ["--snapshots", "1.5"], '--snapshots is a whole number above 0, not "1.5"'],
    ["no collector left", ["--only", "memory", "--skip", "memory"], "leave no collector"],
    ["an unknown option", ["--nonsense"], "--nonsense"],
    ["a root that is none", ["--root", "/nonexistent"], "--root is a directory"],
  ])("refuses %s", (_, args, message) => {
    const { status, stderr } = run(args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it.each([["/dev/full", "ENOSPC"], ["/nonexistent/b.tgz", "ENOENT"]])(
    "says in one line that %s cannot be written",
    (output, code) => {
      const { status, stderr } = run(["--quiet", "--snapshots", "1", "-o", output]);
      // 1 would say that something was found.
      expect(status).toBe(2);
      expect(stderr).toMatch(new RegExp(`^nailhouse: Cannot write the bundle ${output}: ${code}.*\\n$`));
    },
  );

  it.skipIf(!root)("captures what an ordinary user may, and names the rest", () => {
    const own = mkdtempSync(join(tmpdir(), "nailhouse-user-"));
    execFileSync("chown", ["65534", own]);
    const readable = join(own, "cli.mjs");
    writeFileSync(readable, readFileSync(cli));
    const { status, stderr } = spawnSync("node", [readable, "collect", "--snapshots", "1", "-o", "b.tgz"], {
      cwd: own,
      uid: 65534,
      gid: 65534,
      encoding: "utf8",
    });
    expect(stderr).toMatch(/\d+ not captured \(not root\)/);
    expect(status).toBe(0);
    execFileSync("cp", [join(own, "b.tgz"), join(folder, "user.tgz")]);
    rmSync(own, { recursive: true });
    expect(list("user.tgz").some((path) => path.endsWith("/proc/meminfo"))).toBe(true);
    expect(problemsOf(statusOf("user.tgz"))).toContainEqual({
      path: "proc/slabinfo",
      reason: "permission denied: not root",
    });
  });

  it("ends with a complete bundle when it is interrupted", async () => {
    const args = [cli, "collect", "--only", "memory", "--interval", "60", "-o", "interrupted.tgz"];
    const child = spawn("node", args, { cwd: folder });
    await new Promise((resolve) => child.stderr.once("data", resolve));
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(130);
    expect(statusOf("interrupted.tgz")).toMatchObject({ stopped: "interrupted", snapshots: { length: 1 } });
  });

  it("leaves a bundle of everything so far when it is killed", async () => {
    const args = [cli, "collect", "--only", "memory,sockets", "--interval", "60", "-o", "killed.tgz"];
    const child = spawn("node", args, { cwd: folder });
    await new Promise((resolve) => child.stderr.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const paths = execFileSync("sh", ["-c", "gzip -dc killed.tgz 2>/dev/null | tar -tf - 2>/dev/null; true"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(paths).toContain("/proc/meminfo\n");
    expect(paths).toContain("/socket_owners\n");
  });

  const silent = silentFsProblem();
  it.skipIf(silent !== undefined)(
    `ends in time on a disk that never answers${silent === undefined ? "" : `: ${silent}`}`,
    async () => {
      const below = join(folder, "below");
      mkdirSync(join(below, "etc"), { recursive: true });
      mkdirSync(join(below, "var/log/sa"), { recursive: true });
      const mounted = [await mountSilent(join(below, "etc")), await mountSilent(join(below, "var/log/sa"))];
      try {
        const args = [
          "--root",
          below,
          "--only",
          "host,history",
          "--snapshots",
          "1",
          "--timeout",
          "20",
          "-o",
          "silent.tgz",
        ];
        const start = Date.now();
        expect(run(args).status).toBe(0);
        expect(Date.now() - start).toBeLessThan(40_000);
      } finally {
        for (const each of mounted) await each.end();
      }
      const status = statusOf("silent.tgz");
      expect(problemsOf(status)).toContainEqual({ path: "etc/os-release", reason: "did not answer in time" });
      expect(list("silent.tgz").some((path) => path.endsWith("/uname_-a"))).toBe(true);
    },
  );
});
