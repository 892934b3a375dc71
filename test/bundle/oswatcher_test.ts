/** The archive of Oracle's OSWatcher: what each file recorded over an hour becomes snapshots. */
import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import type { Bundle } from "../../src/core/bundle.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { findingOf, meminfoText } from "../analyzers/_bundle.ts";
import { slabinfoText } from "../analyzers/_kernel.ts";
import { pieces, tar, tarEntry } from "./_archive.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const open = (bytes: Uint8Array | string): Promise<Bundle> =>
  openArchive(pieces(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes), {
    sources: presetSources(preset),
  });

/** As its scripts write them: `echo zzz ***`date``, and the output. */
function recorded(
  texts: readonly string[],
  stamp = (minute: string): string => `Tue Apr 21 03:${minute}:04 CST 2026`,
): string {
  const samples = texts.map((text, i) => `zzz ***${stamp(String(i).padStart(2, "0"))}\n${text}`);
  return `Linux OSWbb v7.3.3\n${samples.join("")}`;
}

/** Anonymous memory that grows by so much a minute. */
const meminfos = (mib: number): string[] =>
  Array.from({ length: 24 }, (_, i) => meminfoText({ AnonPages: GIB + i * mib * MIB }));

const MEMINFO = "archive/oswmeminfo/db1_meminfo_26.04.21.0300.dat";
const SLABINFO = "archive/oswslabinfo/db1_slabinfo_26.04.21.0300.dat";

