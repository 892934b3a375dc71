/** What depends on the size of a page: numbers from guests under QEMU, of arm64 with pages of 16 KiB (7.2), and of POWER with those of 64 KiB (6.1). */
import { describe, expect, it } from "vitest";
import { fragmentBlockBytes } from "../../src/computed/skb_memory.ts";
import { analyzeFiles, findingOf, manifest, meminfoText, udpText } from "./_bundle.ts";
import { SS_HEADER } from "./_sockets.ts";

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

function withPages(pageSizeBytes: number): { [path: string]: string } {
  return { "nailhouse.json": JSON.stringify({ ...manifest, host: { ...manifest.host, pageSizeBytes } }) };
}

/** `NAME ACTIVE OBJECTS SIZE PER_SLAB PAGES_PER_SLAB SLABS` */
function slabinfo(...rows: readonly string[]): string {
  const lines = [...rows, "kmem_cache 240 256 256 64 1 4"].map((row) => {
    const words = row.split(" ");
    return `${words.slice(0, 6).join(" ")} : tunables 0 0 0 : slabdata ${words[6]} ${words[6]} 0\n`;
  });
  return `slabinfo - version: 2.1\n# name <active_objs>\n${lines.join("")}`;
}

describe("datagrams of 9 KB", () => {
  it.each([
    [16 * KIB, "skbuff_head_cache 6332 6336 256 64 1 99", "kmalloc-16k 6316 6320 16384 8 8 790"],
    [64 * KIB, "skbuff_head_cache 6400 6400 256 256 1 25", "kmalloc-16k 6352 6352 16384 8 2 794"],
  ])("are in a cache, and not in whole pages, where those have %d bytes", async (page, heads, data) => {
    const report = await analyzeFiles({
      ...withPages(page),
      "proc/meminfo": meminfoText({ SUnreclaim: 113 * MIB }, 590 * MIB),
      "proc/slabinfo": slabinfo(heads, data),
      "proc/net/udp": udpText(Array.from({ length: 25 }, () => ({ bytes: 4_193_280, drops: 3 }))),
    });
    expect(report.findings.map(({ cause }) => cause)).toEqual(["socket-backlog-udp"]);
    expect(report.findings[0]?.claims).toEqual([
      { account: "slab-unreclaimable", bytes: { low: 104_832_000, high: 104_832_000 } },
    ]);
  });
});

describe("what waits in unix sockets", () => {
  it("is in slab up to a page: a write of 60,000 bytes is one object where pages have 64 KiB", async () => {
    // net/unix/af_unix.c: SKB_MAX_HEAD(0) of a write are in slab, in kmalloc-cg-64k with a head of 256 bytes; four of them fill a queue.
    const sender = "skmem:(r0,rb212992,t263168,tb212992,f0,w0,o0,bl0,d0)";
    const row = (i: number): string =>
      `u_str ESTAB 0 263168 * ${2000 + 2 * i} * ${2001 + 2 * i} ${sender}\nu_str ESTAB 240000 0 * ${2001 + 2 * i} * ${
        2000 + 2 * i
      }\n`;
    const report = await analyzeFiles({
      ...withPages(64 * KIB),
      "proc/meminfo": meminfoText({ SUnreclaim: 200 * MIB }, 4 * GIB, 200 * MIB),
      "sos_commands/networking/ss_-xanm": SS_HEADER + Array.from({ length: 400 }, (_, i) => row(i)).join(""),
    });
    expect(findingOf(report, "socket-backlog-unix")?.claims).toMatchObject([{ account: "slab-unreclaimable" }]);
  });
});

