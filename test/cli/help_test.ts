/** The examples of --help, run as they stand there. */
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cli = join(root, "dist/cli.js");
const scratch = mkdtempSync(join(tmpdir(), "nailhouse-help-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function help(...command: string[]): string {
  return spawnSync(process.execPath, [cli, ...command, "--help"], { encoding: "utf8" }).stdout;
}

/** The last paragraph of each help. */
function examples(text: string): string[] {
  return (text.trimEnd().split("\n\n").at(-1) as string).split("\n").map((line) => line.trim());
}

/** As a user's folder is: two old bundles, and a host that is reached by ssh, which here is this one. Collecting is short. */
function folderOf(command: string): string {
  const folder = join(scratch, command);
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  for (const name of ["bundle", "before", "monday"]) {
    copyFileSync(join(root, "samples/busy.tgz"), join(folder, `${name}.tgz`));
  }
  copyFileSync(join(root, "samples/friend-push.tgz"), join(folder, "after.tgz"));
  symlinkSync(join(root, "samples/oom-6.18-udp.txt"), join(folder, "kernel.log"));
  const shim = (name: string, lines: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  shim(
    "nailhouse",
    `case "$*" in *--emit-script*) ;; collect*) set -- "$@" --snapshots 1 --only host,memory,history ;; esac\n` +
      `exec "${process.execPath}" "${cli}" "$@"`,
  );
  shim(
    "ssh",
    `shift\ncase "$*" in "sh -s") exec sh -s -- --snapshots 1 --only host,memory ;; *) exec sh -c "$*" ;; esac`,
  );
  shim("dmesg", `exec cat "${folder}/kernel.log"`);
  writeFileSync(join(folder, "collect.sh"), spawnSync(process.execPath, [cli, "collect", "--emit-script"]).stdout);
  return folder;
}

interface Outcome {
  readonly line: string;
  readonly status: number | null;
  readonly output: string;
}

/** Runs lines one after the other; what one starts in the background is ended when all have run. */
async function runLines(lines: readonly string[], folder: string): Promise<Outcome[]> {
  const env = { ...process.env, HOME: folder, PATH: `${join(folder, "bin")}:${process.env.PATH}` };
  const groups: number[] = [];
  const outcomes: Outcome[] = [];
  try {
    for (const line of lines) {
      const log = join(folder, `${outcomes.length}.log`);
      const output = openSync(log, "w");
      const here = line.replaceAll("/var/lib/nailhouse", join(folder, "recorded"));
      const child = spawn("bash", ["-c", here], {
        cwd: folder,
        env,
        detached: true,
        stdio: ["ignore", output, output],
      });
      groups.push(child.pid as number);
      const status = await new Promise<number | null>((done) => child.on("exit", done));
      while (line.endsWith("&") && !existsSync(join(folder, "recorded/ring"))) await setTimeout(50);
      outcomes.push({ line, status, output: readFileSync(log, "utf8") });
    }
  } finally {
    for (const group of groups) endGroup(group);
  }
  return outcomes;
}

function endGroup(group: number): void {
  try {
    process.kill(-group);
  } catch (error) {
    // All of it has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const commands = ["collect", "record", "analyze", "compare", "redact", "explain", "completion", "new"];

const isLinux = process.platform === "linux";

describe.skipIf(!isLinux)(`the examples of --help${isLinux ? "" : " (skipped: they look at a Linux host)"}`, () => {
  it("are there for every command", () => {
    const listed = help().match(/^ {2}nailhouse [a-z]+/gm)?.map((line) => line.trim().split(" ")[1]);
    expect(new Set(listed)).toEqual(new Set(commands));
    for (const command of commands) expect(examples(help(command)).join("\n")).toContain(`nailhouse ${command}`);
  });

  it.concurrent.each(["", ...commands])("nailhouse %s --help: each of them runs", async (command) => {
    const lines = examples(help(...command === "" ? [] : [command]));
    const folder = folderOf(command === "" ? "main" : command);
    const wrong = (await runLines(lines, folder)).filter(({ line, status }) =>
      status !== 0 && !(status === 1 && line.includes("--fail-on"))
    );
    expect(wrong).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tgz")).length).toBeGreaterThanOrEqual(4);
  });
});
