/**
 * An old and a new Debian kernel under QEMU, a fault in each, the shell collector inside. Skipped where no kernel was fetched: .ci/run does it,
 * and `npm run kernels`, which tries five kernels and all faults.
 */
import { describe, expect, it } from "vitest";
import { withFolder } from "../capture.ts";
import { labAvailable } from "../lab.ts";
import { guestFaults, NEW, OLD } from "./expect.ts";
import { bootImage, fetchedKernels, runGuest } from "./guest.ts";
import { judge } from "./judge.ts";

const FAULTS = guestFaults.filter(({ name }) => ["idle", "udp", "memfd", "oom"].includes(name));

const [[old], [young]] = await Promise.all([fetchedKernels(OLD), fetchedKernels(NEW)]);
const available = await labAvailable() && old !== undefined && young !== undefined;
if (!available) {
  console.warn("the guests are skipped: they need the lab, and kernels: test/lab/kernels/fetch.sh 5.10,6.1 7.2,6.18");
}

describe.skipIf(!available)("a guest of Debian (skipped without the lab and fetched kernels)", () => {
  // Both at once: each takes one CPU.
  it.concurrent.each([["old", old], ["new", young]])("of the %s kernel: each fault is told", async (_age, kernel) => {
    const wrong = await withFolder(async (folder) => {
      const image = await bootImage(kernel as string, folder);
      const answers: Record<string, readonly string[]> = {};
      for (const fault of FAULTS) {
        answers[fault.name] = await withFolder(async (work) =>
          (await judge(fault, await runGuest(image, fault, work))).wrong
        );
      }
      return answers;
    });
    expect(wrong).toEqual(Object.fromEntries(FAULTS.map(({ name }) => [name, []])));
  });
});
