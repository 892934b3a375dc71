import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readTar } from "../../src/bundle/tar.ts";
import { tarHeader } from "../../src/bundle/tar_write.ts";
import { HostError } from "../../src/core/errors.ts";
import { fileChunks, nodeGunzip } from "../../src/host/node_input.ts";
import { openRing, type Ring, ringFiles, type RingOptions } from "../../src/host/node_ring.ts";
import { mountSilent, silentFsProblem } from "./silent_fs.ts";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const HOUR = 3_600_000;

/** One file as tar has it, of bytes that do not compress. */
function entry(path: string, size: number): Uint8Array {
  const content = new Uint8Array(Math.ceil(size / 512) * 512);
  crypto.getRandomValues(content.subarray(0, Math.min(size, 65_536)));
  return Uint8Array.from([...tarHeader(`ring/${path}`, size, 0), ...content.subarray(0, Math.ceil(size / 512) * 512)]);
}

/** Every complete file in a ring, in the order in which it was written. */
async function contents(dir: string): Promise<string[]> {
  const paths: string[] = [];
  for (const file of (await ringFiles(dir)).reverse()) {
    for await (const each of readTar(nodeGunzip(fileChunks(file), () => {}), () => {})) {
      const { truncated } = await each.read(2 ** 20);
      if (!truncated) paths.push(each.path.replace(/^[^/]+\//, ""));
    }
  }
  return paths;
}

function bytesOf(dir: string): number {
  return fs.readdirSync(dir).reduce((sum, name) => sum + fs.lstatSync(join(dir, name)).size, 0);
}

describe.skipIf(process.platform !== "linux")("openRing()", () => {
  let dir: string;
  let now: number;
  const open = (options: Partial<RingOptions> = {}) =>
    openRing(join(dir, "ring"), {
      maxBytes: 2 ** 20,
      keepMs: 24 * HOUR,
      now: () => now,
      head: () => Promise.resolve([entry("head", 10)]),
      ...options,
    });
  const ring = () => join(dir, "ring");
  const put = async (into: Ring, path: string, size = 1000) => {
    await into.write(entry(path, size));
    await into.flush();
  };

  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), "nailhouse-ring-"));
    now = Date.UTC(2026, 10, 23, 6, 1, 2);
  });
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  it("begins a file an hour, each with its head, for nobody else to read", async () => {
    const into = await open();
    await put(into, "a");
    await put(into, "b");
    now += HOUR;
    await put(into, "c");
    await into.close();
    expect(await contents(ring())).toEqual(["head", "a", "b", "head", "c"]);
    const names = fs.readdirSync(ring());
    expect(names).toEqual(["ring-20261123T060102Z.tar.gz", "ring-20261123T070102Z.tar.gz"]);
    for (const name of names) expect(fs.statSync(join(ring(), name)).mode & 0o777).toBe(0o600);
  });

  it("says at once that no folder can be made in /proc", () =>
    expect(openRing("/proc/a/b", { maxBytes: 2 ** 20, keepMs: HOUR, now: () => now, head: () => Promise.resolve([]) }))
      .rejects.toMatchObject({ code: "ENOENT" }));

  it("makes the folders above, too, for nobody else to read", async () => {
    await (await openRing(join(dir, "a/b"), {
      maxBytes: 2 ** 20,
      keepMs: HOUR,
      now: () => now,
      head: () => Promise.resolve([]),
    }))
      .close();
    expect(["a", "a/b"].map((name) => fs.statSync(join(dir, name)).mode & 0o777)).toEqual([0o700, 0o700]);
  });

  it("never exceeds its limit, and loses the oldest first", async () => {
    const maxBytes = 40_000;
    const into = await open({ maxBytes });
    for (let i = 0; i < 60; i++, now += 1000) {
      await put(into, `${i}`);
      expect(bytesOf(ring())).toBeLessThanOrEqual(maxBytes + 64);
    }
    const kept = (await contents(ring())).filter((path) => path !== "head").map(Number);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 60 - kept.length + i));
    await into.close();
  });

  it("deletes what is older than it is to keep", async () => {
    const into = await open({ keepMs: 2 * HOUR });
    for (let i = 0; i < 6; i++, now += HOUR) await put(into, `${i}`);
    expect((await contents(ring())).filter((path) => path !== "head")).toEqual(["2", "3", "4", "5"]);
    await into.close();
  });

  it("belongs to one recorder, until that one closes it or is dead", async () => {
    const first = await open();
    await expect(open()).rejects.toThrow(HostError);
    await first.close();
    const second = await open();
    await second.close();
    fs.symlinkSync(`${process.pid} 1 00000000-0000-0000-0000-000000000000`, join(ring(), "lock"));
    await (await open()).close();
  });

  it("never writes behind what a crash cut off", async () => {
    const first = await open();
    await put(first, "a");
    await put(first, "b", 20_000);
    await first.close();
    const [file] = await ringFiles(ring());
    fs.truncateSync(file as string, fs.statSync(file as string).size - 5000);
    const second = await open();
    await put(second, "c");
    await second.close();
    expect(await contents(ring())).toEqual(["head", "a", "head", "c"]);
  });

  it("leaves other files of its folder alone", async () => {
    fs.mkdirSync(ring());
    fs.writeFileSync(join(ring(), "notes.txt"), "x".repeat(2 ** 21));
    const into = await open();
    for (let i = 0; i < 3; i++) await put(into, `${i}`, 1000);
    await into.close();
    expect(fs.existsSync(join(ring(), "notes.txt"))).toBe(true);
    expect(await contents(ring())).toEqual(["head", "0", "1", "2"]);
  });

  describe.skipIf(process.getuid?.() !== 0)("on a full disk (needs root)", () => {
    beforeEach(() => {
      fs.mkdirSync(ring());
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "none", ring()]);
    });
    afterEach(() => void execFileSync("umount", [ring()]));

    it("gives its oldest samples for the newest, and keeps every one readable", async () => {
      const into = await open({ maxBytes: 64 * 1024 });
      const fill = join(ring(), "others");
      for (let i = 0; i < 60; i++, now += 1000) {
        // Somebody else takes the disk, all but 96 KiB of it.
        if (i === 30) fs.writeFileSync(fill, new Uint8Array(160 * 1024));
        await put(into, `${i}`);
      }
      await into.close();
      const kept = (await contents(ring())).filter((path) => path !== "head").map(Number);
      expect(kept.length).toBeGreaterThan(10);
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 60 - kept.length + i));
    });

    it("says so when there is no room at all, and goes on when there is", async () => {
      const into = await open();
      await put(into, "before");
      const fill = join(ring(), "others");
      try {
        fs.writeFileSync(fill, new Uint8Array(2 ** 20));
      } catch {
        // As full as it gets.
      }
      await expect(put(into, "lost", 50_000)).rejects.toMatchObject({ code: "ENOSPC" });
      fs.rmSync(fill);
      await put(into, "after");
      await into.close();
      expect(await contents(ring())).toEqual(["head", "before", "after"]);
    });
  });
});

