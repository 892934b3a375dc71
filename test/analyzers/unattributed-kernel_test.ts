import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";
import { later, slabinfoText, VMSTAT, ZONEINFO } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ID = "unattributed-kernel";

function hidden(bytes: number, totalBytes = 24 * GIB): { [path: string]: string } {
  return { "proc/meminfo": meminfoText({}, totalBytes, bytes), "proc/vmstat": VMSTAT, "proc/zoneinfo": ZONEINFO };
}

describe("unattributed-kernel", () => {
  it("sizes what nobody has, and says what to switch on", async () => {
    const report = await analyzeFiles({
      ...hidden(400 * MIB),
      "proc/net/sockstat": "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 2\nUDP: inuse 0 mem 0\n",
    });
    const finding = findingOf(report, ID);
    expect(finding).toMatchObject({
      confidence: "possible",
      material: false,
      bytes: { low: 400 * MIB, high: 400 * MIB },
    });
    expect(finding?.remedies.flatMap(({ commands }) => commands)).toEqual(
      expect.arrayContaining(["sysctl vm.mem_profiling=1"]),
    );
    expect(finding?.evidence.map(({ because }) => because).join("\n")).toMatch(
      /TCP sockets are charged 8\.00 KiB[^]*no zram[^]*no balloon/,
    );
  });

  it("is material from a tenth of memory on: then the verdict is that it is unexplained", async () => {
    const report = await analyzeFiles(hidden(4 * GIB));
    expect(findingOf(report, ID)).toMatchObject({ confidence: "possible", material: true });
    expect(report.verdict).toBe("unexplained");
  });

  it("gets only what other causes leave, whatever their confidence", async () => {
    // A census without fragment blocks: then nothing is amplified.
    const files = {
      "proc/net/udp": udpText([{ bytes: 500 * MIB, drops: 3 }]),
      "proc/slabinfo": slabinfoText([{ name: "kmalloc-2k", size: 2048, objects: 16 }]),
      "sos_commands/memory/page_flags":
        "# nailhouse page-flags census\n# pages_total 16\n# pages_read 16\n0 0x0400 16 BUDDY\n",
    };
    const report = await analyzeFiles({ ...hidden(1000 * MIB), ...files });
    expect(report.findings[0]?.cause).toBe("socket-backlog-udp");
    expect(findingOf(report, ID)?.bytes.high).toBeGreaterThan(490 * MIB);
    expect(findingOf(report, ID)?.bytes.high).toBeLessThanOrEqual(520 * MIB);
    expect(findingOf(await analyzeFiles({ ...hidden(500 * MIB), ...files }), ID)).toBeUndefined();
  });

  it("grows when it grew in every snapshot", async () => {
    const files = { ...hidden(400 * MIB), ...later(60, hidden(700 * MIB)), ...later(120, hidden(1000 * MIB)) };
    const finding = findingOf(await analyzeFiles(files), ID);
    expect(finding).toMatchObject({
      confidence: "possible",
      material: true,
      growthBytesPerSecond: { low: 5 * MIB, high: 5 * MIB },
    });
  });

  it("is likely when allocation profiling names the caller of most of it", async () => {
    const finding = findingOf(
      await analyzeFiles({
        ...hidden(500 * MIB),
        "proc/allocinfo": `allocinfo - version: 1.0
  900000000 219726 mm/filemap.c:1950 func:__filemap_get_folio
  800000256 3 drivers/net/bar.c:3 func:not_whole_pages
  ${480 * MIB} 122880 drivers/net/foo/rx.c:114 [foo] func:foo_alloc_rx
`,
      }),
      ID,
    );
    expect(finding).toMatchObject({
      confidence: "likely",
      material: true,
      bytes: { high: 480 * MIB },
      owners: [{ comm: "foo_alloc_rx [foo]" }],
    });
    expect(finding?.title).toMatch(/^foo_alloc_rx \[foo\] holds 480 MiB/);
  });

  it("is likely when page_owner names the call stack of most of it", async () => {
    const finding = findingOf(
      await analyzeFiles({
        ...hidden(500 * MIB),
        "sys/kernel/debug/page_owner_stacks/show_stacks":
          " post_alloc_hook+0x1/0x2\n get_page_from_freelist+0x1/0x2\n alloc_pages_noprof+0x1/0x2\n foo_alloc_rx+0x4a/0x120 [foo]\n foo_poll+0x1/0x2 [foo]\nnr_base_pages: 122880\n\n" +
          " __alloc_pages+0x1/0x2\n new_slab+0x1/0x2\n kmem_cache_alloc+0x1/0x2\nnr_base_pages: 400000\n\n",
      }),
      ID,
    );
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ comm: "foo_alloc_rx [foo]", bytes: 480 * MIB }] });
  });

  it("leaves out what ZFS and XFS cache, which they give back", async () => {
    const zfs = await analyzeFiles({
      ...hidden(6 * GIB),
      "proc/spl/kstat/zfs/arcstats": `name type data\nsize 4 ${6 * GIB}\n`,
    });
    expect(findingOf(zfs, ID)).toBeUndefined();
    expect(zfs.ruledOut).toContainEqual(
      expect.objectContaining({ cause: ID, because: expect.stringContaining("ARC of ZFS") }),
    );
    const xfs = await analyzeFiles({
      ...hidden(600 * MIB),
      "proc/slabinfo": slabinfoText([{ name: "xfs_buf", size: 384, objects: 150_000 }]),
    });
    expect(findingOf(xfs, ID)).toBeUndefined();
  });

  it.each([[512 * MIB, 40 * MIB], [24 * GIB, 200 * MIB], [128 * GIB, 1200 * MIB]])(
    "leaves a host of %i bytes alone when its drivers hold %i",
    async (totalBytes, bytes) => {
      const report = await analyzeFiles(hidden(bytes, totalBytes));
      expect(findingOf(report, ID)).toBeUndefined();
      expect(report.verdict).toBe("healthy");
    },
  );

  it("is not assessed where free per-CPU lists or zspages would be taken for it", async () => {
    for (const path of ["proc/zoneinfo", "proc/vmstat", "proc/meminfo"]) {
      const { [path]: _, ...rest } = hidden(4 * GIB);
      expect((await analyzeFiles(rest)).notAssessed).toContainEqual(
        expect.objectContaining({ cause: ID, missing: [path] }),
      );
    }
  });

  it("says nothing of a ledger that is overdrawn", async () => {
    expect(findingOf(await analyzeFiles(hidden(-300 * MIB)), ID)).toBeUndefined();
  });
});
