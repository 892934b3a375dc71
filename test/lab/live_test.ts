/**
 * The real thing: each fault is held on this machine, collected with the command line, and analyzed. Root and Linux only; elsewhere it is
 * skipped, and says so.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accountBytes } from "../../src/core/ledger.ts";
import type { Report } from "../../src/core/report.ts";
import { brokenPromises, wrongAnswers } from "../_expect.ts";
import { type Fault, faults } from "./faults.ts";
import { labAvailable, releaseAll, withFault, withLabLock } from "./lab.ts";

const run = promisify(execFile);
const available = await labAvailable();
if (!available) console.warn("the live lab is skipped: it needs Linux, root, gcc and flock");

/** The bytes of some accounts together. */
function held(report: Report, accounts: Fault["expect"]["accounts"]): number {
  return accounts.reduce(
    (sum, id) => sum + (report.ledger === null ? 0 : accountBytes({ ...report.ledger, availableBytes: 0 }, id) ?? 0),
    0,
  );
}

describe.skipIf(!available)("a fault that is really held", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "nailhouse-lab-"));
  });
  afterAll(async () => {
    await releaseAll();
    await rm(folder, { recursive: true });
  });

  async function capture(name: string, snapshots: number): Promise<Report> {
    const bundle = join(folder, `${name}.tgz`);
    await run("node", [
      "dist/cli.js",
      "collect",
      "--quiet",
      "--snapshots",
      String(snapshots),
      "--interval",
      "1",
      "-o",
      bundle,
    ]);
    const { stdout } = await run("node", ["dist/cli.js", "analyze", bundle, "-f", "json"], { maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as Report;
  }

  for (const { name, program, args, expect: expected } of faults) {
    it(`${name}: ${expected.cause === "healthy" ? "nobody is accused" : `${expected.cause} comes first`}, and the ledger shows it`, async () => {
      await withLabLock(async () => {
        const before = await capture("before", 1);
        const { report, heldBytes } = await withFault(program, args, async (fault) => ({
          report: await capture(name, 3),
          heldBytes: fault.heldBytes,
        }));
        expect(wrongAnswers(report, expected)).toEqual([]);
        expect(brokenPromises(report)).toEqual([]);
        if (expected.accounts.length > 0 && Number.isFinite(expected.ratio[1])) {
          const grown = held(report, expected.accounts) - held(before, expected.accounts);
          expect(grown / heldBytes).toBeGreaterThanOrEqual(expected.ratio[0]);
          expect(grown / heldBytes).toBeLessThanOrEqual(expected.ratio[1]);
        }
      });
    });
  }
});
