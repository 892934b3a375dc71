/** The commands of the descriptors collector, on this machine. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { descriptors } from "../../collectors/descriptors.ts";

describe.skipIf(process.platform !== "linux")("descriptors (needs Linux)", () => {
  const opened = Array.from({ length: 100 }, () => openSync("/dev/null", "r"));
  afterAll(() => opened.slice(50).forEach(closeSync));

  it("lists all descriptors of a process with few, also where numbers are above how many there are", () => {
    opened.slice(0, 50).forEach(closeSync);
    const capture = descriptors.captures.find((each) =>
      each.kind === "command" && each.as.endsWith("/descriptor_samples")
    );
    const [program = "", ...args] = (capture as { readonly argv: readonly string[] }).argv;
    const { stdout } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
    for (const fd of opened.slice(50)) expect(stdout).toContain(`/proc/${process.pid}/fd/${fd} -> /dev/null\n`);
  });
});
