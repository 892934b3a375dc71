/** Whether what came out of a guest was analyzed rightly. */
import type { Report } from "../../../src/core/report.ts";
import { formatBytes } from "../../../src/core/format.ts";
import { brokenPromises, causesIn, wrongAnswers } from "../../_expect.ts";
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

/** Analyzes the bundle. */
export async function judge(fault: GuestFault, { bundle, heldBytes }: Guest): Promise<Judgement> {
  const report = await reportOn(bundle);
  const [first] = causesIn(report);
  return {
    said: report.verdict === "cause-found" && first !== undefined ? `${first.confidence}` : report.verdict,
    wrong: [
      ...wrongAnswers(report, fault.expect, "growing"),
      ...brokenPromises(report),
      ...(fault.claimed ? wrongBytes(report, fault, heldBytes) : []),
    ],
  };
}
