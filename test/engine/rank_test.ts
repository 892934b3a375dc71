import { describe, expect, it } from "vitest";
import type { FindingDraft } from "../../src/core/analyzer.ts";
import type { Ledger } from "../../src/core/ledger.ts";
import { byRank, settleClaims } from "../../src/engine/rank.ts";

const ledger: Ledger = {
  totalBytes: 1000,
  availableBytes: 500,
  accounts: [
    { id: "anon", title: "", bytes: 300, sources: [] },
    { id: "unaccounted", title: "", bytes: -5, sources: [] },
  ],
  missing: [],
};

function draft(low: number, high: number, rest: Partial<FindingDraft> = {}): FindingDraft {
  return {
    title: "",
    confidence: "likely",
    material: true,
    claims: [{ account: "anon", bytes: { low, high } }],
    owners: [],
    evidence: [],
    remedies: [],
    ...rest,
  };
}

describe("settleClaims()", () => {
  it("never lets claims on an account add up to more than it holds", () => {
    const { settled } = settleClaims([
      { cause: "a", draft: draft(200, 250) },
      { cause: "b", draft: draft(200, 250, { confidence: "confirmed" }) },
      { cause: "c", draft: draft(10, 20, { confidence: "possible" }) },
    ], ledger);
    const high = settled.flatMap((s) => s.claims).reduce((sum, claim) => sum + claim.bytes.high, 0);
    expect(high).toBeLessThanOrEqual(300);
    expect(settled.find(({ cause }) => cause === "b")?.bytes).toEqual({ low: 200, high: 250 });
    expect(settled.find(({ cause }) => cause === "a")?.bytes).toEqual({ low: 50, high: 50 });
  });

  it("lets what one surely holds go before what another one with as good evidence may hold", () => {
    const { settled } = settleClaims([
      { cause: "a", draft: draft(8, 240) },
      { cause: "b", draft: draft(240, 240) },
    ], ledger);
    expect(Object.fromEntries(settled.map(({ cause, bytes }) => [cause, bytes]))).toEqual({
      a: { low: 8, high: 60 },
      b: { low: 240, high: 240 },
    });
  });

  it("gives a byte to who says that it is abnormal before who says that it is usual, with as good evidence", () => {
    const { settled } = settleClaims([
      { cause: "usual", draft: draft(300, 300, { confidence: "possible", material: false }) },
      { cause: "pinned", draft: draft(100, 120, { confidence: "possible" }) },
    ], ledger);
    expect(Object.fromEntries(settled.map(({ cause, bytes }) => [cause, bytes]))).toEqual({
      pinned: { low: 100, high: 100 },
      usual: { low: 200, high: 200 },
    });
  });

  it("reports a cause as displaced when others hold all its bytes", () => {
    const { displaced } = settleClaims([
      { cause: "a", draft: draft(300, 300, { confidence: "confirmed" }) },
      { cause: "b", draft: draft(100, 100) },
    ], ledger);
    expect(displaced).toEqual([{ cause: "b", by: ["a"], accounts: ["anon"] }]);
  });

  it("does not tell of a mere possibility of which next to nothing is left", () => {
    const settle = (confidence: "possible" | "likely") =>
      settleClaims([
        { cause: "a", draft: draft(297, 297, { confidence: "confirmed" }) },
        { cause: "b", draft: draft(280, 280, { confidence }) },
      ], ledger);
    expect(settle("possible").displaced).toMatchObject([{ cause: "b", by: ["a"] }]);
    expect(settle("likely").settled.map(({ cause }) => cause)).toEqual(["a", "b"]);
  });

  it("lets nothing be claimed of a negative account", () => {
    const claims = [{ account: "unaccounted", bytes: { low: 50, high: 50 } }] as const;
    expect(settleClaims([{ cause: "a", draft: draft(0, 0, { claims }) }], ledger).settled[0]?.bytes).toEqual({
      low: 0,
      high: 0,
    });
  });

  it("leaves claims as they are without a ledger", () => {
    expect(settleClaims([{ cause: "a", draft: draft(900, 900) }], undefined).settled[0]?.bytes).toEqual({
      low: 900,
      high: 900,
    });
  });
});

describe("byRank()", () => {
  function order(drafts: { [cause: string]: FindingDraft }): string[] {
    const candidates = Object.entries(drafts).map(([cause, d]) => ({ cause, draft: d }));
    return settleClaims(candidates, undefined).settled.sort(byRank).map(({ cause }) => cause);
  }

  it("puts what grows before what is merely large", () => {
    const growing = draft(100, 100, { growthBytesPerSecond: { low: 1, high: 2 } });
    expect(order({ large: draft(200, 200), growing })).toEqual(["growing", "large"]);
  });

  it("puts page cache that somebody holds before less of what a process has, and behind it what the kernel gives back", () => {
    const cache = draft(0, 0, { claims: [{ account: "page-cache", bytes: { low: 200, high: 200 } }] });
    const slab = draft(0, 0, { claims: [{ account: "slab-reclaimable", bytes: { low: 900, high: 900 } }] });
    expect(order({ slab, process: draft(100, 100), cache })).toEqual(["cache", "process", "slab"]);
  });

  it("never lets a symptom outrank a cause", () => {
    expect(order({ symptom: draft(900, 900, { symptomOf: "cause" }), cause: draft(1, 1, { confidence: "possible" }) }))
      .toEqual([
        "cause",
        "symptom",
      ]);
  });

  it("puts a possibility behind evidence, however large", () => {
    expect(order({ perhaps: draft(900, 900, { confidence: "possible" }), surely: draft(100, 100) })).toEqual([
      "surely",
      "perhaps",
    ]);
  });
});
