/** Archives that nobody should send: bounded, and each limit named. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { BundleLimits } from "../../src/bundle/limits.ts";
import { openArchive, readEntries } from "../../src/bundle/open.ts";
import { readTar } from "../../src/bundle/tar.ts";
import type { Bundle, Entry } from "../../src/core/bundle.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import { LimitError } from "../../src/core/errors.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";
import { processStatus } from "../../src/parsers/process_status.ts";
import { preset } from "../../src/preset.ts";
import { renderText } from "../../src/render/text.ts";
import { meminfoText } from "../analyzers/_bundle.ts";
import { paxEntry, pieces, tar, tarEntry, tarHeader } from "./_archive.ts";

const sources = [meminfo, processStatus];
const MEMINFO = "MemTotal: 1024 kB\n";

async function open(
  archive: Uint8Array,
  limits: Partial<BundleLimits> = {},
  clock?: () => number,
): Promise<Bundle> {
  return await openArchive(pieces(archive), { sources, limits, ...(clock && { clock }) });
}

function textOf(bundle: Bundle, path: string): string | undefined {
  const bytes = bundle.files.get(path);
  return bytes && new TextDecoder().decode(bytes);
}

/** All entries of an archive, with their content. */
async function entries(archive: Uint8Array): Promise<{ names: string[]; broken: string[] }> {
  const names: string[] = [];
  const broken: string[] = [];
  for await (const entry of readTar(pieces(archive), (message) => broken.push(message))) {
    const { kind, path } = entry;
    names.push(`${kind} ${path} ${kind === "file" ? (await entry.read(1000)).bytes.length : ""}`.trim());
  }
  return { names, broken };
}

describe("a bundle beyond a limit", () => {
  const many = tar(...Array.from({ length: 20 }, (_, i) => tarEntry(`root/proc/${i}/status`, "Name: x\n")));

  it.each<[keyof BundleLimits, Partial<BundleLimits>, Uint8Array]>([
    ["maxEntries", { maxEntries: 19 }, many],
    ["maxUnpackedBytes", { maxUnpackedBytes: 2000 }, many],
    ["maxUnpackedBytes", { maxUnpackedBytes: 2000 }, gzipSync(many)],
  ])("is refused, and %s is named: %j", async (name, limits, archive) => {
    const error: unknown = await open(archive, limits).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({ limit: name, message: expect.stringContaining(`(limit ${name})`) });
  });

  it("is refused when it takes too long, on any clock", async () => {
    let now = 5000;
    const clock = (): number => now += 400;
    await expect(open(many, { maxSeconds: 1 }, clock)).rejects.toThrow("longer than 1 seconds (limit maxSeconds)");
    await expect(open(gzipSync(many), { maxSeconds: 1 }, clock)).rejects.toThrow("maxSeconds");
    expect((await open(many, { maxSeconds: 1000 }, clock)).files.size).toBe(20);
  });

  it("is taken with larger limits", async () => {
    const bundle = await open(many, { maxEntries: 20, maxUnpackedBytes: many.length });
    expect(bundle.files.size).toBe(20);
    expect(bundle.warnings).toEqual([]);
  });

  it("of one file: the file is cut there, and the limit named", async () => {
    const bundle = await open(tar(tarEntry("proc/meminfo", MEMINFO.repeat(9))), { maxFileBytes: MEMINFO.length });
    expect(textOf(bundle, "proc/meminfo")).toBe(MEMINFO);
    expect(bundle.warnings).toEqual([
      "proc/meminfo is incomplete: its first 18 bytes are used (limit maxFileBytes)",
    ]);
  });

  it("of all files: those that came first are used, and the limit is named once", async () => {
    const bundle = await open(many, { maxTotalBytes: 100 });
    expect(bundle.files.size).toBe(5);
    expect(bundle.warnings).toEqual([
      "proc/4/status is incomplete: its first 3 bytes are used (limit maxTotalBytes)",
      "more than 100 bytes are of use: the rest is left out (limit maxTotalBytes)",
    ]);
  });

  it("of names: the entry is passed over, and the limit named", async () => {
    const long = paxEntry({ path: `root/${"x".repeat(5000)}` });
    const deep = paxEntry({ path: `root/${"d/".repeat(70)}status` });
    const after = tarEntry("root/proc/meminfo", MEMINFO);
    const bundle = await open(tar(long, tarEntry("a", "1"), deep, tarEntry("b", "2"), after));
    expect(bundle.warnings.join()).toMatch(/limit maxPathBytes.*limit maxDepth/);
    expect(bundle.warnings.every((text) => text.length < 400)).toBe(true);
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
  });

  it("of links: they take memory, too", async () => {
    const links = Array.from({ length: 50 }, (_, i) => tarEntry(`root/l${i}`, "", { type: "2", link: "x".repeat(90) }));
    const bundle = await open(tar(tarEntry("root/a", ""), ...links), { maxTotalBytes: 1000 });
    expect(bundle.links.size).toBe(10);
    expect(bundle.warnings).toEqual([expect.stringContaining("limit maxTotalBytes")]);
  });
});

