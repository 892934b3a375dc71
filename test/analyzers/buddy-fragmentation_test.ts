import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, manifest, meminfoText } from "./_bundle.ts";

const ID = "buddy-fragmentation";

/** As 5.10 and newer write it; shortened. */
function failure(zone: string, order = 4): string {
  return `[  99.1] kworker/0:2: page allocation failure: order:${order}, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null),cpuset=/,mems_allowed=0
[  99.1] Call Trace:
[  99.1] Mem-Info:
[  99.1] active_anon:38912 inactive_anon:2 isolated_anon:0
 slab_reclaimable:2500 slab_unreclaimable:1308
 free:52345 free_pcp:20 free_cma:0
[  99.1] Node 0 DMA: 1*4kB (U) 0*8kB 0*16kB 1*32kB (U) 2*64kB (U) 1*128kB (U) = 292kB
[  99.1] Node 0 Normal: ${zone}
[  99.1] 196470 pages RAM
`;
}
const IN_PIECES =
  "40000*4kB (UME) 6000*8kB (UME) 20*16kB (U) 1*32kB (U) 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 208352kB";
const WHOLE =
  "400*4kB (UME) 60*8kB (UME) 20*16kB (U) 1*32kB (U) 10*64kB (U) 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 50*4096kB (M) = 207872kB";
const EMPTY = "14*4kB (UE) 3*8kB (M) 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 80kB";
const log = (text: string): { [path: string]: string } => ({
  "proc/meminfo": meminfoText(),
  "sos_commands/kernel/dmesg": text,
});

