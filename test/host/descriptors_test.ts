/** The commands of the descriptors collector, on this machine. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { descriptors } from "../../collectors/descriptors.ts";
import { parseAioRings } from "../../src/parsers/aio_rings.ts";

describe.skipIf(process.platform !== "linux")("descriptors (needs Linux)", () => {
  const opened = Array.from({ length: 100 }, () => openSync("/dev/null", "r"));
  afterAll(() => opened.slice(50).forEach(closeSync));

  const outputOf = (name: string, env = process.env): string => {
    const capture = descriptors.captures.find((each) => each.kind === "command" && each.as.endsWith(name));
    const [program = "", ...args] = (capture as { readonly argv: readonly string[] }).argv;
    return spawnSync(program === "sh" ? "/bin/sh" : program, args, { encoding: "utf8", maxBuffer: 64 * 2 ** 20, env })
      .stdout;
  };

  it("lists all descriptors of a process with few, also where numbers are above how many there are", () => {
    opened.slice(0, 50).forEach(closeSync);
    const stdout = outputOf("/descriptor_samples");
    for (const fd of opened.slice(50)) expect(stdout).toContain(`/proc/${process.pid}/fd/${fd} -> /dev/null\n`);
  });
  it("has a list of AIO rings, be it empty, on a host that has hardly any", () => {
    expect(() => parseAioRings(outputOf("/aio_rings"), { facts: {}, warn() {} })).not.toThrow();
  });
  it.each(["perl", "python3"])("tells with %s alone how full pipes and queues of events are", async (program) => {
    const folder = mkdtempSync(join(tmpdir(), "nailhouse-"));
    const own = program === "perl" ? "print $^X" : "import sys; print(sys.executable, end='')";
    const path = execFileSync(program, [program === "perl" ? "-e" : "-c", own], { encoding: "utf8" });
    symlinkSync(path, join(folder, program));
    // 5,000 bytes in a pipe, 6,000 in a FIFO, and an event.
    const hold = `import ctypes, os, time
r, w = os.pipe(); os.write(w, bytes(5000))
os.mkfifo("fifo"); f = os.open("fifo", os.O_RDWR); os.write(f, bytes(6000))
c = ctypes.CDLL(None); i = c.inotify_init(); c.inotify_add_watch(i, b".", 0x100); open("event", "w")
os.write(1, b"%d %d %d" % (r, f, i)); time.sleep(60)`;
    const holder = spawn("python3", ["-c", hold], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [told] = await once(holder.stdout as NonNullable<ChildProcess["stdout"]>, "data");
      const [pipe, fifo, inotify] = `${told}`.trim().split(" ");
      const list = outputOf("/descriptor_contents", { PATH: folder });
      expect(list).toMatch(new RegExp(`^5000 65536 \\d+ /proc/${holder.pid}/fd/${pipe}$`, "m"));
      expect(list).toMatch(new RegExp(`^6000 65536 \\d+ /proc/${holder.pid}/fd/${fifo}$`, "m"));
      expect(list).toMatch(new RegExp(`^32 - inotify /proc/${holder.pid}/fd/${inotify}$`, "m"));
      expect(list).toMatch(/^# descriptors_left \d+\n$/m);
    } finally {
      holder.kill();
      rmSync(folder, { recursive: true });
    }
  });
});
