/** The list of memfds and deleted files, on this machine. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { sharedMemory } from "../../collectors/shared-memory.ts";

const [command] = sharedMemory.captures.flatMap((each) =>
  each.kind === "command" && each.as.endsWith("/shared_memory_descriptors") ? [each.argv] : []
) as [readonly [string, ...string[]]];
const MIB = 2 ** 20;

/** Descriptors of a file that is in no directory. With less shared memory on the host than this the list is empty. */
function openDeleted(name: string, times = 1): readonly number[] {
  const path = `/dev/shm/nailhouse-${process.pid}-${name}`;
  const open = Array.from({ length: times }, () => openSync(path, "w+"));
  unlinkSync(path);
  for (let i = 0; i < 40; i++) writeSync(open[0] as number, new Uint8Array(MIB));
  return open;
}

/** What the command prints; `path` goes before PATH. */
function listed(path = ""): string {
  const [program, ...args] = command;
  return execFileSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, PATH: `${path}${process.env["PATH"]}` },
  });
}

/** How many descriptors of this process were looked at, and of how many. */
function looked(list: string): readonly number[] {
  const [, ...counts] = new RegExp(`# looked (\\d+) of (\\d+) /proc/${process.pid}/fd\n`).exec(list) ?? [];
  return counts.map(Number);
}

describe.skipIf(process.platform !== "linux")("deleted files on a tmpfs that are open (needs Linux)", () => {
  it("are all found in a process with hundreds of descriptors", () => {
    const open: number[] = [];
    try {
      // Of every second descriptor, one of two that follow each other is none.
      for (const name of ["a", "b"]) open.push(...openDeleted(name));
      const files = [...open];
      for (let i = 0; i < 400; i++) open.push(openSync("/dev/null", "r"));
      const list = listed();
      for (const fd of files) expect(list).toContain(`/proc/${process.pid}/fd/${fd} -> /dev/shm/nailhouse-`);
    } finally {
      open.forEach(closeSync);
    }
  });

  it.each([["all are looked at", 3, 0], ["some are", 1000, 9000]])(
    "are not taken for more than there are where the table has free places (before Linux 6.2): %s",
    (_name, files, spare) => {
      const bin = mkdtempSync(join(tmpdir(), "nailhouse-"));
      const open = [...openDeleted("a", files)];
      try {
        // Until 6.2 the size of /proc/PID/fd is 0, and the table's stands in for the number.
        const older = `#!/bin/sh\n[ "$1 $2" != "-c %s %n" ] || exit 0\nPATH=\${PATH#*:} exec stat "$@"\n`;
        writeFileSync(join(bin, "stat"), older, { mode: 0o755 });
        // Those that are closed leave the table as large as it was.
        for (let i = 0; i < spare; i++) open.push(openSync("/dev/null", "r"));
        open.splice(files).forEach(closeSync);
        const [, all] = looked(listed(`${bin}:`)) as [number, number];
        // Node has a few dozen of its own, and a sample is off by one that it hits or misses.
        expect(all).toBeGreaterThanOrEqual(files);
        expect(all).toBeLessThan(files + 150);
      } finally {
        open.forEach(closeSync);
        rmSync(bin, { recursive: true });
      }
    },
  );
});

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

describe.skipIf(!isRoot)("a file with a name on a tmpfs of another mount namespace (needs root)", () => {
  it("is told to be open", async () => {
    const mount = mkdtempSync(join(tmpdir(), "nailhouse-"));
    // 40 MiB: with less shared memory on the host the list is empty.
    const hold =
      'mount -t tmpfs -o size=64m none "$0" && head -c 40m /dev/zero > "$0/a file" && exec 7< "$0/a file" && echo && exec sleep 60';
    const holder = spawn("unshare", ["-m", "sh", "-c", hold, mount], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(holder.stdout as NonNullable<ChildProcess["stdout"]>, "data");
      expect(listed()).toMatch(new RegExp(`^# open 81920 512 \\d+ \\d+ /proc/${holder.pid}/fd/7$`, "m"));
    } finally {
      holder.kill();
      await once(holder, "exit");
      rmSync(mount, { recursive: true });
    }
  });
});
