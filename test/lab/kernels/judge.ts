/** Whether what came out of a guest was analyzed rightly. */
import { writeFile } from "node:fs/promises";
import type { Report } from "../../../src/core/report.ts";
import { formatBytes } from "../../../src/core/format.ts";
import { causesIn } from "../../_expect.ts";
import { reportOn } from "../capture.ts";
import type { GuestFault } from "./expect.ts";
import type { Guest } from "./guest.ts";
import { wrongOfConsole, wrongOfGuest } from "./wrong.ts";

/** What is claimed may be off by this much of what is held. */
const TOLERANCE = 0.15;

/** What was said of a guest, in short, and what of it is wrong. */
export interface Judgement {
  readonly said: string;
  readonly wrong: readonly string[];
}

function wrongBytes({ findings }: Report, { expect: { cause } }: GuestFault, heldBytes: number | undefined): string[] {
  const { low, high } = findings.find((finding) => finding.cause === cause)?.bytes ?? { low: 0, high: 0 };
  if (heldBytes === undefined) return ["the fault program did not say what it held"];
  if (low >= (1 - TOLERANCE) * heldBytes && high <= (1 + TOLERANCE) * heldBytes) return [];
  return [`claims ${formatBytes(low)} to ${formatBytes(high)} of the ${formatBytes(heldBytes)} that were held`];
}

/** The kernel's lines from the first shortage to the next start, as somebody would save them; empty when there was none. */
export function shortageText(console: string): string {
  const lines = console.split("\n").filter((line) => /^\[ *\d+\.\d+\]/.test(line));
  const first = lines.findIndex((line) => /invoked oom-killer/.test(line));
  const rest = lines.slice(first === -1 ? lines.length : first);
  const boot = rest.findIndex((line) => line.includes("] Linux version "));
  return rest.slice(0, boot === -1 ? rest.length : boot).map((line) => `${line}\n`).join("");
}

/** What is said of the serial console alone. */
async function wrongConsole(fault: GuestFault, { console, bundle }: Guest): Promise<string[]> {
  if (fault.console === undefined) return [];
  const path = `${bundle}.console`;
  await writeFile(path, shortageText(console));
  return wrongOfConsole(await reportOn(path), fault);
}

/** Analyzes the bundle, and the console where it is a witness. */
export async function judge(fault: GuestFault, guest: Guest): Promise<Judgement> {
  const { bundle, heldBytes } = guest;
  const report = await reportOn(bundle);
  const [first] = causesIn(report);
  const event = fault.event ? report.findings.find(({ cause }) => cause === fault.expect.cause) : undefined;
  return {
    said: (report.verdict === "cause-found" ? first : event)?.confidence ?? report.verdict,
    wrong: [
      ...wrongOfGuest(report, fault),
      ...await wrongConsole(fault, guest),
      ...(fault.claimed ? wrongBytes(report, fault, heldBytes) : []),
    ],
  };
}
