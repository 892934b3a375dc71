import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Limits, ReadResult } from "../../src/core/host.ts";
import { type NodeHost, nodeHost } from "../../src/host/node.ts";
import { mountSilent, silentFsProblem } from "./silent_fs.ts";

const limits: Limits = { maxBytes: 2 ** 20, timeoutMs: 2000 };
const utf8 = new TextDecoder();
const NOBODY = 65534;

function text(result: ReadResult | undefined): string {
  if (result?.status !== "ok") throw new Error(`not read: ${JSON.stringify(result)}`);
  return utf8.decode(result.bytes);
}

async function gather(host: NodeHost, paths: readonly string[], own: Partial<Limits> = {}, via?: readonly string[]) {
  const results = new Map<string, ReadResult>();
  for await (const { path, result } of host.readInChild(paths, { ...limits, ...own }, via)) results.set(path, result);
  return results;
}

describe.skipIf(process.platform !== "linux")("nodeHost()", () => {
  let host: NodeHost;
  let folder: string;
  const file = (name: string) => join(folder, name);
  const root = process.getuid?.() === 0;

  beforeAll(async () => {
    host = await nodeHost();
    folder = mkdtempSync(join(tmpdir(), "nailhouse-host-"));
    writeFileSync(file("a"), "alpha");
    writeFileSync(file("b"), "");
    writeFileSync(file("c"), "gamma\n");
    mkdirSync(file("folder"));
    execFileSync("mkfifo", [file("fifo")]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("knows the machine", () => {
    const getconf = (name: string) => Number(execFileSync("getconf", [name]));
    expect(host.facts).toMatchObject({
      pageSizeBytes: getconf("PAGESIZE"),
      userHz: getconf("CLK_TCK"),
      cpus: cpus().length,
      machine: execFileSync("uname", ["-m"], { encoding: "utf8" }).trim(),
      kernelRelease: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
    });
  });

  describe.each<[string, (path: string, limits: Limits) => Promise<ReadResult>]>([
    ["readNow()", (path, limits) => Promise.resolve(host.readNow(path, limits.maxBytes))],
    ["readFile()", (path, limits) => host.readFile(path, limits)],
  ])("%s", (name, read) => {
    it("reads files whose size the kernel gives as 0", async () => {
      expect(text(await read("/proc/version", limits))).toBe(readFileSync("/proc/version", "utf8"));
      expect(text(await read("/proc/self/maps", limits)).length).toBeGreaterThan(4096);
    });

    it("reads ordinary files", async () => {
      expect(text(await read(file("a"), limits))).toBe("alpha");
      expect(text(await read(file("b"), limits))).toBe("");
    });

    it("cuts what is longer than the limit", async () => {
      const result = await read("/proc/kallsyms", { ...limits, maxBytes: 100_000 });
      expect(result).toMatchObject({ status: "ok", truncated: true });
      expect(result.status === "ok" && result.bytes.length).toBe(100_000);
    });

    it("tells what is not there from what is no file", async () => {
      expect(await read("/proc/nothing", limits)).toEqual({ status: "missing" });
      expect(await read("/proc/999999999/status", limits)).toEqual({ status: "missing" });
      expect(await read(file("nothing"), limits)).toEqual({ status: "missing" });
      expect(await read(file("folder"), limits)).toEqual({ status: "not-regular" });
      expect(await read("/proc/sys/vm", limits)).toEqual({ status: "not-regular" });
    });

    if (name === "readNow()") {
      it("does not open FIFOs and devices for reading", () => {
        expect(host.readNow(file("fifo"), 100)).toEqual({ status: "not-regular" });
        expect(host.readNow("/dev/zero", 100)).toEqual({ status: "not-regular" });
      });
    }

    it.runIf(root)("tells what is denied", async () => {
      expect(await read("/proc/sys/vm/drop_caches", limits)).toEqual({ status: "denied" });
    });
  });

  it("readFile() gives up on a FIFO, and cuts a file that never ends", async () => {
    expect(await host.readFile(file("fifo"), limits)).toMatchObject({ status: "hung" });
    expect(await host.readFile("/dev/zero", limits)).toMatchObject({ status: "ok", truncated: true });
    expect(host.stuckReads()).toBe(0);
  });

  describe("readInChild()", () => {
    it("reads many, each one whole", async () => {
      const results = await gather(host, [file("a"), file("b"), file("c"), file("a"), "/proc/version"]);
      expect([...results].map(([path, result]) => [path, text(result)])).toEqual(expect.arrayContaining([
        [file("a"), "alpha"],
        [file("b"), ""],
        [file("c"), "gamma\n"],
        ["/proc/version", readFileSync("/proc/version", "utf8")],
      ]));
    });

    it("reads thousands", async () => {
      const paths = Array.from({ length: 4500 }, (_, i) => `${file(".")}/${"./".repeat(i % 50)}x${i}`);
      for (const [i, path] of paths.entries()) if (i % 500 === 0) writeFileSync(path, String(i));
      const results = await gather(host, paths, { timeoutMs: 5000 });
      expect(results.size).toBe(4500);
      expect([...results.values()].filter((result) => result.status === "ok").map(text)).toEqual(
        ["0", "500", "1000", "1500", "2000", "2500", "3000", "3500", "4000"],
      );
    });

    it("gives up on a file that hangs, and goes on behind it", async () => {
      const results = await gather(host, [file("a"), file("fifo"), file("c"), file("fifo"), file("b")]);
      expect(text(results.get(file("a")))).toBe("alpha");
      expect(results.get(file("fifo"))).toEqual({ status: "hung", bytes: new Uint8Array(0) });
      expect(text(results.get(file("c")))).toBe("gamma\n");
      expect(text(results.get(file("b")))).toBe("");
    });

    it("cuts a file that never ends, and goes on behind it", async () => {
      const results = await gather(host, ["/dev/zero", file("a")], { maxBytes: 1000 });
      expect(results.get("/dev/zero")).toEqual({ status: "ok", bytes: new Uint8Array(1000), truncated: true });
      expect(text(results.get(file("a")))).toBe("alpha");
    });

    it("tells what is missing, denied or a folder", async () => {
      const denied = "/proc/sys/vm/drop_caches";
      const results = await gather(host, [file("nothing"), denied, file("folder"), file("a")]);
      expect(results.get(file("nothing"))).toEqual({ status: "missing" });
      expect(results.get(file("folder"))).toEqual({ status: "not-regular" });
      expect(results.get(denied)).toEqual({ status: "denied" });
      expect(text(results.get(file("a")))).toBe("alpha");
    });

    it("is not misled by the command line of a hostile process", async () => {
      // Says what a separator looks like, and what the reader's own complaints look like.
      const hostile = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/0123456789abcdef";
      const script = "process.stdin.resume(); console.log('ready')";
      const child = spawn("node", ["-e", script, hostile, `\ncat: ${file("a")}: Permission denied`, "\x1b[31m\n\n"]);
      try {
        await new Promise((resolve) => child.stdout.once("data", resolve));
        const cmdline = `/proc/${child.pid}/cmdline`;
        const results = await gather(host, [cmdline, file("a"), cmdline, file("c")]);
        expect(results.get(cmdline)).toEqual(host.readNow(cmdline, 10_000));
        expect(text(results.get(cmdline))).toContain(hostile);
        expect(text(results.get(file("a")))).toBe("alpha");
        expect(text(results.get(file("c")))).toBe("gamma\n");
      } finally {
        child.kill();
      }
    });

    it("finds separators wherever the pieces of output end", async () => {
      const sizes = [65_536, 65_535, 65_536 - 40, 131_072 + 7, 1, 0, 65_530];
      const paths = sizes.map((size, i) => {
        writeFileSync(file(`size${i}`), "x".repeat(size));
        return file(`size${i}`);
      });
      const results = await gather(host, paths);
      expect(paths.map((path) => text(results.get(path)).length)).toEqual(sizes);
    });

    it("says when its reader cannot be started", async () => {
      const results = await gather(host, [file("a"), file("c")], {}, ["/nonexistent/nsenter"]);
      expect([...results.values()]).toEqual(
        Array(2).fill({ status: "failed", message: expect.stringContaining("ENOENT") as string }),
      );
    });

    it("ends at once when it is interrupted", async () => {
      const interruption = new AbortController();
      setTimeout(() => interruption.abort(), 50);
      const start = Date.now();
      const results = await gather(host, [file("fifo")], { timeoutMs: 60_000, signal: interruption.signal });
      expect(results.get(file("fifo"))).toMatchObject({ status: "hung" });
      expect(Date.now() - start).toBeLessThan(5000);
    });
  });

  describe("run()", () => {
    it("gives what a program prints, in the C locale", async () => {
      process.env["LC_ALL"] = "de_DE.UTF-8";
      expect(text(await host.run(["sh", "-c", "echo $LC_ALL-; ls /nonexistent 2>&1"], limits))).toMatch(
        /^-\n.*No such file/,
      );
      delete process.env["LC_ALL"];
    });

    it("kills a program that hangs, with its children, and keeps what it printed", async () => {
      const start = Date.now();
      const result = await host.run(["sh", "-c", "echo begun; sleep 1000 & echo $!; sleep 1000"], limits);
      expect(Date.now() - start).toBeLessThan(5000);
      if (result.status !== "hung") throw new Error(result.status);
      const [begun, pid] = utf8.decode(result.bytes).split("\n");
      expect(begun).toBe("begun");
      await expect.poll(() => host.readNow(`/proc/${pid}/cmdline`, 100)).not.toMatchObject({ bytes: { length: 11 } });
    });

    it("ends a program that prints without end", async () => {
      const result = await host.run(["yes"], { ...limits, maxBytes: 1000 });
      expect(result).toMatchObject({ status: "ok", truncated: true });
    });

    it("gives all bytes, and none of its own, of several programs at once", async () => {
      const most = { maxBytes: 2 ** 22, timeoutMs: 10_000 };
      const long = "head -c 3000000 /dev/zero; printf x";
      const results = await Promise.all([
        host.run(["sh", "-c", long], most),
        host.run(["printf", "a"], most),
        host.run(["sh", "-c", "echo no output >&2"], most),
      ]);
      expect(results.map((each) => each.status === "ok" && each.bytes.length)).toEqual([3_000_001, 1, 0]);
    });

    it("leaves no shell more behind for each host that is asked for", async () => {
      const shell = async () => text(await (await nodeHost()).run(["sh", "-c", "echo $PPID"], limits));
      expect(await shell()).toBe(await shell());
    });

    it("runs the next program if what ran the last one was killed", async () => {
      expect(await host.run(["sh", "-c", "kill -9 $PPID; sleep 60"], limits)).toEqual({
        status: "failed",
        message: "the shell that ran it ended: killed by SIGKILL",
      });
      expect(text(await host.run(["echo", "next"], limits))).toBe("next\n");
    });

    it.each([["node", "--input-type=module", "-"], ["deno", "run", "-A", "-"]])(
      "keeps %s from ending only while a program runs",
      (...argv) => {
        const program = `import { nodeHost } from ${JSON.stringify(resolve("dist/host.js"))};
          const host = await nodeHost();
          console.log((await host.run(["echo", "done"], { maxBytes: 100, timeoutMs: 5000 })).status);`;
        expect(execFileSync("npx", argv, { input: program, encoding: "utf8", timeout: 20_000 })).toBe("ok\n");
      },
    );

    it.each<[string, string[], ReadResult]>([
      ["is not installed", ["no-such-program"], { status: "missing" }],
      ["is not installed, behind another", ["env", "no-such-program"], { status: "missing" }],
      ["fails without output", ["sh", "-c", "echo broken >&2; exit 3"], {
        status: "failed",
        message: "exit status 3: broken",
      }],
      ["is killed", ["sh", "-c", "kill -9 $$"], { status: "failed", message: "killed by SIGKILL" }],
      ["lacks rights", ["sh", "-c", "echo 'x: Operation not permitted' >&2; exit 1"], { status: "denied" }],
      ["fails with output", ["sh", "-c", "echo some; exit 1"], {
        status: "ok",
        bytes: new TextEncoder().encode("some\n"),
        truncated: false,
      }],
      ["cannot be started", ["stat", "x".repeat(2 ** 18)], {
        status: "failed",
        message: expect.stringContaining("Argument list too long") as string,
      }],
    ])("tells when a program %s", async (_, argv, expected) => {
      expect(await host.run(argv, { ...limits, timeoutMs: 10_000 })).toEqual(expected);
    });
  });

  it("lists folders", async () => {
    expect(host.listNow("/proc/self/fd", { max: 2 })).toMatchObject({ status: "ok", names: { length: 2 } });
    expect(host.listNow(folder, { only: "folders" })).toEqual({ status: "ok", names: ["folder"] });
    expect(host.listNow(file("nothing"))).toEqual({ status: "missing" });
    expect(host.readlinkNow("/proc/self/ns/net")).toMatch(/^net:\[\d+\]$/);
    expect(host.readlinkNow(file("nothing"))).toBeUndefined();
    utimesSync(file("c"), 1, 1);
    const newest = await host.listNewest(folder, limits);
    expect(newest.status === "ok" && newest.names.at(-1)).toBe("c");
    expect(await host.listNewest(file("nothing"), limits)).toEqual({ status: "missing" });
  });

  it("reads a host that is mounted below a folder", async () => {
    mkdirSync(file("host/etc"), { recursive: true });
    mkdirSync(file("host/proc"));
    writeFileSync(file("host/etc/hostname"), "outside\n");
    writeFileSync(file("host/proc/meminfo"), "MemTotal");
    const below = await nodeHost({ root: file("host") });
    expect(below.facts.hostname).toBe("outside");
    expect(text(await below.readFile("/proc/meminfo", limits))).toBe("MemTotal");
    expect(text((await gather(below, ["/proc/meminfo"])).get("/proc/meminfo"))).toBe("MemTotal");
    expect(below.localPath("/proc/1/ns/net")).toBe(file("host/proc/1/ns/net"));
  });

  const silent = silentFsProblem();
  it.skipIf(silent !== undefined)(
    `gives up on a disk that never answers${silent === undefined ? "" : `: ${silent}`}`,
    async () => {
      mkdirSync(file("below/sys"), { recursive: true });
      const below = await nodeHost({ root: file("below") });
      const mounted = await mountSilent(file("below/sys"), { isMute: true });
      try {
        expect(await below.readFile("/sys/dead", limits)).toMatchObject({ status: "hung" });
        expect(below.stuckReads()).toBe(1);
        // By a child from now on, and everything else still works.
        expect(await below.readFile("/sys/dead", limits)).toMatchObject({ status: "hung" });
        expect(below.stuckReads()).toBe(1);
        expect(await below.listNewest("/sys", limits)).toMatchObject({ status: "hung" });
        symlinkSync("/proc/version", file("below/version"));
        expect(text(await below.readFile("/version", limits))).toContain("Linux");
      } finally {
        await mounted.end();
      }
      await expect.poll(() => below.stuckReads()).toBe(0);
    },
  );

  it.skipIf(silent !== undefined)(
    `does not wait for a file server in place of the kernel's numbers${silent === undefined ? "" : `: ${silent}`}`,
    async () => {
      // As lxcfs is for a container.
      const mounted = await mountSilent("/sys/kernel/mm", { isHidden: true });
      const program = `
        const { nodeHost } = await import(${JSON.stringify(resolve("dist/host.js"))});
        const host = await nodeHost();
        const read = async (path) => (await host.readFile(path, { maxBytes: 16, timeoutMs: 500 })).status;
        console.log(await read("/sys/kernel/mm/dead"), await read("/proc/sys/vm/swappiness"));
        process.kill(process.pid, "SIGKILL");`;
      // It cannot end before the file server does.
      const args = [`--mount=/proc/${mounted.pid}/ns/mnt`, "node", "--input-type=module", "-e", program];
      const child = spawn("nsenter", args);
      const printed = new Promise((resolve) => child.stdout.once("data", (data) => resolve(String(data))));
      const late = new Promise((resolve) => setTimeout(resolve, 10_000, "nothing in time"));
      try {
        expect(await Promise.race([printed, late])).toBe("hung ok\n");
      } finally {
        await mounted.end();
      }
    },
  );

  it("tells what is denied to an ordinary user", async () => {
    chmodSync(file("a"), 0);
    if (root) process.seteuid?.(NOBODY);
    try {
      expect(await host.readFile(file("a"), limits)).toEqual({ status: "denied" });
    } finally {
      if (root) process.seteuid?.(0);
      chmodSync(file("a"), 0o600);
    }
  });
});
