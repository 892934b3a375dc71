import type { Report } from "../src/core/report.ts";
import type { Fault } from "./lab/faults.ts";

/** What a report says that it should not, against what was really held; empty when the answer is right. */
export function wrongAnswers(report: Report, { cause }: Fault["expect"]): string[] {
  const accusations = report.findings.filter((f) => f.material && f.confidence !== "possible" && f.symptomOf === null);
  const [first] = report.findings;
  if (cause === "healthy") {
    const wrong = accusations.map((f) => `accuses a healthy host: ${f.cause} (${f.confidence}), ${f.title}`);
    return report.verdict === "healthy" ? wrong : [...wrong, `verdict ${report.verdict}`];
  }
  const wrong = accusations.filter((f) => f.cause !== cause).map((f) =>
    `names ${f.cause} (${f.confidence}) as well: ${f.title}`
  );
  if (first === undefined) return [...wrong, `names nothing (verdict ${report.verdict})`];
  if (first.cause !== cause) wrong.push(`names ${first.cause} first: ${first.title}`);
  else if (first.confidence === "possible") wrong.push(`is not sure: ${first.title}`);
  else if (!first.material || report.verdict !== "cause-found") {
    wrong.push(`verdict ${report.verdict}, material ${first.material}`);
  }
  return wrong;
}

/** That the ledger adds up, that no byte is claimed twice, and that all evidence is quoted. */
export function brokenPromises({ ledger, findings }: Report): string[] {
  const broken: string[] = [];
  const sum = ledger?.accounts.reduce((bytes, account) => bytes + account.bytes, 0);
  if (ledger !== null && sum !== ledger.totalBytes) {
    broken.push(`the accounts add up to ${sum}, not ${ledger.totalBytes}`);
  }
  for (const { id, bytes } of ledger?.accounts ?? []) {
    const claimed = findings.flatMap((f) => f.claims).filter((claim) => claim.account === id);
    const high = claimed.reduce((total, claim) => total + claim.bytes.high, 0);
    if (high > Math.max(0, bytes)) broken.push(`${high} bytes are claimed of ${id}, which has ${bytes}`);
  }
  for (const { cause, evidence, bytes } of findings) {
    if (evidence.length === 0) broken.push(`${cause} has no evidence`);
    if (bytes.low > bytes.high) broken.push(`${cause}: low ${bytes.low} above high ${bytes.high}`);
  }
  return broken;
}
