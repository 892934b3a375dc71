/** Mounts a file system whose files never answer: see silent_fs.c. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Why it cannot be mounted here; undefined when it can. */
export function silentFsProblem(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/dev/fuse")) return "needs /dev/fuse";
  try {
    execFileSync("gcc", ["--version"]);
    return undefined;
  } catch {
    return "needs gcc";
  }
}

let binary: string | undefined;

function compiled(): string {
  if (binary === undefined) {
    binary = join(mkdtempSync(join(tmpdir(), "nailhouse-silent-")), "silent_fs");
    execFileSync("gcc", ["-O2", "-Wall", "-o", binary, fileURLToPath(new URL("silent_fs.c", import.meta.url))]);
  }
  return binary;
}

/**
 * Mounts it on a folder until `end` is called, or this process ends.
 *
 * @param options.isHidden Only in a mount namespace of its own, that of the process `pid`.
 * @param options.isMute What is open answers nothing at all, not only no reads.
 */
export async function mountSilent(
  folder: string,
  { isHidden = false, isMute = false }: { isHidden?: boolean; isMute?: boolean } = {},
): Promise<{ pid: number | undefined; end: () => Promise<void> }> {
  const [program = "", ...args] = [
    ...(isHidden ? ["unshare", "--mount"] : []),
    compiled(),
    folder,
    ...(isMute ? ["mute"] : []),
  ];
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([
    new Promise((resolve) => child.stdout.once("data", resolve)),
    exit.then(() => {
      throw new Error(`Cannot mount on ${folder}`);
    }),
  ]);
  return {
    pid: child.pid,
    end: async () => {
      child.stdin.end();
      await exit;
    },
  };
}