describe("a decompression bomb", () => {
  const zeros = tar(tarEntry("proc/meminfo", new Uint8Array(80 * 2 ** 20)));
  /** A frame of zstd with blocks that are one byte, repeated 128 Ki times. */
  const run = [0x02 | ((2 ** 17 & 0x1f) << 3), (2 ** 17 >> 5) & 0xff, 2 ** 17 >> 13, 0x41];
  const frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x38];
  const header = tarHeader({ name: "proc/meminfo", size: "77777777777\0" });
  const raw = [(512 << 3) & 0xff, 512 >> 5, 0, ...header];
  const zstd = Uint8Array.from([...frame, ...raw, ...Array.from({ length: 2000 }, () => run).flat()]);

  it("is refused: gzip", async () => {
    await expect(open(gzipSync(zeros))).rejects.toThrow("more than 500 times as large, as a decompression bomb is");
    expect((await open(gzipSync(zeros), { maxRatio: 2000 })).warnings.join()).toContain("limit maxFileBytes");
  });

  it("is refused: zstd, of which four bytes can stand for 128 KiB", async () => {
    await expect(open(zstd)).rejects.toThrow("limit maxRatio");
    await expect(open(zstd, { maxUnpackedBytes: 2 ** 20 })).rejects.toThrow("limit maxUnpackedBytes");
  });

  it("is refused: zstd that asks for a window of gigabytes, in whichever frame", async () => {
    const first = [...frame, 0x09, 0, 0, 0x41];
    const huge = Uint8Array.from([...first, 0x28, 0xb5, 0x2f, 0xfd, 0, 0x98, ...run, ...run, ...run, ...run]);
    await expect(open(huge)).rejects.toThrow();
    const broken: string[] = [];
    const { unzstd } = await import("../../src/bundle/zstd.ts");
    for await (const chunk of unzstd(pieces(huge), (message) => broken.push(message))) expect(chunk.length).toBe(1);
    expect(broken).toEqual([expect.stringContaining("a window of more than 128 MiB")]);
  });
});

