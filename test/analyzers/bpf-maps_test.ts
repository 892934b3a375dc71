import { describe, expect, it } from "vitest";
import { bpfMaps } from "../../analyzers/bpf-maps.ts";
import { percpuGrowth } from "../../analyzers/percpu-growth.ts";
import { vmallocLeak } from "../../analyzers/vmalloc-leak.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { slabinfoText } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const map = (type: string | number, bytes: number, more: object = {}): object => ({
  id: 38,
  type,
  name: "nailhouse",
  bytes_key: 4,
  bytes_value: 4096,
  max_entries: 76_800,
  bytes_memlock: bytes,
  ...more,
});
const listed = (...maps: object[]): { [path: string]: string } => ({
  "sos_commands/ebpf/bpftool_-j_prog_list": "[]\n",
  "sos_commands/ebpf/bpftool_-j_map_list": `[${maps.map((each) => JSON.stringify(each)).join("\n,")}\n]\n`,
});
const area = (caller: string, pages: number): string =>
  `0x0-0x1 ${(pages + 1) * 4096} ${caller}+0x12/0x40 pages=${pages} vmalloc vpages N0=${pages}\n`;
const meminfo = meminfoText({ VmallocUsed: 320 * MIB }, 24 * GIB);
const vmallocinfo = area("kernel_clone", 4) + area("array_map_alloc", 76_800);

