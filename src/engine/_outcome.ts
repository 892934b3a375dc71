import type { Outcome } from "../core/analyzer.ts";
import { formatBytes } from "../core/format.ts";
import type { Ledger } from "../core/ledger.ts";
import { sumRanges } from "../core/sums.ts";

/**
 * Refuses what an analyzer cannot mean: claims that at least more is held than the host has. Believed, they would displace the findings of
 * others. A claim of more than its account has is cut to that when the claims are settled: counters are read one after the other.
 *
 * @throws {TypeError} Saying what it claims.
 */
export function checkClaims(outcome: Outcome, ledger: Ledger | undefined): void {
  if (!("findings" in outcome)) return;
  const claims = outcome.findings.flatMap((draft) => draft.claims);
  const wrong = claims.find(({ bytes }) => !(bytes.low >= 0 && bytes.low <= bytes.high));
  if (wrong !== undefined) {
    const { account, bytes } = wrong;
    throw new TypeError(`it claims ${formatBytes(bytes.low)} to ${formatBytes(bytes.high)} of ${account}`);
  }
  const { low } = sumRanges(claims);
  if (ledger !== undefined && low > ledger.totalBytes) {
    throw new TypeError(`it claims ${formatBytes(low)} of a host that has ${formatBytes(ledger.totalBytes)}`);
  }
}
