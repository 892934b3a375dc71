/** The list of files on tmpfs, on this machine. A mount is made in a namespace of our own: root only. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sharedMemory } from "../../collectors/shared-memory.ts";

const [command] = sharedMemory.captures.flatMap((each) =>
  each.kind === "command" && each.as.endsWith("/tmpfs_files") ? [each.argv] : []
) as [readonly [string, ...string[]]];
const isRoot = process.platform === "linux" && process.getuid?.() === 0;
let folder = "";
let holder: ChildProcess;

/** Paths of the list. */
function list(...via: readonly string[]): string[] {
  const [program, ...args] = [...via, ...command] as [string, ...string[]];
  return execFileSync(program, args, { encoding: "utf8" }).split("\n").map((line) =>
    line.split(" ").slice(5).join(" ")
  );
}

describe.skipIf(!isRoot)("files on a tmpfs at a path with blanks, digits and a backslash (needs root)", () => {
  let mount = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "nailhouse-tmpfs-"));
    mount = join(folder, "my cache 1\\040 #2");
    mkdirSync(mount);
    // 40 MiB: with less shared memory on the host it is not looked at.
    const hold =
      'mount -t tmpfs -o size=64m none "$0" && head -c 40m /dev/zero > "$0/big file" && echo && exec sleep 60';
    holder = spawn("unshare", ["-m", "sh", "-c", hold, mount], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout as NonNullable<ChildProcess["stdout"]>, "data");
  });
  afterAll(async () => {
    holder.kill();
    await once(holder, "exit");
    rmSync(folder, { recursive: true });
  });

  it("are listed where it is mounted", () => {
    expect(list("nsenter", "-t", `${holder.pid}`, "-m")).toContain(`${mount}/big file`);
  });

  it("are listed where it is mounted in another mount namespace, with the mount itself", () => {
    const root = `/proc/${holder.pid}/root`;
    const paths = list();
    expect(paths).toContain(`${root}${mount}`);
    expect(paths).toContain(`${root}${mount}/big file`);
  });
});