describe("bpf-maps", () => {
  it("is confirmed for a map that the list names, by number or by name of its type", async () => {
    for (const type of [2, "array"]) {
      const report = await analyzeFiles({
        "proc/meminfo": meminfo,
        "proc/vmallocinfo": vmallocinfo,
        ...listed(map(type, 300 * MIB)),
      }, [bpfMaps, vmallocLeak]);
      expect(findingOf(report, "bpf-maps")).toMatchObject({
        confidence: "confirmed",
        claims: [{ account: "vmalloc", bytes: { low: 300 * MIB, high: 300 * MIB } }],
        owners: [{ pid: null, comm: "BPF map 38 nailhouse" }],
      });
      expect(findingOf(report, "bpf-maps")?.remedies[0]?.commands.at(-1)).toBe(
        "bpftool -f map show id 38 | sed -n 's/^[[:space:]]*pinned //p' | tr '\\n' '\\0' | xargs -0 -r rm --",
      );
      expect(findingOf(report, "vmalloc-leak")).toBeUndefined();
    }
  });

  it("has the entries of a hash that are allocated one by one in slab, as large as kmalloc's objects are", async () => {
    // Linux 6.18: 1,300,000 entries of 256 bytes in as many objects of kmalloc-cg-512, which slab-leak took for nobody's.
    const files = {
      "proc/meminfo": meminfoText({ VmallocUsed: 60 * MIB, Slab: 703 * MIB, SUnreclaim: 703 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([{ name: "kmalloc-cg-512", size: 512, objects: 1_300_128 }]),
      "sos_commands/process/descriptor_counts": "4 /proc/700/fd\n4 /proc/701/fd\n",
      "sos_commands/process/descriptor_samples": [700, 701].map((pid) =>
        `lrwx------ 1 0 0 64 Nov 30 06:19 /proc/${pid}/fd/3 -> anon_inode:bpf-map\n`
      ).join(""),
      "proc/700/status": "Name:\tcilium\n",
      "proc/701/status": "Name:\tbpftool\n",
      ...listed(map("hash", 376_755_328, { flags: 1, bytes_key: 8, bytes_value: 200, max_entries: 2_000_000 })),
    };
    const report = await analyzeFiles(files);
    expect(report.findings[0]).toMatchObject({
      cause: "bpf-maps",
      claims: [
        { account: "slab-unreclaimable", bytes: { low: 343_200_896, high: 686_401_792 } },
        { account: "vmalloc", bytes: { low: 32 * MIB } },
      ],
      owners: [{ detail: expect.stringMatching(/maps are open in cilium \(pid 700\)$/) as unknown }],
    });
    expect(findingOf(report, "slab-leak")).toBeUndefined();
  });

  it("has the nodes between the entries of a trie, too, and tells how to see which maps a process has open", async () => {
    // Linux 6.18: 400,000 entries in 800,000 objects of kmalloc-cg-1k, of which the kernel tells 540 bytes each.
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ Slab: 860 * MIB, SUnreclaim: 860 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([{ name: "kmalloc-cg-1k", size: 1024, objects: 800_304 }]),
      "sos_commands/process/descriptor_counts": "4 /proc/700/fd\n",
      "sos_commands/process/descriptor_samples":
        "lrwx------ 1 0 0 64 Nov 30 06:19 /proc/700/fd/3 -> anon_inode:bpf-map\n",
      "proc/700/status": "Name:\tcilium\n",
      ...listed(map("lpm_trie", 216_000_000, { flags: 1, bytes_key: 8, bytes_value: 512, max_entries: 400_000 })),
    });
    expect(report.findings[0]).toMatchObject({
      cause: "bpf-maps",
      claims: [{ account: "slab-unreclaimable", bytes: { low: 216_000_000, high: 819_200_000 } }],
    });
    expect(report.findings[0]?.remedies[0]?.commands).toContain("grep -H '^map_id:' /proc/700/fdinfo/*");
    expect(findingOf(report, "slab-leak")).toBeUndefined();
  });

  it("names the largest map, wherever it is in the list", async () => {
    const files = { "proc/meminfo": meminfo, ...listed(map("hash", 80 * MIB, { id: 7 }), map("array", 220 * MIB)) };
    const finding = findingOf(await analyzeFiles(files, [bpfMaps]), "bpf-maps");
    expect(finding?.title).toMatch(/^BPF map 38 .* holds 220 MiB, and 80\.0 MiB in 1 other/);
    expect(finding?.owners.map(({ comm }) => comm)).toEqual(["BPF map 38 nailhouse", "BPF map 7 nailhouse"]);
  });

  it("counts the index of per-CPU memory, and percpu-growth leaves maps out", async () => {
    const files = {
      "proc/meminfo": meminfoText({ VmallocUsed: 170 * MIB, Percpu: 152 * MIB }, 24 * GIB),
      "proc/vmallocinfo": area("pcpu_create_chunk", 40_000),
      ...listed(map("percpu_array", 150 * MIB)),
    };
    const report = await analyzeFiles(files, [bpfMaps, percpuGrowth]);
    expect(findingOf(report, "bpf-maps")?.claims).toEqual([
      { account: "percpu", bytes: { low: 150 * MIB, high: 150 * MIB } },
      { account: "vmalloc", bytes: { low: 150 * MIB, high: 150 * MIB } },
    ]);
    expect(findingOf(report, "percpu-growth")).toBeUndefined();
  });

  it("is only possible for maps that loaded programs use, likely where programs are not listed", async () => {
    const files: { [path: string]: string } = {
      "proc/meminfo": meminfo,
      "proc/vmallocinfo": vmallocinfo,
      ...listed(map("array", 300 * MIB)),
    };
    const used = { ...files, "sos_commands/ebpf/bpftool_-j_prog_list": '[{"id":3,"name":"p","map_ids":[38]}]\n' };
    expect(findingOf(await analyzeFiles(used, [bpfMaps]), "bpf-maps")?.confidence).toBe("possible");
    const { "sos_commands/ebpf/bpftool_-j_prog_list": _, ...unlisted } = files;
    expect(findingOf(await analyzeFiles(unlisted, [bpfMaps]), "bpf-maps")?.confidence).toBe("likely");
  });

  it("is likely by the functions that allocate maps where there is no list", async () => {
    for (
      const caller of ["array_map_alloc", "__bpf_map_area_alloc.constprop.0", "bpf_map_area_alloc", "htab_map_alloc"]
    ) {
      const report = await analyzeFiles({
        "proc/meminfo": meminfo,
        "proc/vmallocinfo": area("kernel_clone", 4) + area(caller, 76_800),
      }, [bpfMaps]);
      expect(findingOf(report, "bpf-maps")).toMatchObject({ confidence: "likely", bytes: { low: 300 * MIB } });
    }
  });

  it("has ring buffers in no account, by the area that has their pages twice in a row", async () => {
    // Linux 5.10 and 6.1 without bpftool: 64 MiB, which were unexplained, and maps ruled out.
    const files = {
      "proc/meminfo": meminfoText({}, GIB, 66 * MIB),
      "proc/vmallocinfo": `${area("kernel_clone", 4)}${area("ringbuf_map_alloc", 65)}` +
        `0x0-0x1 ${2 * 64 * MIB + 4 * 4096} ringbuf_map_alloc+0x185/0x220 vmap user\n` +
        "0x0-0x1 20480 irq_init_percpu_irqstack+0xf0/0x120 vmap\n",
    };
    const finding = findingOf(await analyzeFiles(files, [bpfMaps]), "bpf-maps");
    expect(finding).toMatchObject({ confidence: "likely", claims: [{ account: "unaccounted" }] });
    expect(finding?.title).toBe("BPF maps hold 64.0 MiB in ring buffers, the largest 64.0 MiB");
    expect(Math.round((finding?.bytes.low ?? 0) / MIB)).toBe(64);
  });

  it("accuses no maps of the size that an agent gives them", async () => {
    expect((await analyzeFiles({ "proc/meminfo": meminfo, ...listed(map("array", 2 * MIB)) }, [bpfMaps])).findings)
      .toEqual([]);
    // Cilium: 0.25 % of memory.
    const large = {
      "proc/meminfo": meminfoText({ VmallocUsed: 400 * MIB }, 128 * GIB),
      ...listed(map("hash", 0.0025 * 128 * GIB)),
    };
    expect((await analyzeFiles(large, [bpfMaps])).findings).toEqual([]);
  });

  it("is material earlier on a small host", async () => {
    const files = {
      "proc/meminfo": meminfoText({ VmallocUsed: 50 * MIB }, GIB / 2),
      ...listed(map("array", 30 * MIB, { pids: [{ pid: 700, comm: "agent" }] })),
    };
    expect(findingOf(await analyzeFiles(files, [bpfMaps]), "bpf-maps")?.owners[0]?.pid).toBe(700);
  });

  it("is not assessed where per-CPU memory may be maps', which vmallocinfo does not tell", async () => {
    // Linux 7.2 on 4 CPUs: 150 MiB of a pinned per-CPU map, and "maps take 76.0 KiB".
    const report = async (percpu: number) =>
      await analyzeFiles({
        "proc/meminfo": meminfoText({ Percpu: percpu, VmallocUsed: 9 * MIB }, GIB),
        "proc/vmallocinfo": area("kernel_clone", 4),
      }, [bpfMaps]);
    expect((await report(151 * MIB)).notAssessed[0]?.howToCapture.join()).toContain("bpftool");
    expect((await report(4 * MIB)).ruledOut[0]?.because).toContain("maps take 0 B");
  });

  it("is not assessed without meminfo, and survives hostile lists", async () => {
    expect((await analyzeFiles({}, [bpfMaps])).notAssessed).toHaveLength(1);
    for (
      const text of [
        "[null, 7, {}]",
        "{",
        '[{"id":1e300,"bytes_memlock":-1}]',
        '[{"id":1,"type":{},"name":[],"bytes_memlock":4096,"pids":[null,{"pid":"x"}]}]',
      ]
    ) {
      const report = await analyzeFiles({
        "proc/meminfo": meminfoText(),
        "sos_commands/ebpf/bpftool_-j_map_list": text,
      }, [bpfMaps]);
      expect(report.notAssessed).toEqual([]);
      expect(report.findings.reduce((sum, { bytes }) => sum + bytes.high, 0)).toBeLessThan(GIB);
    }
    const forged = await analyzeFiles({
      "proc/meminfo": meminfoText(),
      "sos_commands/ebpf/bpftool_-j_map_list": '[{"id":1,"bytes_memlock":9007199254740991}]',
    }, [bpfMaps]);
    expect(forged.findings).toEqual([]);
    expect(forged.notAssessed[0]?.missing[0]).toContain("it claims 8192 TiB of a host that has 8.00 GiB");
  });
});