describe("kernel stacks", () => {
  const stacks = 48_960 * KIB;
  const meminfo = meminfoText({ SUnreclaim: 78_912 * KIB, KernelStack: stacks }, 967 * MIB);
  const accounts = async (files: { readonly [path: string]: string }) => {
    const report = await analyzeFiles({ ...withPages(64 * KIB), "proc/meminfo": meminfo, ...files });
    expect(report.findings).toEqual([]);
    return Object.fromEntries(report.ledger?.accounts.map(({ id, bytes }) => [id, bytes]) ?? []);
  };

  it("that are smaller than a page are in slab, and count once", async () => {
    const files = {
      "proc/slabinfo": slabinfo("thread_stack 3088 3088 16384 8 2 386"),
      "proc/vmallocinfo":
        "0x00000000f51b3f09-0x000000006a960399  393216 load_module+0xc88/0x2f40 pages=5 vmalloc N0=5\n",
    };
    const expected = { "kernel-stacks": stacks, "slab-unreclaimable": 78_912 * KIB - stacks, vmalloc: 12 * MIB };
    expect(await accounts(files)).toMatchObject({ ...expected, unaccounted: 0 });
    // Without slabinfo (it needs root) the size of a page tells.
    expect(await accounts({ "proc/vmallocinfo": files["proc/vmallocinfo"] })).toMatchObject(expected);
  });

  it("are where they always were with smaller pages", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 78_912 * KIB, KernelStack: stacks, VmallocUsed: 60 * MIB }, 967 * MIB),
      "proc/slabinfo": slabinfo("task_struct 3088 3088 8192 4 8 772"),
    });
    expect(report.ledger?.accounts.find(({ id }) => id === "vmalloc")?.bytes).toBe(60 * MIB - stacks);
  });
});

describe("page tables", () => {
  const status = (kB: number): string =>
    `Name:\tworker\nPid:\t7\nThreads:\t1\nVmRSS:\t 900 kB\nRssAnon:\t 300 kB\nVmPTE:\t ${kB} kB\n`;
  const host = (page: number) => ({
    ...withPages(page),
    "proc/meminfo": `${meminfoText({ PageTables: 300 * 640 * KIB, AnonPages: 96 * MIB }, 4 * GIB)}Mapped: 65536 kB\n`,
    ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`proc/${100 + i}/status`, status(640)])),
  });

  it("of a small process are some pages, however large a page is", async () => {
    expect(findingOf(await analyzeFiles(host(64 * KIB)), "page-table-bloat")).toBeUndefined();
    // With 4 KiB it would take 160 of them.
    expect(findingOf(await analyzeFiles(host(4 * KIB)), "page-table-bloat")).toBeDefined();
  });
});

it("SysV messages are in parts of a page", async () => {
  const report = await analyzeFiles({
    ...withPages(64 * KIB),
    "proc/meminfo": meminfoText({ SUnreclaim: 340 * MIB }, 2 * GIB),
    "proc/slabinfo": slabinfo("kmalloc-cg-8k 40000 40000 8192 64 8 625"),
    "proc/sysvipc/msg":
      "key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime\n0 5 600 200000000 40000 8 0 0 0 0 0 0 0 0\n",
    "proc/8/status": "Name:\tsender\nPid:\t8\n",
  });
  expect(findingOf(report, "slab-leak")?.title).toMatch(/^SysV messages of sender \(pid 8\) hold/);
});

it("page fragments are carved out of blocks of 32 KiB, or of one page", () => {
  expect([undefined, 4, 16, 64].map((kib) => fragmentBlockBytes(kib && kib * KIB))).toEqual(
    [32, 32, 32, 64].map((kib) => kib * KIB),
  );
});

// Linux 6.1 with slub_debug=FZPU: 45,669 datagrams of 1,400 bytes, 2,304 bytes charged for each.
it("what slub_debug adds to packets in sockets is no leak", async () => {
  const files = {
    "proc/meminfo": meminfoText({ SUnreclaim: 320 * MIB }, 973 * MIB),
    "proc/slabinfo": slabinfo("skbuff_head_cache 45670 45680 448 36 4 1269", "kmalloc-2k 45669 45680 6144 5 8 9136"),
  };
  const backlog = udpText(Array.from({ length: 25 }, () => ({ bytes: 4_195_584, drops: 3 })));
  const report = await analyzeFiles({ ...files, "proc/net/udp": backlog });
  expect(report.findings.map(({ cause }) => cause)).toEqual(["socket-backlog-udp"]);
  expect(findingOf(await analyzeFiles({ ...files, "proc/net/udp": udpText([]) }), "slab-leak")?.bytes.high)
    .toBeGreaterThan(260 * MIB);
});
