import type { Outcome } from "../core/analyzer.ts";
import { formatBytes } from "../core/format.ts";
import type { Ledger } from "../core/ledger.ts";
import { outcomeSchema } from "./report_schema.ts";

/**
 * Refuses what an analyzer cannot mean: what is no finding, or claims that at least more is held than the host has. Believed, they would displace
 * the findings of others. A claim of more than its account has is cut to that when the claims are settled: counters are read one after the other.
 *
 * @throws {TypeError} Saying which part is wrong.
 */
export function checkOutcome(outcome: Outcome, ledger: Ledger | undefined): void {
  // Compiling the schema takes longer than reading the few findings there are.
  const parsed = outcomeSchema.safeParse(outcome, { jitless: true });
  if (!parsed.success) {
    const [top] = parsed.error.issues;
    // Of the kinds of outcome, findings is the one that can be wrong in many places.
    const issue = top?.code === "invalid_union" ? top.errors.at(-1)?.[0] : top;
    throw new TypeError(`its outcome is wrong at ${issue?.path.join(".")}: ${issue?.message}`);
  }
  if (!("findings" in outcome)) return;
  const claims = outcome.findings.flatMap((draft) => draft.claims);
  const wrong = claims.find(({ bytes }) => !(bytes.low >= 0 && bytes.low <= bytes.high));
  if (wrong !== undefined) {
    const { account, bytes } = wrong;
    throw new TypeError(`it claims ${formatBytes(bytes.low)} to ${formatBytes(bytes.high)} of ${account}`);
  }
  const low = claims.reduce((sum, { bytes }) => sum + bytes.low, 0);
  if (ledger !== undefined && low > ledger.totalBytes) {
    throw new TypeError(`it claims ${formatBytes(low)} of a host that has ${formatBytes(ledger.totalBytes)}`);
  }
}
