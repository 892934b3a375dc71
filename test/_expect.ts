import type { Finding, Report } from "../src/core/report.ts";
import type { CaptureKind, Expectation } from "./lab/faults.ts";

/** What a report names, the first one first, without mere symptoms. */
export function causesIn({ findings }: Report): readonly Finding[] {
  return findings.filter(({ symptomOf }) => symptomOf === null);
}

/** Whom a report accuses: more than is normal, and more than a possibility. */
export function accusations(report: Report): readonly Finding[] {
  return causesIn(report).filter(({ material, confidence }) => material && confidence !== "possible");
}

/** What a report says that it should not, against what was really held; empty when the answer is right. */
export function wrongAnswers(report: Report, expected: Expectation, kind: CaptureKind): string[] {
  const { cause, also = [], not } = expected;
  const { findings, verdict } = report;
  const unclear = cause === "healthy" && kind !== "growing" && expected[kind] === "possible";
  const wrong = [
    ...accusations(report).filter((f) => f.cause !== cause && !(unclear && f.cause === not)).map((f) =>
      `accuses ${f.cause} (${f.confidence}): ${f.title}`
    ),
    // One snapshot cannot tell whether a large queue is being read: that is a possibility.
    ...findings.filter((f) => f.cause === not && f.material && kind === "growing").map((f) =>
      `${f.cause} is material: ${f.title}`
    ),
    ...also.filter((id) => findings.every((f) => f.cause !== id)).map((id) => `does not tell of ${id}`),
  ];
  if (cause === "healthy") return verdict === "healthy" || unclear ? wrong : [...wrong, `verdict ${verdict}`];
  const [first] = causesIn(report);
  if (kind !== "growing" && expected[kind] === "possible") {
    return first?.cause === cause && first.confidence !== "possible"
      ? [...wrong, `is too sure: ${first.title}`]
      : wrong;
  }
  if (first === undefined) return [...wrong, `names nothing (verdict ${verdict})`];
  if (first.cause !== cause) return [...wrong, `names ${first.cause} first: ${first.title}`];
  if (first.confidence === "possible") return [...wrong, `is not sure: ${first.title}`];
  return first.material && verdict === "cause-found"
    ? wrong
    : [...wrong, `verdict ${verdict}, material ${first.material}`];
}

/** What the lab saw of it, or that and why it has not tried it. */
const MARK = /(Measured|Tried) on Linux [\d.]+, \d{4}-\d\d-\d\d: |Not verified by nailhouse's lab: \w/;

/** That the ledger adds up, that no byte is claimed twice, that all evidence is quoted, and that each remedy says whether it was tried. */
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
  for (const { cause, evidence, bytes, remedies } of findings) {
    for (const { text } of remedies) {
      if (!MARK.test(text)) broken.push(`${cause} does not say whether this was tried: ${text}`);
    }
    if (evidence.length === 0) broken.push(`${cause} has no evidence`);
    if (bytes.low > bytes.high) broken.push(`${cause}: low ${bytes.low} above high ${bytes.high}`);
  }
  return broken;
}