describe.skipIf(process.platform !== "linux")("nailhouse record", () => {
  const args = (dir: string) => [cli, "record", "--dir", dir, "--every", "0.05", "--quiet"];
  let dir: string;
  beforeEach(() => void (dir = fs.mkdtempSync(join(tmpdir(), "nailhouse-ring-"))));
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  const untilRecorded = async (samples: number) => {
    const meminfo = async () => (await contents(dir)).filter((path) => path.endsWith("proc/meminfo")).length;
    for (const end = Date.now() + 20_000; Date.now() < end && await meminfo() < samples;) await sleep(20);
  };

  it("killed at any moment, leaves all samples but the last one, and starts again", async () => {
    const recorded: number[] = [];
    for (const delay of [0, 13, 29, 47]) {
      const child = spawn("node", args(dir), { stdio: "ignore" });
      await untilRecorded((recorded.at(-1) ?? 0) + 2);
      await sleep(delay);
      child.kill("SIGKILL");
      await once(child, "exit");
      recorded.push((await contents(dir)).filter((path) => path.endsWith("proc/meminfo")).length);
    }
    expect(recorded).toEqual(recorded.toSorted((a, b) => a - b));
    expect(recorded.every((count, i) => count >= (recorded[i - 1] ?? 0) + 2)).toBe(true);
    expect(await ringFiles(dir)).toHaveLength(4);
    // Nothing in the middle of a file is damaged: what can be decompressed at all is whole members.
    for (const file of await ringFiles(dir)) {
      expect(() => gunzipSync(fs.readFileSync(file), { finishFlush: 2 })).not.toThrow();
    }
  });

  it("is packed into a bundle, whose analysis has all the samples of one that was killed", async () => {
    const child = spawn("node", args(dir), { stdio: "ignore" });
    await untilRecorded(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    const recorded = (await contents(dir)).filter((path) => path.endsWith("proc/meminfo"));
    const bundle = join(dir, "bundle.tgz");
    const collecting = ["collect", "--only", "memory", "--snapshots", "1", "--history", dir, "-o", bundle, "--quiet"];
    execFileSync("node", [cli, ...collecting]);
    const packed: string[] = [];
    for await (const { path } of readTar(nodeGunzip(fileChunks(bundle), () => {}), () => {})) packed.push(path);
    // Of a second one sample is packed.
    const seconds = new Set(recorded.map((path) => path.slice(0, "history/2026-11-23T06:01:02".length)));
    expect(packed.filter((path) => /history.*proc\/meminfo$/.test(path))).toHaveLength(seconds.size);
    const report = JSON.parse(execFileSync("node", [cli, "analyze", "-f", "json", bundle], { encoding: "utf8" }));
    expect(report.timeline).toHaveLength(seconds.size + 1);

    // Without a capture, as of a host that did not come back.
    const alone = JSON.parse(execFileSync("node", [cli, "analyze", "-f", "json", dir], { encoding: "utf8" }));
    expect(alone.timeline).toHaveLength(seconds.size);
    expect(alone.ledger).not.toBeNull();
    expect(alone.warnings.join()).not.toMatch(/cut off/);
  });

  // The program itself takes 40 to 50 MB, mapped, and the more the newer it is.
  it("never takes 20 MB more than the runtime itself", async () => {
    const mostBytes = (status: string) => Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
    const status = "process.stdout.write(require('fs').readFileSync('/proc/self/status'))";
    const runtime = mostBytes(execFileSync("node", ["-e", status], { encoding: "utf8" }));
    const child = spawn("node", args(dir), { stdio: "ignore" });
    await untilRecorded(20);
    const recorder = mostBytes(fs.readFileSync(`/proc/${child.pid}/status`, "utf8"));
    child.kill("SIGTERM");
    await once(child, "exit");
    expect(recorder - runtime).toBeGreaterThan(0);
    expect(recorder - runtime).toBeLessThan(20e6);
  });

  it("ends on SIGTERM with 0, and gives the ring free", async () => {
    const child = spawn("node", args(dir), { stdio: ["ignore", "ignore", "inherit"] });
    await untilRecorded(1);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(fs.readdirSync(dir).filter((name) => !name.startsWith("ring-"))).toEqual([]);
  });

  const silent = silentFsProblem();
  it.skipIf(silent !== undefined)(
    `ends on SIGTERM with 0 also while a read is under way${silent === undefined ? "" : `: ${silent}`}`,
    async () => {
      const root = join(dir, "root");
      fs.mkdirSync(join(root, "proc/pressure"), { recursive: true });
      const mounted = await mountSilent(join(root, "proc/pressure"));
      const recording = [cli, "record", "--dir", join(dir, "ring"), "--root", root, "--quiet"];
      const child = spawn("node", recording, { stdio: ["ignore", "ignore", "inherit"] });
      try {
        const files = `/proc/${child.pid}/fd`;
        const opened = () =>
          fs.readdirSync(files).map((fd) => {
            try {
              return fs.readlinkSync(join(files, fd));
            } catch {
              return "closed again";
            }
          });
        await expect.poll(opened, { timeout: 20_000 }).toContainEqual(expect.stringContaining("/proc/pressure/"));
        const exit = once(child, "exit");
        child.kill("SIGTERM");
        await sleep(300);
        // Its reads fail now: they were not stuck for ever.
        await mounted.end();
        expect(await exit).toEqual([0, null]);
      } finally {
        child.kill("SIGKILL");
        await mounted.end();
      }
    },
  );

  it("refuses a ring that another one records into", async () => {
    const child = spawn("node", args(dir), { stdio: "ignore" });
    await untilRecorded(1);
    const second = spawn("node", args(dir), { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    second.stderr.on("data", (chunk) => said += chunk);
    expect(await once(second, "exit")).toEqual([3, null]);
    expect(said).toContain(`process ${child.pid} does already`);
    child.kill("SIGTERM");
    await once(child, "exit");
  });
});