describe(ID, () => {
  it("is confirmed by the log's own list of free blocks", async () => {
    const report = await analyzeFiles({
      ...log(failure(IN_PIECES)),
      "proc/vmstat": "compact_stall 900\ncompact_fail 812\n",
    });
    expect(findingOf(report, ID)).toMatchObject({
      confidence: "confirmed",
      material: true,
      claims: [],
      symptomOf: null,
    });
    expect(findingOf(report, ID)?.title).toBe(
      "kworker/0:2: a request for 64.0 KiB in one piece failed with 203 MiB free, 100.0 % of it in smaller pieces",
    );
    expect(findingOf(report, ID)?.evidence.map(({ path }) => path)).toEqual([
      "sos_commands/kernel/dmesg",
      "sos_commands/kernel/dmesg",
      "proc/vmstat",
    ]);
  });

  it("does not matter to who asks for what it can do without", async () => {
    // amdgpu's ttm takes smaller pieces then: https://lore.kernel.org/all/4ce29a7e-f58a-aeb4-bef-34a7eada70d0@google.com
    const text = failure(IN_PIECES).replace("__GFP_COMP", "__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP");
    const finding = findingOf(await analyzeFiles(log(text)), ID);
    expect(finding?.material).toBe(false);
    expect(finding?.title).toContain("who asked can do without (__GFP_NORETRY)");
    // Nor does it hide that another cannot, which failed before.
    const both = findingOf(await analyzeFiles(log(failure(IN_PIECES) + text)), ID);
    expect(both).toMatchObject({ material: true, owners: [{ count: 2 }] });
  });

  it("is not ruled out by a failure of which the size is not in the log", async () => {
    // LKRG's list: the line was broken before "order:7".
    const text = failure(IN_PIECES).replace(/ order:.*/, " ");
    const report = await analyzeFiles(log(text));
    expect(report.ruledOut.map(({ cause }) => cause)).not.toContain(ID);
    expect(report.notAssessed.map(({ cause }) => cause)).toContain(ID);
  });

  it("has the page size from the log's list where nothing else tells it", async () => {
    // As of a log that was pasted.
    const { machine: _, pageSizeBytes: __, ...host } = manifest.host;
    const report = await analyzeFiles({
      "nailhouse.json": JSON.stringify({ ...manifest, host }),
      "sos_commands/kernel/dmesg": failure(IN_PIECES),
    });
    expect(findingOf(report, ID)).toMatchObject({ confidence: "confirmed" });
    // Where the list is not in it, either, it is the log that is wanted.
    const { notAssessed } = await analyzeFiles({
      "nailhouse.json": JSON.stringify({ ...manifest, host }),
      "sos_commands/kernel/dmesg": `${failure("").split("\n")[0]}\n`,
    });
    expect(notAssessed.find(({ cause }) => cause === ID)?.howToCapture).toEqual(["dmesg"]);
  });

  it("is likely from buddyinfo when the log's list is gone", async () => {
    const [line] = failure("").split("\n");
    const files = {
      ...log(`${line}\n`),
      "proc/buddyinfo": "Node 0, zone DMA 1 0 0 0 0 0 0 0 1 1 3\nNode 0, zone Normal 40000 6000 20 1 0 0 0 0 0 0 0\n",
    };
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ confidence: "likely" });
  });

  it("is not the cause when large blocks were free (the reserve), or hardly anything was (exhaustion)", async () => {
    for (const zone of [WHOLE, EMPTY]) {
      const report = await analyzeFiles(log(failure(zone)));
      expect(findingOf(report, ID)).toBeUndefined();
      expect(report.ruledOut).toContainEqual(
        expect.objectContaining({ cause: ID, because: expect.stringContaining("not for fragmentation") }),
      );
    }
  });

  it("accuses no host without a failure, however few large blocks it has, nor for a single page", async () => {
    const buddyinfo = { "proc/buddyinfo": "Node 0, zone Normal 40000 6000 20 1 0 0 0 0 0 0 0\n" };
    for (const text of ["[ 1.0] all is well\n", failure(IN_PIECES, 0)]) {
      const report = await analyzeFiles({ ...log(text), ...buddyinfo });
      expect(findingOf(report, ID)).toBeUndefined();
      expect(report.verdict).toBe("healthy");
    }
  });

  // https://github.com/axboe/fio/issues/254, https://github.com/rfjakob/earlyoom/issues/220
  it.each([
    [
      "SLAB's",
      "SLAB: Unable to allocate memory on node 0 (gfp=0x20)\n  cache: TCP, object size: 1728, order: 1\n",
      "8.00 KiB",
    ],
    [
      "SLUB's",
      "SLUB: Unable to allocate memory on node -1, gfp=0x900(GFP_NOWAIT)\n  cache: page->ptl, object size: 72, buffer size: 72, default order: 3, min order: 2\n",
      "16.0 KiB",
    ],
  ])("knows a cache that could not grow: %s", async (_, text, size) => {
    const lines = text.replaceAll(/^/gm, "[15561.432309] ").replace(/\[[\d.]+\] $/, "");
    const report = await analyzeFiles({
      ...log(lines),
      "proc/buddyinfo": "Node 0, zone Normal 40000 0 0 0 0 0 0 0 0 0 0\n",
    });
    expect(findingOf(report, ID)?.title).toContain(`a request for ${size} in one piece failed`);
    // Without what was free it is not known.
    expect((await analyzeFiles(log(lines))).notAssessed.map(({ cause }) => cause)).toContain(ID);
    // The page allocator's own warning is of the same request.
    const both = await analyzeFiles(log(`${failure(WHOLE)}${lines}`));
    expect(both.ruledOut).toContainEqual(expect.objectContaining({ because: expect.stringContaining("1 request") }));
  });

  it("rules no OOM out by a dump above a failed allocation", async () => {
    const text = "[ 1.0] 2074779 pages RAM\n[ 1.1] java: page allocation failure: order:0, mode:0x2080020\n";
    expect((await analyzeFiles(log(text))).notAssessed.map(({ cause }) => cause)).toEqual(
      expect.arrayContaining(["global-oom", "memcg-oom"]),
    );
  });

  it("is not assessed where the log ends above what was free then", async () => {
    const report = await analyzeFiles(log("[ 1.0] java: page allocation failure: order:4, mode:0x40dc0(GFP_KERNEL)\n"));
    expect(report.notAssessed).toContainEqual(expect.objectContaining({ cause: ID, howToCapture: ["dmesg"] }));
  });

  it("is not assessed without the kernel log", async () => {
    expect((await analyzeFiles({ "proc/meminfo": meminfoText() })).notAssessed).toContainEqual(
      expect.objectContaining({ cause: ID, missing: ["sos_commands/kernel/dmesg"] }),
    );
  });

  it("survives hostile orders", async () => {
    for (const order of [9_999_999, 1e16]) {
      expect(findingOf(await analyzeFiles(log(failure(IN_PIECES, order))), ID)).toBeUndefined();
    }
  });
});