describe("a tar archive that lies", () => {
  const good = tarEntry("root/good", "good");

  it.each<[string, string | Uint8Array]>([
    ["a letter", "12x\0"],
    ["a sign", "-0000000001\0"],
    ["a base-256 number above 2^53", Uint8Array.of(0x80, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0)],
    ["a negative base-256 number", new Uint8Array(12).fill(0xff)],
  ])("about a size (%s) is read up to there", async (_, size) => {
    const { names, broken } = await entries(tar(good, tarHeader({ name: "root/bad", size }), good));
    expect(names).toEqual(["file root/good 4"]);
    expect(broken).toEqual([expect.stringMatching(/impossible size at byte 1024 \(last good entry: root\/good\)/)]);
  });

  it.each(["1e3", "0x10", "-1", "NaN", "9007199254740993", " 4"])(
    "about a size in a PAX record (%j) is read up to there",
    async (size) => {
      const { names, broken } = await entries(tar(good, paxEntry({ size }), good));
      expect(names).toEqual(["file root/good 4"]);
      expect(broken[0]).toContain("impossible size");
    },
  );

  it("about the size of what has no content is read on", async () => {
    const lies = ["1", "2", "3", "4", "5", "6"].map((type) =>
      tarHeader({ name: `root/${type}`, type, size: "00000007777\0", link: "good" })
    );
    const { names, broken } = await entries(tar(good, ...lies, good));
    expect(names).toEqual([
      "file root/good 4",
      "hard-link root/1",
      "link root/2",
      ...["3", "4", "5", "6"].map((type) => `other root/${type}`),
      "file root/good 4",
    ]);
    expect(broken).toEqual([]);
  });

  it("with sizes of 8 GiB and more in base-256 says what is missing", async () => {
    const size = Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0);
    const { broken } = await entries(concatBytes([good, tarHeader({ name: "root/large", size })]));
    expect(broken).toEqual(["the archive is cut off inside root/large"]);
  });

  it("with PAX records that do not add up uses those before", async () => {
    const bad = tarEntry("pax", "16 path=root/new\n99 path=x\n", { type: "x" });
    const odd = tarEntry("pax", "17 path=root/new\n99 path=x\n", { type: "x" });
    expect((await entries(tar(bad, good))).names).toEqual(["file root/good 4"]);
    expect((await entries(tar(odd, good))).names).toEqual(["file root/new 4"]);
  });

  it("with a name of megabytes is not read on", async () => {
    const { broken } = await entries(tar(good, tarEntry("long", new Uint8Array(2 ** 20 + 1).fill(97), { type: "L" })));
    expect(broken).toEqual([expect.stringContaining("a name of 1048577 bytes")]);
  });

  it("about the parts of a sparse file leaves that file out", async () => {
    const map = (text: string): Uint8Array =>
      paxEntry({ "GNU.sparse.map": text, "GNU.sparse.size": "100", "GNU.sparse.name": "root/proc/meminfo" });
    for (const text of ["0,200", "50,10,0,10", "1", "a,b", "-1,5", "99999999999999999999,1"]) {
      const bundle = await open(tar(good, map(text), tarEntry("GNUSparseFile.0/x", "0123456789"), good));
      expect(bundle.files.size, text).toBe(0);
      expect(bundle.warnings, text).toEqual(["proc/meminfo cannot be read: left out"]);
    }
    const bundle = await open(tar(good, map("0,3,7,2"), tarEntry("x", "01234")));
    expect(textOf(bundle, "proc/meminfo")).toBe(`012\0\0\0\x0034${"\0".repeat(91)}`);
  });
});

