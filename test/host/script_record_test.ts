/** The shell collector as a recorder: the same ring as that of `nailhouse record`. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTar } from "../../src/bundle/tar.ts";
import { fileChunks, nodeGunzip } from "../../src/host/node_input.ts";
import { ringFiles } from "../../src/host/node_ring.ts";
import { mountSilent, silentFsProblem } from "./silent_fs.ts";
import { cli, type Content, contentOf, ended, installedShells, run, start, writeScript } from "./_collectors.ts";

const linux = process.platform === "linux";
const root = process.getuid?.() === 0;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let folder: string;
let script: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nailhouse-script-record-"));
  script = writeScript(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inNewFolder = () => mkdtempSync(join(folder, "run-"));

/** Every complete file in a ring, in the order in which it was written. */
async function contents(ring: string): Promise<string[]> {
  if (!existsSync(ring)) return [];
  const paths: string[] = [];
  for (const file of (await ringFiles(ring)).reverse()) {
    for await (const each of readTar(nodeGunzip(fileChunks(file), () => {}), () => {})) {
      const { truncated } = await each.read(2 ** 20);
      if (!truncated) paths.push(each.path.replace(/^nailhouse-ring\//, ""));
    }
  }
  return paths;
}

/** The times of whole samples. */
async function samples(ring: string): Promise<string[]> {
  return (await contents(ring)).filter((path) => path.endsWith("boot_id")).map((path) => path.split("/")[1] as string);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await condition()); await sleep(50)) {
    if (Date.now() > end) throw new Error("Nothing came in 30 s");
  }
}

const sizeOf = (ring: string) =>
  readdirSync(ring).filter((name) => name.startsWith("ring-")).reduce(
    (sum, name) => sum + statSync(join(ring, name)).size,
    0,
  );

