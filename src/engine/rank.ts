import type { FindingDraft, Unclaimed } from "../core/analyzer.ts";
import type { AccountId, Ledger } from "../core/ledger.ts";
import type { ByteRange, Claim, Confidence } from "../core/report.ts";
import { sumRanges } from "../core/sums.ts";

/** A draft with the id of the analyzer that made it. */
export interface Candidate {
  readonly cause: string;
  readonly draft: FindingDraft;
}

/** A draft whose claims have been cut to what the accounts hold and other findings left over. */
export interface Settled extends Candidate {
  readonly claims: readonly Claim[];
  readonly bytes: ByteRange;
}

/** A draft whose every byte is held by findings with better evidence. */
export interface Displaced {
  readonly cause: string;
  readonly by: readonly string[];
  readonly accounts: readonly AccountId[];
}

const directness: { readonly [C in Confidence]: number } = { confirmed: 0, likely: 1, possible: 2 };

function claimed(draft: FindingDraft): number {
  return sumRanges(draft.claims).low;
}

/** Who gets a disputed byte: causes before symptoms, then the better evidence, then the larger claim. */
function byClaimRight(a: Candidate, b: Candidate): number {
  return (
    Number(a.draft.symptomOf !== undefined) - Number(b.draft.symptomOf !== undefined) ||
    directness[a.draft.confidence] - directness[b.draft.confidence] ||
    claimed(b.draft) - claimed(a.draft) ||
    (a.cause < b.cause ? -1 : 1)
  );
}

/** Of a mere possibility this much is too little to tell of: the counters of two accounts differ by as much. */
const NEXT_TO_NOTHING = 0.05;

function isDisplaced(draft: FindingDraft, left: number): boolean {
  const all = claimed(draft);
  return all > 0 && left <= (draft.confidence === "possible" ? NEXT_TO_NOTHING * all : 0);
}

/**
 * Cuts every claim to what its account holds, so that a byte has one tenant: the high ends of all claims on an account never add up to
 * more than the account.
 *
 * Without a ledger, claims stand as they are.
 */
export function settleClaims(
  candidates: readonly Candidate[],
  ledger: Ledger | undefined,
): { settled: Settled[]; displaced: Displaced[]; unclaimed: Unclaimed } {
  const left = new Map(ledger?.accounts.map((account) => [account.id, Math.max(0, account.bytes)]));
  const tenants = new Map<AccountId, Set<string>>();
  const settled: Settled[] = [];
  const displaced: Displaced[] = [];
  for (const candidate of [...candidates].sort(byClaimRight)) {
    const claims = candidate.draft.claims.map(({ account, bytes }) => {
      const high = Math.min(bytes.high, left.get(account) ?? bytes.high);
      return { account, bytes: { low: Math.min(bytes.low, high), high } };
    });
    const bytes = sumRanges(claims);
    const accounts = claims.map((claim) => claim.account);
    const by = [...new Set(accounts.flatMap((account) => [...(tenants.get(account) ?? [])]))];
    if (isDisplaced(candidate.draft, bytes.high) && by.length > 0) {
      displaced.push({ cause: candidate.cause, by, accounts });
      continue;
    }
    for (const claim of claims) {
      const remaining = left.get(claim.account);
      if (remaining !== undefined) left.set(claim.account, remaining - claim.bytes.high);
      const others = tenants.get(claim.account);
      if (others === undefined) tenants.set(claim.account, new Set([candidate.cause]));
      else others.add(candidate.cause);
    }
    settled.push({ ...candidate, claims: claims.filter((claim) => claim.bytes.high > 0), bytes });
  }
  return { settled, displaced, unclaimed: left };
}

function tier({ draft }: Candidate): number {
  if (draft.symptomOf !== undefined) return 3;
  if (draft.confidence === "possible") return 2;
  return draft.material ? 0 : 1;
}

/**
 * What the kernel gives back by itself when memory is short explains no shortage. Page cache is not among it: who claims some of it says
 * that it is not given back.
 */
const GIVEN_BACK: ReadonlySet<AccountId> = new Set([
  "free",
  "per-cpu-free-lists",
  "buffers",
  "slab-reclaimable",
  "kernel-misc-reclaimable",
]);

/** The least that it explains of a shortage. */
function explainedBytes({ claims }: Settled): number {
  return sumRanges(claims.filter(({ account }) => !GIVEN_BACK.has(account))).low;
}

/**
 * The order of the report: material causes with evidence, then immaterial ones, then mere possibilities, then symptoms. Within each what
 * grows comes before what is merely large, then by bytes (those that explain a shortage first), then by how direct the evidence is.
 */
export function byRank(a: Settled, b: Settled): number {
  const grows = (s: Settled): number => ((s.draft.growthBytesPerSecond?.low ?? 0) > 0 ? 0 : 1);
  return (
    tier(a) - tier(b) ||
    grows(a) - grows(b) ||
    explainedBytes(b) - explainedBytes(a) ||
    b.bytes.low - a.bytes.low ||
    b.bytes.high - a.bytes.high ||
    directness[a.draft.confidence] - directness[b.draft.confidence] ||
    (a.cause < b.cause ? -1 : 1)
  );
}