describe("a bundle with hostile names", () => {
  it("keeps what is in it, writes nothing and follows no link out of it", async () => {
    const bundle = await open(tar(
      tarEntry("root/../../etc/passwd", "x"),
      tarEntry("root/../proc/meminfo", "x"),
      tarEntry("root/proc/self", "", { type: "2", link: "../../../../proc/1" }),
      tarEntry("root/proc/7/status", "", { type: "2", link: "/etc/passwd" }),
      tarEntry("root/loop", "", { type: "2", link: "loop" }),
      tarEntry("/root/proc/meminfo", MEMINFO),
    ));
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
    expect(bundle.links.get("proc/self")).toBeUndefined();
    expect(bundle.warnings).toEqual([
      'the entry "root/../../etc/passwd" points outside the bundle: passed over',
      'the entry "root/../proc/meminfo" points outside the bundle: passed over',
    ]);
  });

  it("tells of a thousand of them in a few lines", async () => {
    const outside = Array.from({ length: 1000 }, (_, i) => tarEntry(`root/../${i}`, ""));
    const { warnings } = await open(tar(...outside, ...Array.from({ length: 9 }, () => tarEntry("proc/meminfo", "x"))));
    expect(warnings).toHaveLength(12);
    expect(warnings.join("\n")).toContain("995 more entries like these: points outside the bundle");
    expect(warnings.join("\n")).toContain("3 more entries like these: is in the bundle twice");
  });

  it("uses the last one of two, and says so", async () => {
    const bundle = await open(tar(tarEntry("proc/meminfo", "first"), tarEntry("proc/meminfo", MEMINFO)));
    expect(textOf(bundle, "proc/meminfo")).toBe(MEMINFO);
    expect(bundle.warnings).toEqual(["proc/meminfo is in the bundle twice: the last one is used"]);
  });

  it("finds a hard link's content", async () => {
    const archive = tar(
      tarEntry("root/proc/7/status", "Name:\tseven\n"),
      tarEntry("root/proc/8/status", "", { type: "1", link: "root/proc/7/status" }),
    );
    const { links } = await open(archive);
    expect(links.get("proc/8/status")).toBe("proc/7/status");
  });

  it("is analyzed and shown: __proto__, invalid UTF-8, escapes, bidirectional marks, lines of megabytes", async () => {
    const evil = "\x1b]0;owned\x07\u202etxt.\u2066\u009b31m__proto__";
    const status = (name: string): string => `Name:\t${name}\nPid:\t7\nVmRSS:\t 4194304 kB\nRssAnon:\t 4194304 kB\n`;
    const files: readonly Uint8Array[] = [
      tarEntry("root/__proto__/constructor", "x"),
      tarEntry(
        "root/proc/meminfo",
        `${meminfoText({ AnonPages: 5 * 2 ** 30 })}__proto__: 5 kB\nconstructor: 1 kB\n${"z".repeat(2 ** 23)}: 1 kB\n`,
      ),
      tarEntry("root/proc/__proto__/status", status("__proto__")),
      tarEntry("root/proc/7/status", status(evil)),
      tarEntry("root/proc/8/status", Uint8Array.of(0x4e, 0x61, 0x6d, 0x65, 0x3a, 0x09, 0xff, 0xc0, 0x80, 0x0a)),
      tarEntry("root/etc/hostname", `${evil}\n`),
      tarEntry(
        "root/sos_commands/kernel/sysctl_-a",
        `__proto__ = 1\n${"a".repeat(2 ** 22)} = ${"9 ".repeat(2 ** 20)}\n`,
      ),
    ];
    const bundle = await openArchive(pieces(tar(...files)), { sources: presetSources(preset) });
    const report = analyze(bundle, preset);
    const text = renderText(report, { all: true, color: false, width: 100 });
    // deno-lint-ignore no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    expect(text.length).toBeLessThan(100_000);
    expect(report.ledger?.totalBytes).toBe(8 * 2 ** 30);
    expect(({} as { owned?: unknown }).owned).toBeUndefined();
  });
});

describe("numbers that no host has", () => {
  it.each(["-5", "9007199254740993", "99999999999999999999999", "NaN", "Infinity", "1e9", "0x10", "", "1.5"])(
    "%j kB in meminfo: warned of, and absent, not zero",
    async (number) => {
      const text = meminfoText().replace(/^(AnonPages: +)\d+/m, `$1${number}`);
      const entry: Entry = {
        path: "proc/meminfo",
        kind: "file",
        read: () => Promise.resolve({ bytes: new TextEncoder().encode(text), truncated: false }),
      };
      const report = analyze(await readEntries([entry], { sources: presetSources(preset) }), preset);
      expect(report.warnings.join("\n")).toContain("not an amount in kB");
      expect(report.ledger?.accounts.find(({ id }) => id === "anon")).toBeUndefined();
      for (const { bytes } of report.ledger?.accounts ?? []) expect(Number.isSafeInteger(bytes)).toBe(true);
    },
  );
});