// Waiting is most of it.
describe.skipIf(!linux).concurrent("collect.sh --record", () => {
  it.each(installedShells)(
    "in %s loses no whole sample to kill -9, goes on, and is packed into a bundle as the TypeScript collector does",
    async (_, shell) => {
      const here = inNewFolder();
      const ring = join(here, "ring");
      const args = [script, "--record", ring, "--every", "1"];
      const first = start(here, [...shell, ...args]);
      await until(async () => (await samples(ring)).length >= 2);
      await sleep(Math.random() * 1000);
      const exit = ended(first);
      process.kill(-(first.pid as number), "SIGKILL");
      await exit;
      const before = await samples(ring);

      const second = start(here, [...shell, ...args]);
      await until(async () => (await samples(ring)).length >= before.length + 2);
      const ending = ended(second);
      second.kill("SIGTERM");
      expect(await ending).toBe(0);
      const all = await samples(ring);
      expect(all.slice(0, before.length)).toEqual(before);
      // The lock was given back, and the second recorder wrote nothing behind what the first one left.
      expect(readdirSync(ring).sort().map((name) => name.replace(/\d{8}T\d{6}/, "TIME"))).toEqual([
        "ring-TIMEZ.tar.gz",
        "ring-TIMEZ.tar.gz",
      ]);
      for (const name of readdirSync(ring)) expect(statSync(join(ring, name)).mode & 0o777).toBe(0o600);
      // Of the second, which ended by itself, every byte.
      expect(() => gunzipSync(readFileSync(join(ring, readdirSync(ring).sort()[1] as string)))).not.toThrow();

      // Whichever packs it. What the script looks at in the second of a sample, it does not pack once more.
      await sleep(1000);
      const collectors: [string, ...string[]][] = [[...shell, script], ["node", cli, "collect"]];
      const [mine, other] = collectors.map((line, i) => {
        const packing = ["--only", "memory", "--snapshots", "1", "--quiet", "--history", ring, "-o", `${i}.tgz`];
        expect(run(here, [...line, ...packing])).toMatchObject({ status: 0, stderr: "" });
        return contentOf(join(here, `${i}.tgz`));
      }) as [Content, Content];
      const recorded = ({ paths }: Content) => paths.filter((path) => path.startsWith("history/"));
      expect(recorded(mine)).toEqual(recorded(other));
      for (const path of recorded(mine).filter((path) => /(meminfo|\/udp|slabinfo)$/.test(path))) {
        expect(mine.text(path)).toBe(other.text(path));
      }
      const { stdout } = run(here, ["node", cli, "analyze", "-f", "json", "0.tgz"]);
      const report = JSON.parse(stdout) as { timeline: { time: string }[]; warnings: string[] };
      // The second recorder may have begun in the second in which the first one was killed.
      expect(report.timeline).toHaveLength(new Set(all).size + 1);
    },
  );

  it("records what nailhouse record does", async () => {
    const here = inNewFolder();
    const recorders = [["sh", script, "--record"], ["node", cli, "record", "--dir"]] as const;
    const [mine, other] = await Promise.all(recorders.map(async (line, i) => {
      const ring = join(here, `ring${i}`);
      const child = start(here, [...line, ring, "--every", "60"]);
      await until(async () => (await samples(ring)).length === 1);
      const exit = ended(child);
      child.kill("SIGTERM");
      expect(await exit).toBe(0);
      const paths = (await contents(ring)).map((path) => path.replace(/history\/[^/]+\//, ""));
      expect(paths.filter((path) => /^proc\/\d+\/status$/.test(path)).length).toBeGreaterThan(0);
      // Processes come and go.
      return new Set(paths.filter((path) => path !== "" && !/^proc\/\d+\//.test(path)));
    }));
    expect(mine).toEqual(other);
  });

  it("knows the page size where there is no getconf", async () => {
    const here = inNewFolder();
    const ring = join(here, "ring");
    writeFileSync(join(here, "getconf"), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
    const line = ["env", `PATH=${here}:${process.env["PATH"]}`, "sh", script, "--record", ring] as const;
    const child = start(here, line);
    await until(async () => (await samples(ring)).length === 1);
    const exit = ended(child);
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    const [file] = await ringFiles(ring);
    const manifest = execFileSync("tar", ["-xzOf", file as string, "nailhouse-ring/nailhouse.json"], {
      encoding: "utf8",
    });
    expect(JSON.parse(manifest)).toMatchObject({
      host: { pageSizeBytes: Number(execFileSync("getconf", ["PAGESIZE"])), cpus: cpus().length },
    });
  });

  it("keeps to its size and age, and leaves other files alone", async () => {
    const ring = inNewFolder();
    const old = ["01", "02", "03", "04"].map((day) => join(ring, `ring-202001${day}T000000Z.tar.gz`));
    for (const path of old) writeFileSync(path, new Uint8Array(400_000));
    const long = join(ring, "ring-20200105T000000Z.tar.gz");
    writeFileSync(long, "x");
    utimesSync(long, Date.now() / 1000 - 3 * 86_400, Date.now() / 1000 - 3 * 86_400);
    writeFileSync(join(ring, "notes.txt"), new Uint8Array(2 ** 21));
    symlinkSync(`${process.pid} 1 00000000-0000-0000-0000-000000000000`, join(ring, "lock"));
    const child = start(ring, ["sh", script, "--record", ring, "--every", "1", "--max-size", "1", "--keep", "2"]);
    const written = () => readdirSync(ring).filter((name) => /^ring-(?!2020)/.test(name));
    await until(() => written().length === 1 && statSync(join(ring, String(written()[0]))).size > 0);
    expect(sizeOf(ring)).toBeLessThanOrEqual(2 ** 20);
    const exit = ended(child);
    child.kill("SIGTERM");
    await exit;
    expect(old.map((path) => existsSync(path))).toEqual([false, false, true, true]);
    expect(existsSync(long)).toBe(false);
    expect(statSync(join(ring, "notes.txt")).size).toBe(2 ** 21);
  });

  it("is one recorder a folder, whichever of the two it is", async () => {
    const here = inNewFolder();
    const ring = join(here, "ring");
    const child = start(here, ["sh", script, "--record", ring]);
    await until(async () => (await samples(ring)).length === 1);
    const others: [string, ...string[]][] = [["sh", script, "--record", ring], ["node", cli, "record", "--dir", ring]];
    for (const line of others) {
      const { status, stderr } = run(here, line);
      expect(status).toBe(3);
      expect(stderr).toContain(`Cannot record into ${ring}: process ${child.pid} does already`);
    }
    expect(readlinkSync(join(ring, "lock"))).toMatch(new RegExp(`^${child.pid} `));
    const exit = ended(child);
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  it("says that it cannot write, or what is wrong with its options", () => {
    const here = inNewFolder();
    writeFileSync(join(here, "file"), "");
    expect(run(here, ["sh", script, "--record", "file"]).status).toBe(2);
    const { status, stderr } = run(here, ["sh", script, "--record", "ring", "--every", "0.5"]);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'nailhouse: --every is a whole number above 0, not "0.5" (see --help)\n',
    });
  });

  it.skipIf(!root)(
    "on a full disk gives up its oldest samples, and goes on when there is room (root only)",
    async () => {
      const here = inNewFolder();
      const ring = join(here, "ring");
      mkdirSync(ring);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "none", ring]);
      try {
        writeFileSync(join(ring, "ring-20260101T000000Z.tar.gz"), new Uint8Array(100_000));
        writeFileSync(join(ring, "others"), new Uint8Array(2 ** 21 - 100_000 - 3 * 4096));
        const child = start(here, ["sh", script, "--record", ring, "--every", "1"]);
        let said = "";
        child.stderr?.on("data", (text) => said += text);
        await until(async () => (await samples(ring)).length >= 2);
        expect(said).toMatch(/^nailhouse: Cannot keep a sample in .*: .*[Nn]o space left on device/);
        expect(said.trim().split("\n")).toHaveLength(1);
        expect(existsSync(join(ring, "ring-20260101T000000Z.tar.gz"))).toBe(false);
        const exit = ended(child);
        child.kill("SIGTERM");
        expect(await exit).toBe(0);
        // Nothing of the sample that did not fit is left.
        for (const file of await ringFiles(ring)) expect(() => gunzipSync(readFileSync(file))).not.toThrow();
      } finally {
        execFileSync("umount", [ring]);
      }
    },
  );

  const silent = silentFsProblem();
  // Each minute a few more would be left in the kernel.
  it.skipIf(silent !== undefined).each([["sh", "--record"], ["node", "--dir"]] as const)(
    `in %s leaves one reader for a file that never answers, not one a sample${
      silent === undefined ? "" : `: ${silent}`
    }`,
    async (program, option) => {
      const here = inNewFolder();
      const below = join(here, "root/proc");
      mkdirSync(join(below, "sys/kernel/random"), { recursive: true });
      mkdirSync(join(below, "pressure"));
      writeFileSync(join(below, "meminfo"), "MemTotal: 1 kB\n");
      writeFileSync(join(below, "sys/kernel/random/boot_id"), "boot\n");
      const mounted = await mountSilent(join(below, "pressure"));
      const ring = join(here, "ring");
      const line: [string, ...string[]] = program === "sh" ? ["sh", script] : ["node", cli, "record"];
      const child = start(here, [...line, option, ring, "--root", "root", "--every", "1"]);
      const readers = () =>
        readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
          const { stdout } = run("/", ["cat", `/proc/${pid}/cmdline`]);
          return stdout.startsWith("cat\0") && stdout.includes(`${here}/root`);
        }).length;
      try {
        await until(async () => (await samples(ring)).length >= 1);
        const left = readers();
        const taken = (await samples(ring)).length;
        await until(async () => (await samples(ring)).length >= taken + 3);
        expect(readers()).toBeLessThanOrEqual(left);
        expect((await contents(ring)).filter((path) => path.endsWith("proc/meminfo")).length).toBeGreaterThan(3);
      } finally {
        process.kill(-(child.pid as number), "SIGKILL");
        await mounted.end();
      }
    },
  );

  it("of a large table of sockets keeps those that hold something, and those that did a moment ago", async () => {
    const here = inNewFolder();
    const net = join(here, "root/proc/1/net");
    mkdirSync(net, { recursive: true });
    mkdirSync(join(here, "root/proc/sys/kernel/random"), { recursive: true });
    const row = (inode: number, queued: string) =>
      `${inode}: 00000000:0001 00000000:0000 07 00000000:${queued} 00:00000000 00000000     0        0 ${inode} 2 0 0`
        .padEnd(127) + "\n";
    const table = (queued: readonly number[]) =>
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
      Array.from({ length: 3000 }, (_, i) => row(i + 1, queued.includes(i + 1) ? "00000400" : "00000000")).join("");
    writeFileSync(join(here, "root/proc/sys/kernel/random/boot_id"), "boot\n");
    writeFileSync(join(net, "dev"), "");
    writeFileSync(join(net, "udp"), table([2000, 2500]));
    const ring = join(here, "ring");
    const child = start(here, ["sh", script, "--record", ring, "--root", join(here, "root"), "--every", "1"]);
    await until(async () => (await samples(ring)).length >= 1);
    writeFileSync(join(net, "udp"), table([2500]));
    const before = (await samples(ring)).length;
    await until(async () => (await samples(ring)).length >= before + 3);
    const exit = ended(child);
    child.kill("SIGTERM");
    await exit;
    const kept: string[] = [];
    for (const file of (await ringFiles(ring)).reverse()) {
      for await (const each of readTar(nodeGunzip(fileChunks(file), () => {}), () => {})) {
        if (!each.path.endsWith("/udp")) continue;
        const text = new TextDecoder().decode((await each.read(2 ** 20)).bytes);
        kept.push(
          [...text.matchAll(/ 0 (\d+) 2 0 0/g)].map(([, inode]) => Number(inode)).filter((i) => i > 1100).join(),
        );
      }
    }
    // Full, empty once more, gone.
    expect(kept[0]).toBe("2000,2500");
    expect(kept.filter((each, i) => each !== kept[i - 1])).toEqual(["2000,2500", "2500"]);
    const emptied = kept.lastIndexOf("2000,2500");
    expect(emptied).toBeGreaterThan(0);
  });
});
