/**
 * The real thing: faults are held on this machine, collected with the command line, and analyzed. Root and Linux only; elsewhere it is
 * skipped, and says so.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import type { Report } from "../../src/core/report.ts";
import { accusations, brokenPromises, wrongAnswers } from "../_expect.ts";
import { withFaults, withFolder } from "./capture.ts";
import { type Expectation, faults, mixes } from "./faults.ts";
import { labAvailable, releaseAll, withLabLock } from "./lab.ts";

const run = promisify(execFile);
const available = await labAvailable();
if (!available) console.warn("the live lab is skipped: it needs Linux, root, gcc and flock");

/** The bytes of some accounts together. */
function bytesOf({ ledger }: Report, accounts: Expectation["accounts"]): number {
  if (ledger === null) throw new Error("the report has no ledger");
  return accounts.reduce((sum, id) => sum + (ledger.accounts.find((account) => account.id === id)?.bytes ?? 0), 0);
}

/** What the command line makes of this machine. */
async function look(...collectOptions: string[]): Promise<Report> {
  return await withFolder(async (folder) => {
    const bundle = `${folder}/bundle.tgz`;
    await run("node", ["dist/cli.js", "collect", "--quiet", "-o", bundle, ...collectOptions]);
    const { stdout } = await run("node", ["dist/cli.js", "analyze", bundle, "-f", "json"], { maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as Report;
  });
}

/** What the ledger needs, and no more. */
const lookAtMemory = () => look("--only", "memory", "--snapshots", "1");
const lookAtAll = () => look("--snapshots", "3", "--interval", "1");

describe.skipIf(!available)("a fault that is really held", () => {
  afterAll(releaseAll);

  for (const { name, expect: expected } of faults.filter(({ live }) => live)) {
    const answer = expected.cause === "healthy" ? "nobody is accused" : `${expected.cause} comes first`;
    it(`${name}: ${answer}, and the ledger shows it`, async () => {
      await withLabLock(async () => {
        const before = await lookAtMemory();
        const { heldBytes, report } = await withFaults([name], async ([held]) => ({
          heldBytes: held!.heldBytes,
          report: await lookAtAll(),
        }));
        expect(wrongAnswers(report, expected, "growing")).toEqual([]);
        expect(brokenPromises(report)).toEqual([]);
        if (Number.isFinite(expected.ratio[1])) {
          const grown = bytesOf(report, expected.accounts) - bytesOf(before, expected.accounts);
          expect(grown / heldBytes).toBeGreaterThanOrEqual(expected.ratio[0]);
          expect(grown / heldBytes).toBeLessThanOrEqual(expected.ratio[1]);
        }
      });
    });
  }

  for (const { name, faults, causes } of mixes) {
    it(`${name}: all are found, and no byte is claimed twice`, async () => {
      const report = await withFaults(faults, lookAtAll);
      expect(accusations(report).map(({ cause }) => cause)).toEqual(causes);
      expect(brokenPromises(report)).toEqual([]);
    });
  }
});
