import { describe, expect, it } from "vitest";
import type { HostDigest } from "../../src/core/summary.ts";
import { digest, summarize } from "../../src/engine/summarize.ts";
import { renderSummaryMarkdown, renderSummaryText } from "../../src/render/summary_text.ts";
import { friendPush } from "../render/_hostile.ts";

const MIB = 2 ** 20;

function host(path: string, mib: number, more: Partial<HostDigest> = {}): HostDigest {
  return {
    path,
    hostname: path,
    kernelRelease: "6.1.0",
    totalBytes: 2 ** 33,
    verdict: mib > 0 ? "cause-found" : "healthy",
    pressure: "none",
    headline: mib > 0 ? `pusher: ${mib} MiB unread` : "No leak found",
    accusations: mib > 0
      ? [{ cause: "socket-backlog-udp", confidence: "likely", bytes: mib * MIB, programs: ["pusher"] }]
      : [],
    shares: { anon: 0.2, "page-cache": Math.min(0.7, mib / 1000) },
    ...more,
  };
}

describe("digest()", () => {
  it("keeps what made the verdict, and the shares of all accounts", async () => {
    const kept = digest("a.tgz", await friendPush(), "friend_push");
    expect(kept.accusations).toMatchObject([{ cause: "socket-backlog-udp", programs: ["friend_push"] }]);
    expect(Object.values(kept.shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
    expect(JSON.stringify(kept).length).toBeLessThan(3000);
  });
});

describe("summarize()", () => {
  it("counts causes by hosts, and puts the worst first", () => {
    const leak = { cause: "user-leak", confidence: "likely" as const, bytes: 900 * MIB, programs: ["java"] };
    const { causes, hosts, verdicts } = summarize([
      host("a", 100),
      host("b", 0),
      host("c", 300, { kernelRelease: "5.10.0" }),
      host("d", 0, { accusations: [leak, { ...leak, programs: ["node"] }], verdict: "cause-found" }),
    ], []);
    expect(verdicts).toEqual({ "cause-found": 3, healthy: 1 });
    expect(causes).toEqual([
      {
        cause: "socket-backlog-udp",
        hosts: 2,
        bytes: 400 * MIB,
        worst: { path: "c", bytes: 300 * MIB },
        kernels: [{ name: "5.10.0", hosts: 1 }, { name: "6.1.0", hosts: 1 }],
        programs: [{ name: "pusher", hosts: 2 }],
      },
      {
        cause: "user-leak",
        hosts: 1,
        bytes: 1800 * MIB,
        worst: { path: "d", bytes: 1800 * MIB },
        kernels: [{ name: "6.1.0", hosts: 1 }],
        programs: [{ name: "java", hosts: 1 }, { name: "node", hosts: 1 }],
      },
    ]);
    expect(hosts.map(({ path }) => path)).toEqual(["d", "c", "a", "b"]);
  });

  it("names a host that is unlike the others, by what is not given back", () => {
    const usual = Array.from(
      { length: 9 },
      (_, i) => host(`h${i}`, i * 100, { shares: { anon: 0.2 + i / 100, "page-cache": i / 20 } }),
    );
    const odd = host("odd", 0, { shares: { anon: 0.9, "page-cache": 0.99 } });
    expect(summarize([...usual, odd], []).outliers).toMatchObject([{ path: "odd", account: "anon", share: 0.9 }]);
    expect(summarize(usual, []).outliers).toEqual([]);
    // Two or three hosts have no usual share.
    expect(summarize([...usual.slice(0, 3), odd], []).outliers).toEqual([]);
  });

  it("says nothing was found when nothing was", () => {
    expect(renderSummaryText(summarize([host("a", 0), host("b", 0)], []))).toMatch(/^No cause found in 2 bundles\./);
  });
});

describe("a summary that is rendered", () => {
  const evil = "<img src=x>\u001b[31m|\u202e";
  const summary = summarize([host(evil, 100, { headline: evil }), host("b", 0)], [{
    path: "c.tgz",
    problem: "it is empty",
  }]);

  it("fits a terminal, answers first, and has no escapes of a bundle in it", () => {
    const text = renderSummaryText(summary);
    expect(text).toMatch(/^A cause in 1 of 2 bundles, most often socket-backlog-udp \(1\)./);
    expect(text).toContain("c.tgz: it is empty");
    expect(text).not.toContain("\u001b");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("has no markup of a bundle in Markdown", () => {
    expect(renderSummaryMarkdown(summary)).not.toMatch(/(?<!\\)<img/);
  });
});
