/** Commands of the reports, taken from the report of a sample and run against the same fault, held small on this kernel. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { openBundle } from "../../src/host/node_sdk.ts";
import { analyze } from "../../src/sdk.ts";
import { labAvailable, releaseAll, withFault, withLabLock } from "./lab.ts";

const run = promisify(execFile);
const available = await labAvailable();
const MB = 2 ** 20;
const HELD_MB = 64;
/** Others work on this machine, too. */
const NOISE_BYTES = 16 * MB;

/** The command that the first finding of a sample recommends. */
async function commandOf(sample: string, pattern: RegExp): Promise<string> {
  const [finding] = analyze(await openBundle(`samples/${sample}.tgz`)).findings;
  const command = finding?.remedies.flatMap(({ commands }) => commands).find((each) => pattern.test(each));
  if (command === undefined) throw new Error(`${finding?.cause} recommends nothing like ${pattern}`);
  return command;
}

function memoryBytes(field: string): number {
  return Number(new RegExp(`^${field}: +(\\d+)`, "m").exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
}

/** By how much a field of /proc/meminfo falls when a shell runs a command. */
async function givenBack(field: string, command: string): Promise<number> {
  const before = memoryBytes(field);
  await run("sh", ["-c", command]);
  return before - memoryBytes(field);
}

function expectAll(bytes: number): void {
  expect(bytes).toBeGreaterThan(HELD_MB * MB - NOISE_BYTES);
  expect(bytes).toBeLessThan(HELD_MB * MB + NOISE_BYTES);
}

afterAll(releaseAll);

describe.skipIf(!available)("commands of the reports (needs Linux, root, gcc, flock, python3)", () => {
  it("hugetlb-reservation: nr_hugepages gives back what nobody uses", async () => {
    const command = await commandOf("hugetlb-reservation", /nr_hugepages$/);
    expect(command).toMatch(/^echo 0 > \/sys\/kernel\/mm\/hugepages\/hugepages-2048kB\/nr_hugepages$/);
    await withFault("hugepages", { mb: HELD_MB }, async () => expectAll(await givenBack("Hugetlb", command)));
  });

  it("shmem-leak: a memfd is emptied through its descriptor, and its owner lives on", async () => {
    const command = await commandOf("shmem-memfd", /^: >/);
    await withFault("shmem", { mb: HELD_MB, kind: "memfd" }, async ({ pid }) => {
      const links = readdirSync(`/proc/${pid}/fd`);
      const fd = links.find((each) => readlinkSync(`/proc/${pid}/fd/${each}`).includes("memfd:nailhouse"));
      expectAll(await givenBack("Shmem", command.replace(/\/proc\/\d+\/fd\/\d+/, `/proc/${pid}/fd/${fd}`)));
      process.kill(pid, 0);
    });
  });

  it("shmem-leak: ipcrm removes a segment that nobody is attached to", async () => {
    const command = await commandOf("shmem-sysv", /^ipcrm -m \d+$/);
    await withFault("shmem", { mb: HELD_MB, kind: "sysv" }, async ({ pid }) => {
      // cpid is the creator: the fault's own process.
      const { stdout } = await run("ipcs", ["-m", "-p"]);
      const id = stdout.split("\n").map((line) => line.trim().split(/\s+/)).find((row) => row[2] === String(pid))?.[0];
      expectAll(await givenBack("Shmem", command.replace(/\d+$/, String(id))));
    });
  });

  it("shmem-leak: a limit of the mount holds at once, and deletes nothing", async () => {
    const command = await commandOf("shmem-tmpfs", /^mount -o remount,size=/);
    const folder = mkdtempSync(join(tmpdir(), "nailhouse-tmpfs-"));
    await run("mount", ["-t", "tmpfs", "-o", "size=32M", "tmpfs", folder]);
    try {
      await withLabLock(async () => {
        writeFileSync(join(folder, "kept"), new Uint8Array(8 * MB));
        await run("sh", ["-c", `${command.replace(/size=\S+ .*/, "size=12M")} ${folder}`]);
        expect(() => writeFileSync(join(folder, "more"), new Uint8Array(8 * MB))).toThrow("ENOSPC");
        expect(readFileSync(join(folder, "kept"))).toHaveLength(8 * MB);
      });
    } finally {
      await run("umount", [folder]);
      rmdirSync(folder);
    }
  });

  it("fd-leak: prlimit stops a running leak in its own process, with EMFILE", async () => {
    const command = await commandOf("fd-eventfd", /^prlimit --pid \d+ --nofile=\d+$/);
    // It opens a descriptor each time it is asked, and says what came of it.
    const program = "import os, sys\nfor line in sys.stdin:\n try: print(os.eventfd(0), flush=True)\n" +
      " except OSError as error: print(error.errno, error.strerror, flush=True)\n";
    const child = execFile("python3", ["-c", program]);
    const answers = createInterface(child.stdout as Readable)[Symbol.asyncIterator]();
    const open = async (): Promise<string> => {
      child.stdin?.write("\n");
      return String((await answers.next()).value);
    };
    try {
      const last = Number(await open());
      const limited = command.replace(/--pid \d+ --nofile=\d+/, `--pid ${child.pid} --nofile=${last + 2}`);
      await run("sh", ["-c", limited]);
      expect(Number(await open())).toBe(last + 1);
      expect(await open()).toBe("24 Too many open files");
    } finally {
      child.kill();
    }
  });
});
