import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const census = (blocksBytes: number): string =>
  [
    "# nailhouse page-flags census",
    "# pages_total 2097152",
    "# pages_read 2097152",
    "# order flags pages symbols",
    "0 0x0000000000000400 1900000 BUDDY",
    ...(blocksBytes === 0 ? [] : [`3 0x0000000000008000 ${blocksBytes / 4096} HEAD`]),
    // Slab of the same order, and a ring of another one.
    "3 0x0000000000008080 4000 SLAB,HEAD",
    "4 0x0000000000008000 65536 HEAD",
    "",
  ].join("\n");

/** One socket that is charged 12 MiB, on a host where `hidden` bytes are in no account. */
function pinned(
  hidden: number,
  blocks: number | undefined,
  charged = 12 * MIB,
  totalBytes = 8 * GIB,
): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({}, totalBytes, hidden),
    "proc/net/udp": udpText([{ bytes: charged, drops: 5 }]),
    "sos_commands/process/socket_owners": "/proc/900/fd/3 -> socket:[1001]\n",
    "proc/900/status": "Name:\tsensor\nRssAnon:\t 100 kB\n",
    ...(blocks === undefined ? {} : { "sos_commands/memory/page_flags": census(blocks) }),
  };
}

describe("skb-frag-amplification", () => {
  it("is confirmed by the census of page flags", async () => {
    const report = await analyzeFiles(pinned(520 * MIB, 500 * MIB));
    expect(report.findings[0]).toMatchObject({
      cause: "skb-frag-amplification",
      confidence: "confirmed",
      bytes: { low: 500 * MIB, high: 500 * MIB },
      owners: [{ pid: 900, comm: "sensor", bytes: 500 * MIB }],
    });
    expect(report.verdict).toBe("cause-found");
  });

  it("is likely from the residual when there is no census", async () => {
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, undefined)), "skb-frag-amplification")).toMatchObject({
      confidence: "likely",
    });
  });

  it("is ruled out by a census that finds no blocks, whatever the residual", async () => {
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, 0)), "skb-frag-amplification")).toBeUndefined();
  });

  it("does not blame a socket for more blocks than it can have packets", async () => {
    // 64 KiB of charge are at most 102 packets, which pin 3.2 MiB.
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, 500 * MIB, 65_536)), "skb-frag-amplification"))
      .toBeUndefined();
  });

  it("is ruled out when the blocks are full of what the sockets are charged for", async () => {
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, 500 * MIB, 400 * MIB)), "skb-frag-amplification"))
      .toBeUndefined();
  });

  it("does not accuse an idle host, however large its rings are", async () => {
    expect(findingOf(await analyzeFiles(pinned(900 * MIB, 2 * MIB, 4096, 128 * GIB)), "skb-frag-amplification"))
      .toBeUndefined();
  });

  it("claims no byte twice with the backlog of the same socket", async () => {
    const report = await analyzeFiles(pinned(520 * MIB, 500 * MIB));
    const claimed = report.findings.flatMap((f) => f.claims).filter((c) => c.account === "unaccounted");
    expect(claimed.reduce((sum, c) => sum + c.bytes.high, 0)).toBeLessThanOrEqual(520 * MIB);
  });
});
