/** The list of memfds and deleted files, on this machine. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { sharedMemory } from "../../collectors/shared-memory.ts";

const [command] = sharedMemory.captures.flatMap((each) =>
  each.kind === "command" && each.as.endsWith("/shared_memory_descriptors") ? [each.argv] : []
) as [readonly [string, ...string[]]];
const MIB = 2 ** 20;

describe.skipIf(process.platform !== "linux")("deleted files on a tmpfs that are open (needs Linux)", () => {
  it("are all found in a process with hundreds of descriptors", () => {
    const open: number[] = [];
    try {
      // Of every second descriptor, one of two that follow each other is none.
      for (const name of ["a", "b"]) {
        const path = `/dev/shm/nailhouse-${process.pid}-${name}`;
        const fd = openSync(path, "w+");
        open.push(fd);
        unlinkSync(path);
        // With less shared memory on the host it is not looked at.
        for (let i = 0; i < 20; i++) writeSync(fd, new Uint8Array(MIB));
      }
      const files = [...open];
      for (let i = 0; i < 400; i++) open.push(openSync("/dev/null", "r"));
      const [program, ...args] = command;
      const list = execFileSync(program, args, { encoding: "utf8" });
      for (const fd of files) expect(list).toContain(`/proc/${process.pid}/fd/${fd} -> /dev/shm/nailhouse-`);
    } finally {
      open.forEach(closeSync);
    }
  });
});
