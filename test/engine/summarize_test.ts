import { describe, expect, it } from "vitest";
import { digest, summarize } from "../../src/engine/summarize.ts";
import { friendPush } from "../render/_hostile.ts";
import { fleetHost as host, MIB } from "../render/_fleet.ts";

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

  it("takes for unusual only what a few hosts have", () => {
    const hosts = Array.from({ length: 8 }, (_, i) => host(`h${i}`, 0, { shares: { anon: i < 3 ? 0.9 : 0.1 } }));
    expect(summarize(hosts, []).outliers).toEqual([]);
    expect(summarize([...hosts.slice(2)], []).outliers).toMatchObject([{ path: "h2", account: "anon" }]);
  });

  it("puts hosts that ran out of memory first where no cause is proven, the fullest of them first", () => {
    const oom = { outOfMemory: "host", pressure: "exhausted", verdict: "insufficient-evidence" } as const;
    const { hosts, outOfMemory, suspects } = summarize([
      host("quiet", 0),
      host("short", 0, { pressure: "short" }),
      host("group", 0, { outOfMemory: "control-group", suspects: ["user-leak"], verdict: "insufficient-evidence" }),
      host("oom", 0, { ...oom, suspects: ["user-leak"], shares: { anon: 0.5, "page-cache": 0.4 } }),
      host("fuller", 0, { ...oom, suspects: ["slab-leak"], shares: { "slab-unreclaimable": 0.8 } }),
      host("held", 1),
    ], []);
    expect(hosts.map(({ path }) => path)).toEqual(["held", "fuller", "oom", "group", "short", "quiet"]);
    expect(outOfMemory).toEqual({ host: 2, "control-group": 1 });
    expect(suspects).toEqual([{ name: "user-leak", hosts: 2 }, { name: "slab-leak", hosts: 1 }]);
  });
});
