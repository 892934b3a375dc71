/** What the history collector makes of sysstat's files, and what the parsers make of that, with this machine's sysstat. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { history } from "../../collectors/history.ts";
import { parseMemoryHistory } from "../../src/parsers/mod.ts";
import { contextOf } from "../parsers/_context.ts";

const hasSysstat = spawnSync("sadf", ["-V"]).status === 0 && spawnSync("sar", ["-V"]).status === 0;

/** In UTC, as the JSON is. */
function run(program: string, ...args: string[]) {
  const { status, stdout } = spawnSync(program, args, {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
  });
  return { status, stdout };
}

describe.skipIf(!hasSysstat)("history collector and sysstat (skipped without sar and sadf)", () => {
  let folder: string;
  /** The collector's command, looking into the test's folder. */
  const convert = () => {
    const capture = history.captures.find((each) => each.kind === "command" && each.as === "sos_commands/sar/sadf_-j");
    if (capture?.kind !== "command") throw new Error("the history collector has no sadf_-j");
    const script = (capture.argv[2] as string).replaceAll("/var/log/sysstat", folder).replaceAll("/var/log/sa ", "");
    return run("sh", "-c", script);
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nailhouse-sysstat-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("prints nothing and is as if not installed where nothing is recorded", () => {
    expect(convert()).toEqual({ status: 127, stdout: "" });
  });

  it("has what sar prints, from two files, in UTC", () => {
    for (const day of ["sa01", "sa02"]) expect(run("sar", "-o", join(folder, day), "1", "1").status).toBe(0);
    const { context, warnings } = contextOf();
    const converted = parseMemoryHistory(convert().stdout, context);
    const printed = ["sa01", "sa02"].map((day) =>
      parseMemoryHistory(run("sar", "-r", "ALL", "-f", join(folder, day)).stdout, context)
    );
    expect(warnings).toEqual([]);
    const amounts = ({ points }: typeof converted) => points.map(({ time, bytes }) => ({ time, bytes }));
    expect(converted.clock).toBe("utc");
    expect(amounts(converted).sort((a, b) => a.time - b.time)).toEqual(printed.flatMap(amounts));
    expect(converted.points[0]?.bytes.get("AnonPages")).toBeGreaterThan(0);
    expect(converted.points).toHaveLength(2);
  });
});
