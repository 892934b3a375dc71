import type { FindingDraft, Unclaimed } from "../core/analyzer.ts";
import { groupBy } from "../core/group_by.ts";
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

/** The less the better: causes before symptoms, then by how direct it is. */
function evidenceOf({ draft }: Candidate): number {
  return (draft.symptomOf === undefined ? 0 : 3) + directness[draft.confidence];
}

/** Who gets a disputed byte: the better evidence, then who says that it is abnormal, then the larger claim. */
function byClaimRight(a: Candidate, b: Candidate): number {
  return (
    evidenceOf(a) - evidenceOf(b) ||
    Number(b.draft.material) - Number(a.draft.material) ||
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

/** What is left of each account. Without a ledger there are none, and nothing is cut. */
type Left = Map<AccountId, number>;

function take(left: Left, account: AccountId, bytes: number): number {
  const remaining = left.get(account);
  if (remaining === undefined) return bytes;
  const taken = Math.min(bytes, remaining);
  left.set(account, remaining - taken);
  return taken;
}

/**
 * Cuts the claims of candidates with equally good evidence: what one surely holds goes before what another one may hold.
 *
 * @param equals In the order of their right.
 */
function cutClaims(equals: readonly Candidate[], left: Left): Settled[] {
  const sure = equals.map((candidate) => ({
    candidate,
    lows: candidate.draft.claims.map(({ account, bytes }) => take(left, account, Math.min(bytes.low, bytes.high))),
  }));
  return sure.map(({ candidate, lows }) => {
    const claims = candidate.draft.claims.map(({ account, bytes }, i) => {
      const low = lows[i] as number;
      return { account, bytes: { low, high: low + take(left, account, bytes.high - Math.min(bytes.low, bytes.high)) } };
    });
    return { ...candidate, claims, bytes: sumRanges(claims) };
  });
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
  const left: Left = new Map(ledger?.accounts.map((account) => [account.id, Math.max(0, account.bytes)]));
  const tenants = new Map<AccountId, Set<string>>();
  const settled: Settled[] = [];
  const displaced: Displaced[] = [];
  const equals = groupBy([...candidates].sort(byClaimRight), evidenceOf);
  for (const { claims, ...rest } of [...equals.values()].flatMap((group) => cutClaims(group, left))) {
    const accounts = claims.map(({ account }) => account);
    const by = [...new Set(accounts.flatMap((account) => [...(tenants.get(account) ?? [])]))];
    if (isDisplaced(rest.draft, rest.bytes.high) && by.length > 0) {
      displaced.push({ cause: rest.cause, by, accounts });
      for (const { account, bytes } of claims) take(left, account, -bytes.high);
      continue;
    }
    for (const account of accounts) {
      const others = tenants.get(account);
      if (others === undefined) tenants.set(account, new Set([rest.cause]));
      else others.add(rest.cause);
    }
    settled.push({ ...rest, claims: claims.filter(({ bytes }) => bytes.high > 0) });
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