describe("OSWatcher's archive", () => {
  it.each([
    ["as it is", tar(tarEntry(MEMINFO, recorded(meminfos(0))))],
    ["compressed", tar(tarEntry(`${MEMINFO}.gz`, gzipSync(recorded(meminfos(0)))))],
    ["a file of it", recorded(meminfos(0))],
    ["a file of it, compressed", gzipSync(recorded(meminfos(0)))],
    // AHF 22.1
    ["with notices", `It is recommended to use System Health Monitor\n${recorded(meminfos(0))}`],
  ])("is read as snapshots: %s", async (_, bytes) => {
    const bundle = await open(bytes);
    const paths = [...bundle.files.keys()].filter((path) => path.startsWith("history/"));
    expect(paths.length).toBe(24);
    expect(paths[7]).toMatch(/^history\/2026-04-21T03:07:0[04].000Z\/proc\/meminfo$/);
    expect(new TextDecoder().decode(bundle.files.get(paths[7] as string)).trim()).toBe(meminfos(0)[7]?.trim());
    const { host } = analyze(bundle, preset);
    expect(host).toMatchObject({ capturedAt: expect.stringMatching(/^2026-04-21T03:23:0[04]/), snapshots: 24 });
  });

  it.each(["", ".bz2"])("is ExaWatcher's on Exadata: .dat%s", async (suffix) => {
    const samples = meminfos(0).map((text, i) =>
      `zzz <04/21/2026 03:${String(i).padStart(2, "0")}:04> Count:${i}\n${text}`
    );
    const text = `# Starting Time: 04/21/2026 03:00:04\n# Collection Command: /bin/cat /proc/meminfo\n${
      samples.join("")
    }`;
    const bytes = suffix === "" ? text : execFileSync("bzip2", ["-c"], { input: text });
    const path = `x/Meminfo.ExaWatcher/2026_04_21_03_00_04_MeminfoExaWatcher_db1.dat${suffix}`;
    const bundle = await open(tar(tarEntry(path, bytes)));
    expect(analyze(bundle, preset).host).toMatchObject({ capturedAt: "2026-04-21T03:23:00.000Z", snapshots: 24 });
    expect(bundle.warnings).toEqual([expect.stringContaining("the host's clock (its zone is not told)")]);
  });

  it("tells of a slab cache that grows, by the last sample that has both, though one file is a moment ahead", async () => {
    const caches = Array.from({ length: 24 }, (_, i) => (4 + i) * 100 * MIB);
    const slab = caches.map((bytes) => slabinfoText([{ name: "leaky", objects: bytes / 1024, size: 1024 }]));
    const memory = caches.map((bytes) => meminfoText({ SUnreclaim: bytes + 40 * MIB, Slab: bytes + 90 * MIB }));
    const report = analyze(
      await open(tar(tarEntry(SLABINFO, recorded(slab)), tarEntry(MEMINFO, recorded(memory.slice(0, -1))))),
      preset,
    );
    expect(report.host.capturedAt).toBe("2026-04-21T03:22:00.000Z");
    const finding = findingOf(report, "slab-leak");
    expect(finding).toMatchObject({ owners: [expect.objectContaining({ comm: "leaky" })] });
    expect((finding?.growthBytesPerSecond?.high ?? 0) * 60).toBeCloseTo(100 * MIB, -6);
  });

  it("is not healthy where processes grow by much and it does not tell which", async () => {
    const verdictOf = async (mib: number): Promise<string> =>
      analyze(await open(tar(tarEntry(MEMINFO, recorded(meminfos(mib))))), preset).verdict;
    expect(await verdictOf(1)).toBe("healthy");
    expect(await verdictOf(100)).toBe("insufficient-evidence");
  });

  it("is of the host that its files are called by", async () => {
    const bundle = await open(tar(tarEntry(MEMINFO, recorded(meminfos(0)))));
    expect(analyze(bundle, preset).host).toMatchObject({ hostname: "db1", snapshots: 24 });
  });

  describe("its ps", () => {
    const mib = 100;
    const psOf = (header: string, row: (kib: number) => string): string =>
      recorded(Array.from({ length: 24 }, (_, i) => `${header}\n${row((512 + i * mib) * 1024)}\n`));
    const openBoth = async (text: string): Promise<Bundle> =>
      await open(tar(
        tarEntry(MEMINFO, recorded(meminfos(mib))),
        tarEntry("archive/oswps/db1_ps_26.04.21.0300.dat", text),
      ));

    it("tells which process grows", async () => {
      const bundle = await openBoth(psOf(
        "USER         PID    PPID PRI %CPU %MEM    VSZ   RSS WCHAN  S  STARTED     TIME COMMAND",
        (kib) => `ora         4711       1  19  9.0  9.9 9999999 ${kib} futex_ S 07:12:00 00:10:01 oracle_leak`,
      ));
      const finding = findingOf(analyze(bundle, preset), "user-leak");
      expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ pid: 4711, comm: "oracle_leak" }] });
      expect(finding?.evidence[0]?.path).toMatch(/^history\/2026-04-21T03:23.*\/ps_auxwww$/);
    });

    it("of older ones is passed over: it tells no process's memory", async () => {
      const bundle = await openBoth(psOf(
        "F S UID        PID  PPID  C PRI  NI ADDR SZ WCHAN  STIME TTY          TIME CMD",
        (kib) => `4 S ora       4711     1  0  80   0 - ${kib} -      Apr20 ?        00:10:01 oracle_leak`,
      ));
      expect([...bundle.files.keys()].filter((path) => path.endsWith("ps_auxwww"))).toEqual([]);
      expect(analyze(bundle, preset).verdict).toBe("insufficient-evidence");
    });
  });

  it("has one sample a minute, and the hours of twelve", async () => {
    const [first = "", second = ""] = meminfos(1);
    const stamp = (minute: string): string => `Sat Apr  4 06:00:${minute} PM UTC 2026`;
    const bundle = await open(tar(tarEntry(MEMINFO, recorded([first, second], stamp))));
    const path = "history/2026-04-04T18:00:00.000Z/proc/meminfo";
    expect([...bundle.files.keys()]).toEqual(["sos_commands/host/hostname", path]);
    expect(new TextDecoder().decode(bundle.files.get(path))).toBe(first);
    expect(bundle.warnings).toEqual([expect.not.stringContaining("clock")]);
  });

  it("says whose clock it is, and of which other host it passes files over", async () => {
    const bundle = await open(tar(
      tarEntry(MEMINFO, recorded(meminfos(0))),
      tarEntry(MEMINFO.replace("db1", "db2"), recorded(meminfos(9))),
    ));
    expect(bundle.warnings).toEqual([
      expect.stringContaining("those of the host's clock (CST)"),
      "oswmeminfo/db2_meminfo_26.04.21.0300.dat is of db2, and others of db1: passed over",
    ]);
  });

  it("is what was recorded before, where a sosreport is beside it", async () => {
    const bundle = await open(tar(
      tarEntry("case/proc/meminfo", meminfoText({ AnonPages: 3 * GIB })),
      tarEntry(`case/${MEMINFO}`, recorded(meminfos(10))),
    ));
    expect(analyze(bundle, preset).host.totalBytes).toBe(8 * GIB);
    expect([...bundle.files.keys()].filter((path) => !path.startsWith("history/"))).toEqual([
      "proc/meminfo",
      "sos_commands/host/hostname",
    ]);
  });

  it.each(["proc/zzz.dat", "x_meminfo_26.dat", "x_vmstat_26.04.21.0300.dat"])("is no other file: %s", async (path) => {
    const bundle = await open(tar(tarEntry(`h/${path}`, recorded(meminfos(0)))));
    expect(bundle.files.size).toBe(0);
  });

  it("is read within limits, of which a hostile file of a few megabytes has a million samples", async () => {
    const hours = Array.from({ length: 200 }, (_, hour) => String(100 + hour).slice(1));
    const stamps = hours.flatMap((hour, at) =>
      Array.from(
        { length: 60 },
        (_, i) => `zzz ***Tue Apr 21 ${hour}:${String(i).padStart(2, "0")}:04 CST ${2000 + at}\nMemTotal: 9 kB\n`,
      )
    );
    const bytes = tar(tarEntry(MEMINFO, stamps.join("")), tarEntry(MEMINFO.replace("0300", "0400"), stamps.join("")));
    expect((await open(bytes)).warnings.filter((each) => each.includes("its first 10000 samples"))).toHaveLength(2);
    const most = { sources: presetSources(preset), limits: { maxEntries: 15_000 } };
    await expect(openArchive(pieces(bytes), most)).rejects.toThrow("more than 15000 entries");
  });
});
