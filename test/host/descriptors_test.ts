/** The commands of the descriptors collector, on this machine. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { descriptors } from "../../collectors/descriptors.ts";
import { parseAioRings } from "../../src/parsers/aio_rings.ts";

describe.skipIf(process.platform !== "linux")("descriptors (needs Linux)", () => {
  const opened = Array.from({ length: 100 }, () => openSync("/dev/null", "r"));
  afterAll(() => opened.slice(50).forEach(closeSync));

  const outputOf = (name: string): string => {
    const capture = descriptors.captures.find((each) => each.kind === "command" && each.as.endsWith(name));
    const [program = "", ...args] = (capture as { readonly argv: readonly string[] }).argv;
    return spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 * 2 ** 20 }).stdout;
  };

  it("lists all descriptors of a process with few, also where numbers are above how many there are", () => {
    opened.slice(0, 50).forEach(closeSync);
    const stdout = outputOf("/descriptor_samples");
    for (const fd of opened.slice(50)) expect(stdout).toContain(`/proc/${process.pid}/fd/${fd} -> /dev/null\n`);
  });
  it("has a list of AIO rings, be it empty, on a host that has hardly any", () => {
    expect(() => parseAioRings(outputOf("/aio_rings"), { facts: {}, warn() {} })).not.toThrow();
  });
});
