/**
 * Real faults on several real kernels, each in a guest of its own under QEMU (no KVM needed): what cannot be held on a shared machine, and
 * what differs from kernel to kernel. The shell collector runs inside, the analysis outside.
 *
 *     npm run kernels                       all kernels and faults of expect.ts; the table goes into README.md, too
 *     npm run kernels -- 5.10 7.2 idle      these kernels, this fault
 *     npm run kernels -- samples            those of samples/, which are captured anew; `samples oom` one of them
 *
 * NAILHOUSE_KERNELS_OUT=FOLDER keeps each guest's bundle and what its serial console showed.
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { table } from "table";
import { withFolder } from "../capture.ts";
import { type GuestFault, guestFaults, kernels } from "./expect.ts";
import { type BootImage, bootImage, fetchKernels, runGuest } from "./guest.ts";
import { judge, shortageText } from "./judge.ts";
import { markdown, writeReadme } from "../readme.ts";

const forSamples = process.argv.includes("samples");
const words = process.argv.slice(2).filter((word) => word !== "samples");
const known = [...kernels, ...guestFaults.map(({ name }) => name)];
const unknown = words.filter((word) => !known.includes(word));
if (unknown.length > 0) throw new Error(`no kernel or fault ${unknown.join(", ")}; there are ${known.join(", ")}`);

/** Those that are named, all of them if none is. */
function named<T>(all: readonly T[], name: (each: T) => string): readonly T[] {
  const some = all.filter((each) => words.includes(name(each)));
  return some.length === 0 ? all : some;
}

const keep = process.env["NAILHOUSE_KERNELS_OUT"];
const ERROR_LENGTH = 2000;
/** By `KERNEL FAULT`, the cell of the table. */
const cells = new Map<string, string>();
let wrongs = 0;

interface Trial {
  readonly kernel: string;
  readonly image: BootImage;
  readonly fault: GuestFault;
}

async function look({ kernel, image, fault }: Trial): Promise<string> {
  return await withFolder(async (work) => {
    const start = performance.now();
    const guest = await runGuest(image, fault, work);
    const seconds = Math.round((performance.now() - start) / 1000);
    if (keep !== undefined) {
      await copyFile(guest.bundle, join(keep, `${kernel}-${fault.name}.tgz`));
      await writeFile(join(keep, `${kernel}-${fault.name}.txt`), guest.console);
    }
    if (forSamples) {
      const name = `samples/guest-${kernel}-${fault.name}`;
      await copyFile(guest.bundle, `${name}.tgz`);
      if (fault.console !== undefined) await writeFile(`${name}.txt`, shortageText(guest.console));
    }
    const { said, wrong } = await judge(fault, guest);
    wrongs += wrong.length;
    return `${wrong.length === 0 ? said : `WRONG: ${wrong.join("; ")}`}, ${seconds} s`;
  });
}

/** One guest that does not boot says nothing of the others. */
async function fill(trial: Trial): Promise<void> {
  const { kernel, fault } = trial;
  const cell = await look(trial).catch((error: Error) => {
    wrongs++;
    return `FAILED: ${error.message.split("\n", 1)[0]?.slice(0, ERROR_LENGTH)}`;
  });
  cells.set(`${kernel} ${fault.name}`, cell);
  console.error(`${kernel} ${fault.name}: ${cell}`);
}

const faults = named(guestFaults, ({ name }) => name).filter(({ sample }) => !forSamples || sample !== undefined);
const wanted = named(kernels, (kernel) => kernel).filter((kernel) =>
  !forSamples || faults.some(({ sample }) => sample === kernel)
);
const found = await fetchKernels(wanted);
if (found.length === 0) throw new Error("Cannot boot any kernel: see above why none could be fetched");
if (keep !== undefined) await mkdir(keep, { recursive: true });
await withFolder(async (work) => {
  const trials: Trial[] = [];
  for (const kernel of found) {
    const folder = join(work, kernel);
    await mkdir(folder);
    const image = await bootImage(kernel, folder);
    const tried = faults.filter(({ sample }) => !forSamples || sample === kernel);
    trials.push(...tried.map((fault) => ({ kernel, image, fault })));
  }
  // One for each CPU. In between others may have the lab.
  while (trials.length > 0) await Promise.all(trials.splice(0, availableParallelism()).map(fill));
});

const head = ["held", "expected", ...found];
const rows = faults.map(({ name, expect: { cause } }) => [
  name,
  cause,
  ...found.map((kernel) => cells.get(`${kernel} ${name}`) ?? ""),
]);
console.log(table([head, ...rows], { columnDefault: { width: 16, wrapWord: true } }));
console.log(wrongs === 0 ? "all as expected" : `${wrongs} wrong`);
if (found.length === kernels.length && faults.length === guestFaults.length) {
  await writeReadme("kernels", [`Measured ${new Date().toISOString().slice(0, 10)}.`, markdown(head, rows)]);
}
process.exitCode = wrongs === 0 ? 0 : 1;
