import { describe, expect, it } from "vitest";
import { type Analyzer, defineAnalyzer } from "../../src/core/analyzer.ts";
import type { Confidence } from "../../src/core/report.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";

const MIB = 2 ** 20;

function claims(id: string, bytes: number, confidence: Confidence): Analyzer {
  return defineAnalyzer({
    id,
    title: id,
    mechanism: "",
    lookAlikes: "",
    references: [],
    needs: { meminfo },
    uses: {},
    analyze: () => ({
      findings: [{
        title: id,
        confidence,
        material: true,
        claims: [{ account: "slab-unreclaimable", bytes: { low: bytes, high: bytes } }],
        owners: [],
        evidence: [],
        remedies: [],
      }],
    }),
  });
}

/** Claims whatever is left. */
function leftover(last: true | undefined): Analyzer {
  const base = claims("a-leftover", 0, "confirmed");
  return {
    ...base,
    ...(last === undefined ? {} : { last }),
    analyze: (_values, _facts, unclaimed) =>
      claims("a-leftover", unclaimed.get("slab-unreclaimable") ?? -1, "confirmed").analyze({}, {}, unclaimed),
  };
}

describe("an analyzer that runs last", () => {
  const files = { "proc/meminfo": meminfoText({ SUnreclaim: 500 * MIB }) };
  const bytes = async (analyzers: readonly Analyzer[]): Promise<unknown> =>
    Object.fromEntries(
      (await analyzeFiles(files, analyzers)).findings.map((finding) => [finding.cause, finding.bytes.high / MIB]),
    );

  it("is told what even mere possibilities leave, and takes nothing from them", async () => {
    expect(await bytes([leftover(true), claims("b", 100 * MIB, "possible"), claims("c", 300 * MIB, "likely")])).toEqual(
      {
        "a-leftover": 100,
        b: 100,
        c: 300,
      },
    );
  });

  it("is told of the whole ledger when nobody claims anything, as are all that do not run last", async () => {
    expect(await bytes([leftover(true)])).toEqual({ "a-leftover": 500 });
    expect(await bytes([leftover(undefined), claims("b", 100 * MIB, "possible")])).toEqual({ "a-leftover": 500 });
  });
});
