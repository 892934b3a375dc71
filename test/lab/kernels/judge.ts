/** Whether what came out of a guest was analyzed rightly. */
import { writeFile } from "node:fs/promises";
import type { Report } from "../../../src/core/report.ts";
import { formatBytes } from "../../../src/core/format.ts";
import { accusations, brokenPromises, causesIn, wrongAnswers } from "../../_expect.ts";
import { reportOn } from "../capture.ts";
import type { GuestFault } from "./expect.ts";
import type { Guest } from "./guest.ts";

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

/** After the fact: it must be told, and of those who are there now nobody accused. */
function wrongEvent(report: Report, event: string): string[] {
  const found = report.findings.find(({ cause }) => cause === event);
  return [
    ...(found?.confidence === "confirmed" && found.material ? [] : [`is not sure of ${event}`]),
    ...accusations(report).map(({ cause, confidence }) => `accuses ${cause} (${confidence})`),
  ];
}

/** The kernel's lines from the first shortage to the last one, as somebody would save them; empty when there was none. */
function shortageText(console: string): string {
  const lines = console.split("\n").filter((line) => /^\[ *\d+\.\d+\]/.test(line));
  const first = lines.findIndex((line) => /invoked oom-killer/.test(line));
  const rest = lines.slice(first === -1 ? lines.length : first);
  const boot = rest.findIndex((line) => line.includes("] Linux version "));
  return rest.slice(0, boot === -1 ? rest.length : boot).map((line) => `${line}\n`).join("");
}

/** What is said of the serial console alone. */
async function wrongConsole({ console: expected }: GuestFault, { console, bundle }: Guest): Promise<string[]> {
  if (expected === undefined) return [];
  const path = `${bundle}.console`;
  await writeFile(path, shortageText(console));
  const report = await reportOn(path);
  const titles = report.findings.map(({ title }) => title);
  return titles.some((title) => expected.test(title)) ? [] : [`of the console: ${titles.join("; ") || "nothing"}`];
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
      ...(fault.event ? wrongEvent(report, fault.expect.cause) : wrongAnswers(report, fault.expect, "growing")),
      ...await wrongConsole(fault, guest),
      ...brokenPromises(report),
      ...(fault.claimed ? wrongBytes(report, fault, heldBytes) : []),
    ],
  };
}
