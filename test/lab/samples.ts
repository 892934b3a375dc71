/**
 * Captures samples/*.tgz with the real collector while each fault of faults.ts is really held: `npm run samples` for all, or
 * `npm run samples -- friend-push user-leak` for some. No sample is made or edited by hand.
 *
 * Runs in a PID namespace of its own (see package.json), so that a sample shows the lab's processes and no other of this machine.
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { faults } from "./faults.ts";
import { withFault } from "./lab.ts";

const names = process.argv.slice(2);
const unknown = names.filter((name) => !faults.some((fault) => fault.name === name));
if (unknown.length > 0) {
  throw new Error(`no fault ${unknown.join(", ")}; there are ${faults.map(({ name }) => name).join(", ")}`);
}

for (const { name, program, args } of faults.filter((fault) => names.length === 0 || names.includes(fault.name))) {
  await withFault(program, args, ({ heldBytes, note }) => {
    execFileSync("node", ["dist/cli.js", "collect", "--quiet", "--interval", "2", "-o", `samples/${name}.tgz`]);
    console.log(`samples/${name}.tgz: held ${heldBytes} ${note}`);
    return Promise.resolve();
  });
}
