/** Texts in which somebody's loop wrote the same again and again, with the time before it. */
import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import type { Bundle } from "../../src/core/bundle.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { findingOf, meminfoText } from "../analyzers/_bundle.ts";
import { slabinfoText } from "../analyzers/_kernel.ts";
import { pieces, tar, tarEntry } from "./_archive.ts";

const MIB = 2 ** 20;

const open = (bytes: Uint8Array | string): Promise<Bundle> =>
  openArchive(pieces(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes), {
    sources: presetSources(preset),
  });

/** `while sleep 60; do date; cat /proc/meminfo /proc/slabinfo; done`, while a cache grows by 100 MiB a minute. */
const loop = (stamp: (minute: string) => string, between = ""): string =>
  Array.from({ length: 20 }, (_, i) => {
    const leaked = (4 + i) * 100 * MIB;
    const memory = meminfoText({ SUnreclaim: leaked + 40 * MIB, Slab: leaked + 90 * MIB });
    const slab = slabinfoText([{ name: "leaky", objects: leaked / 1024, size: 1024 }]);
    return `${stamp(String(i).padStart(2, "0"))}\n${between}${memory}${between}${slab}`;
  }).join("\n");

const FORMS: readonly (readonly [string, (minute: string) => string])[] = [
  ["date", (minute) => `Mon Nov 23 15:${minute}:00 UTC 2026`],
  ["date, American", (minute) => `Mon Nov 23 03:${minute}:00 PM UTC 2026`],
  ["date, American of long ago", (minute) => `Mon 23 Nov 2026 03:${minute}:00 PM UTC`],
  ["date -Is", (minute) => `2026-11-23T17:${minute}:00+02:00`],
  ["date '+%F %T'", (minute) => `2026-11-23 15:${minute}:00`],
  ["date +%F_%T, in a line of its own", (minute) => `==== 2026-11-23_15:${minute}:00 ====`],
  ["pt-stalk", (minute) => `TS ${1_795_446_000 + 60 * Number(minute)}.004233461 2026-11-23 15:${minute}:00`],
  ["collectl", (minute) => `>>> ${1_795_446_000 + 60 * Number(minute)}.001 <<<`],
  ["with a word", (minute) => `--- Date: Mon Nov 23 15:${minute}:00 GMT 2026 ---`],
];

