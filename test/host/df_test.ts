/** What the collectors ask df for, where it is busybox's. Linux only: elsewhere it is skipped. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { host } from "../../collectors/host.ts";

const [size, inodes] = host.captures.flatMap((each) =>
  each.kind === "command" && each.as.includes("/df_") ? [each.argv] : []
);
let here = "";

/** Its options and paths, one a line, of a df that knows `-x` or not. */
function asked(argv: readonly string[] | undefined, knows: boolean): string[] {
  const refuse = knows ? "" : 'case " $* " in *" -x "*) echo "invalid option -- x" >&2; exit 1 ;; esac\n';
  writeFileSync(join(here, "df"), `#!/bin/sh\n${refuse}printf '%s\\n' "$@"\n`);
  chmodSync(join(here, "df"), 0o755);
  const [program, ...rest] = argv as [string, ...string[]];
  const env = { PATH: `${here}:${process.env["PATH"]}` };
  return execFileSync(program, rest, { env, encoding: "utf8" }).trim().split("\n");
}

describe.skipIf(process.platform !== "linux")("df", () => {
  beforeAll(() => {
    here = mkdtempSync(join(tmpdir(), "nailhouse-df-"));
  });
  afterAll(() => rmSync(here, { recursive: true }));

  it("is asked for all local file systems where it can leave others out", () => {
    expect(asked(size, true)).toEqual(["-al", "-x", "autofs"]);
    expect(asked(inodes, true)).toEqual(["-ali", "-x", "autofs"]);
  });

  it("of busybox is asked for each tmpfs, and for none that may not answer", () => {
    const mounted = readFileSync("/proc/mounts", "utf8").split("\n").map((line) => line.split(" "))
      .filter(([, , type]) => type === "tmpfs" || type === "devtmpfs")
      .map(([, path]) => (path as string).replaceAll("\\040", " "));
    expect(mounted.length).toBeGreaterThan(0);
    expect(asked(size, false)).toEqual(["-P", ...mounted]);
    expect(asked(inodes, false)).toEqual(["-iP", ...mounted]);
  });
});
