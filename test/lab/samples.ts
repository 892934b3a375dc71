/**
 * Captures samples/ while each fault of faults.ts is really held, by our own collector (NAME.tgz) and by Debian's sos (NAME.sos.tar.gz):
 * `npm run samples` for all, or `npm run samples -- friend-push user-leak` for some. No sample is made or edited by hand.
 *
 * Runs in a PID namespace of its own (see package.json), so that a sample shows the lab's processes and no other of this machine.
 */
import { stat } from "node:fs/promises";
import { formatBytes } from "../../src/core/format.ts";
import { chosen, collect, sosreport } from "./capture.ts";
import { faults, hasSosSample } from "./faults.ts";
import { withFault } from "./lab.ts";

for (const fault of chosen(faults)) {
  await withFault(fault.program, fault.args, async ({ heldBytes, note }) => {
    const captured = async (path: string, capture: (path: string) => Promise<void>): Promise<void> => {
      await capture(path);
      console.log(`${path}, ${formatBytes((await stat(path)).size)}: held ${heldBytes} ${note}`);
    };
    await captured(`samples/${fault.name}.tgz`, (path) => collect(path, 3, 2));
    if (!hasSosSample(fault)) return;
    // MiB of what a command prints: of a descriptor leak lsof prints 40.
    await captured(`samples/${fault.name}.sos.tar.gz`, (path) => sosreport(path, "--log-size", "4"));
  });
}