describe("samples of several times in one text", () => {
  it.each(FORMS)("are snapshots: %s", async (_, stamp) => {
    for (const between of ["", "\n"]) {
      const text = loop(stamp, between);
      for (const bytes of [text, tar(tarEntry("case/watch.log", text))]) {
        const report = analyze(await open(bytes), preset);
        expect(report.host).toMatchObject({ capturedAt: "2026-11-23T15:19:00.000Z", snapshots: 20 });
        const finding = findingOf(report, "slab-leak");
        expect(finding?.owners[0]).toMatchObject({ comm: "leaky" });
        expect((finding?.growthBytesPerSecond?.high ?? 0) * 60).toBeCloseTo(100 * MIB, -6);
        expect(report.warnings.join()).toContain("each is a snapshot");
      }
    }
  });

  it("go before what top tells beside them, and other lines below meminfo's are left out (pt-stalk, collectl)", async () => {
    const stamp = (minute: string): string =>
      `TS ${1_795_446_000 + 60 * Number(minute)}.004233461 2026-11-23 15:${minute}:00`;
    const noise = "sock sockets: used 300\nNet   eth0: 1 2 3\n";
    const text = loop(stamp).replaceAll("\nslabinfo - version", `\n${noise}slabinfo - version`);
    const top = "top - 15:00:00 up 1:02\nKiB Mem : 24105000 total, 21800000 free, 1204000 used, 1410000 buff/cache\n";
    const bundle = await open(tar(
      tarEntry("pt-stalk/2026_11_23_15_00_00-meminfo", text),
      tarEntry("pt-stalk/2026_11_23_15_00_00-top", top),
      tarEntry("pt-stalk/2026_11_23_15_00_00-hostname", "db7\n"),
    ));
    const report = analyze(bundle, preset);
    expect(report.host).toMatchObject({ hostname: "db7", snapshots: 20 });
    expect(report.ledger?.accounts.find(({ id }) => id === "slab-unreclaimable")).toBeDefined();
    expect(report.warnings.join()).not.toContain("not an amount in kB");
  });

  it("say whose clock it is where its zone has but a name", async () => {
    const bundle = await open(tar(tarEntry("case/watch.log", loop((minute) => `Mon Nov 23 15:${minute}:00 CST 2026`))));
    expect(bundle.warnings).toEqual([expect.stringContaining("the host's clock (CST)")]);
  });

  it("are what is judged, where nothing else tells of memory", async () => {
    const entries = [tarEntry("case/a.txt", "Linux shop 6.1.0 #1 SMP x86_64 GNU/Linux\n")];
    const text = loop((minute) => `Mon Nov 23 15:${minute}:00 UTC 2026`);
    const report = analyze(await open(tar(...entries, tarEntry("case/watch.log", text))), preset);
    expect(report.host).toMatchObject({ hostname: "shop", totalBytes: 8 * 2 ** 30, snapshots: 20 });
  });

  it("are of one host: those of another are no later times of it", async () => {
    const of = (host: string, minute: number, used: number): string =>
      `root@${host}:~# date; cat /proc/meminfo\nMon Nov 23 15:0${minute}:00 UTC 2026\n${
        meminfoText({ AnonPages: used * MIB })
      }`;
    const text = [of("web1", 0, 100), of("web2", 1, 6000), of("web1", 2, 100), of("web2", 3, 6100)].join("");
    const report = analyze(await open(text), preset);
    expect(report.host).toMatchObject({ capturedAt: "2026-11-23T15:02:00.000Z", snapshots: 2 });
    expect(report.ledger?.accounts.find(({ id }) => id === "anon")?.bytes).toBe(100 * MIB);
  });

  it("are none where lists of sockets of different protocols follow each other", async () => {
    const text = `Thu Nov 23 10:00:00 UTC 2023
$ ss -tnp
State  Recv-Q   Send-Q  Local Address:Port   Peer Address:Port Process
ESTAB  31457280 0       10.0.0.1:8080        10.0.0.2:41234    users:(("reader",pid=2001,fd=5))
Thu Nov 23 10:00:05 UTC 2023
$ ss -unp
State  Recv-Q   Send-Q  Local Address:Port   Peer Address:Port Process
UNCONN 20971520 0       0.0.0.0:5353         0.0.0.0:*         users:(("friend",pid=3001,fd=5))
`;
    const report = analyze(await open(text), preset);
    expect(findingOf(report, "socket-backlog-tcp-recv")?.title).toContain("reader (pid 2001): 30.0 MiB");
    expect(findingOf(report, "socket-backlog-udp")?.title).toContain("friend (pid 3001): 20.0 MiB");
  });

  it("are none where a terminal shows the date twice, and other things between", async () => {
    const stamp = (hour: number): string => `Mon Nov 23 ${hour}:00:00 UTC 2026\n`;
    const text = `${stamp(10)}\n${meminfoText({})}\n${stamp(11)}\n${slabinfoText([])}`;
    expect([...(await open(text)).files.keys()].sort()).toEqual(["proc/meminfo", "proc/slabinfo"]);
  });

  const UTC = (minute: string): string => `Mon Nov 23 15:${minute}:00 UTC 2026`;
  const OOM = "[ 9.5] app invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0\n" +
    "[ 9.6] oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/a,task=app,pid=9,uid=0\n" +
    "[ 9.7] Out of memory: Killed process 9 (app) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0\n";
  const QUIET = "[ 1.5] usb 1-1: new device\n";

  it.each([
    ["above the first time", OOM + loop(UTC)],
    [
      "in a sample that is not the last",
      loop(UTC).replace("15:03:00 UTC 2026\n", `15:03:00 UTC 2026\n${OOM}\n`) + QUIET,
    ],
    ["in all of them", loop((minute) => `${UTC(minute)}\n${OOM}`)],
    ["in a file beside them", tar(tarEntry("case/watch.log", loop(UTC)), tarEntry("case/dmesg.txt", OOM))],
  ])("have a kernel log: %s", async (_, bytes) => {
    const report = analyze(await open(bytes), preset);
    expect(report.host).toMatchObject({ capturedAt: "2026-11-23T15:19:00.000Z", snapshots: 20 });
    expect(findingOf(report, "global-oom")?.evidence[0]?.path).toBe("sos_commands/kernel/dmesg");
    expect(findingOf(report, "global-oom")?.title).not.toContain("kills in all");
    expect(findingOf(report, "slab-leak")?.growthBytesPerSecond?.high).toBeGreaterThan(MIB);
  });

  it("are none of a log between whose lines the date stands: it would be torn to pieces", async () => {
    const [first, ...others] = OOM.split("\n");
    const text = `${UTC("01")}\n${QUIET}${first}\n${UTC("02")}\n${others.join("\n")}`;
    expect([...(await open(text)).files.keys()]).toEqual(["sos_commands/kernel/dmesg"]);
  });

  it("are the newest of a recording of megabytes in an archive", async () => {
    const long = loop(UTC).replace(/^/, `${meminfoText({})}\n`.repeat(20_000));
    const report = analyze(await open(tar(tarEntry("case/watch.log", long))), preset);
    expect(report.host).toMatchObject({ capturedAt: "2026-11-23T15:19:00.000Z", snapshots: 20 });
    expect(report.warnings.join()).toContain("its last 8388608 bytes are used");
  });
});
