import { describe, expect, it } from "vitest";
import { vmallocLeak } from "../../analyzers/vmalloc-leak.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIMES = ["", "history/2026-01-01T00:00:01.000Z/", "history/2026-01-01T00:00:02.000Z/"];

const areas = (caller: string, count: number, pages: number, module = ""): string =>
  `0x0-0x1 20480 kernel_clone+0xb8/0x400 pages=4 vmalloc N0=4\n${
    `0x0-0x1 ${(pages + 1) * 4096} ${caller}+0xb5/0x170${module} pages=${pages} vmalloc user vpages N0=${pages}\n`
      .repeat(count)
  }`;
const used = (...amounts: number[]): { [path: string]: string } =>
  Object.fromEntries(
    amounts.map((
      bytes,
      i,
    ) => [`${TIMES[i] as string}proc/meminfo`, meminfoText({ VmallocUsed: bytes, KernelStack: 16_384 }, 24 * GIB)]),
  );

describe("vmalloc-leak", () => {
  it("is confirmed when vmalloc grows and one function has many areas", async () => {
    const report = await analyzeFiles({
      ...used(318 * MIB, 320 * MIB, 322 * MIB),
      "proc/vmallocinfo": areas("xskq_create", 150, 512),
    }, [vmallocLeak]);
    const finding = findingOf(report, "vmalloc-leak");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 300 * MIB, high: 300 * MIB },
      growthBytesPerSecond: { low: 2 * MIB, high: 2 * MIB },
      owners: [{ pid: null, comm: "xskq_create", count: 150 }],
    });
    expect(finding?.exhaustion?.atLow).toBeDefined();
  });

  it("is likely in one snapshot, and names the module", async () => {
    const report = await analyzeFiles({
      ...used(318 * MIB),
      "proc/vmallocinfo": areas("leak_alloc", 150, 512, " [leaky]"),
    }, [vmallocLeak]);
    expect(findingOf(report, "vmalloc-leak")).toMatchObject({
      confidence: "likely",
      owners: [{ comm: "leak_alloc [leaky]" }],
    });
  });

  it("counts filters of sockets and of seccomp, which are no BPF map's", async () => {
    // Linux 6.18: 45,000 sockets with SO_ATTACH_FILTER.
    const files = { ...used(194 * MIB), "proc/vmallocinfo": areas("bpf_prog_alloc_no_stats", 45_000, 1) };
    const finding = findingOf(await analyzeFiles(files, [vmallocLeak]), "vmalloc-leak");
    expect(finding).toMatchObject({
      confidence: "likely",
      owners: [{ comm: "bpf_prog_alloc_no_stats", count: 45_000 }],
    });
    expect(finding?.owners[0]?.detail).toContain("Seccomp_filters");
  });

  it("is at most possible where no function has most of what can leak", async () => {
    const callers = ["a_alloc", "b_alloc", "c_alloc"].map((caller) => areas(caller, 100, 512)).join("");
    const report = await analyzeFiles({ ...used(618 * MIB, 620 * MIB, 622 * MIB), "proc/vmallocinfo": callers }, [
      vmallocLeak,
    ]);
    expect(findingOf(report, "vmalloc-leak")?.confidence).toBe("possible");
  });

  it("is at most possible when it was watched and is steady", async () => {
    const report = await analyzeFiles({
      ...used(318 * MIB, 318 * MIB, 318 * MIB),
      "proc/vmallocinfo": areas("xskq_create", 150, 512),
    }, [vmallocLeak]);
    expect(findingOf(report, "vmalloc-leak")?.confidence).toBe("possible");
    expect(
      (await analyzeFiles({
        ...used(318 * MIB, 318 * MIB, 318 * MIB),
        "proc/vmallocinfo": areas("one_table", 1, 76_800),
      }, [vmallocLeak])).findings,
    ).toEqual([]);
  });

  it("accuses neither thread stacks, nor maps, nor tables of the boot, nor little", async () => {
    for (
      const caller of [
        "kernel_clone",
        "dup_task_struct",
        // RHEL 8: https://github.com/jds2001/coreos-sosreport-master1
        "_do_fork",
        "fork_idle",
        "array_map_alloc",
        "pcpu_create_chunk",
        "alloc_large_system_hash",
        "__do_sys_swapon",
      ]
    ) {
      expect(
        (await analyzeFiles({ ...used(318 * MIB), "proc/vmallocinfo": areas(caller, 150, 512) }, [vmallocLeak]))
          .findings,
      ).toEqual([]);
    }
    expect(
      (await analyzeFiles({ ...used(20 * MIB), "proc/vmallocinfo": areas("xskq_create", 2, 512) }, [vmallocLeak]))
        .findings,
    ).toEqual([]);
  });

  it("judges by the host's size", async () => {
    const vmallocinfo = areas("kvm_arch_create_memslot", 200, 512);
    const files = (total: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ VmallocUsed: 410 * MIB }, total),
      "proc/vmallocinfo": vmallocinfo,
    });
    expect((await analyzeFiles(files(128 * GIB), [vmallocLeak])).findings).toEqual([]);
    const small = {
      "proc/meminfo": meminfoText({ VmallocUsed: 60 * MIB }, GIB / 2),
      "proc/vmallocinfo": areas("leak", 40, 256),
    };
    expect((await analyzeFiles(small, [vmallocLeak])).findings).toHaveLength(1);
  });

  it("is not assessed without vmallocinfo, and quotes hostile callers", async () => {
    expect((await analyzeFiles(used(318 * MIB), [vmallocLeak])).notAssessed[0]?.missing).toEqual(["proc/vmallocinfo"]);
    const report = await analyzeFiles({ ...used(318 * MIB), "proc/vmallocinfo": areas("a';reboot;'", 150, 512) }, [
      vmallocLeak,
    ]);
    expect(findingOf(report, "vmalloc-leak")?.remedies[0]?.commands[0]).toBe(
      "grep -c 'a'\\'';reboot;'\\''' /proc/vmallocinfo",
    );
  });
});
