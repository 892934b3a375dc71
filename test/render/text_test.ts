import { describe, expect, it } from "vitest";
import { printable, wrap } from "../../src/render/_printable.ts";
import { duration } from "../../src/core/duration.ts";
import { formatBytes, formatCount } from "../../src/core/format.ts";
import { shellWord } from "../../src/core/shell.ts";
import { renderAnswer, renderText } from "../../src/render/text.ts";
import { sampleReport } from "../_samples.ts";
import { friendPush, withEveryText } from "./_hostile.ts";
import { analyzeFiles, meminfoText, udpText } from "../analyzers/_bundle.ts";

const MIB = 2 ** 20;

describe("printable()", () => {
  it("disarms escape sequences, C1 controls, bidirectional and zero-width marks", () => {
    expect(printable("a\u001b[31mb\u009bc\u202ed\u200be\u2028f\u0007")).toBe(
      "a\\u{1b}[31mb\\u{9b}c\\u{202e}d\\u{200b}e\\u{2028}f\\u{7}",
    );
  });

  it("keeps letters of all scripts", () => expect(printable("钉子户 ümläut 🙂")).toBe("钉子户 ümläut 🙂"));
});

/** What it says, and not how it is broken into lines. */
const WIDE = { width: 1000 };

describe("renderText()", () => {
  const statuses = { "proc/500/status": "Name:\tevil\\033]0;owned\\007\nRssAnon:\t 100 kB\n" };
  const held = {
    ...statuses,
    "proc/meminfo": meminfoText({ SUnreclaim: 420 * MIB }),
    "proc/net/udp": udpText(Array.from({ length: 100 }, () => ({ bytes: 4 * MIB, drops: 5 }))),
    "sos_commands/process/socket_owners": Array.from(
      { length: 100 },
      (_, i) => `/proc/500/fd/3 -> socket:[${1001 + i}]\n`,
    ).join(""),
  };

  it("does not say that nothing is to be done where something grows that may be no leak", async () => {
    const files: { [path: string]: string } = {};
    for (
      const [i, prefix] of ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].entries()
    ) {
      const bytes = (140 + 20 * i) * MIB;
      files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: bytes });
      files[`${prefix}proc/700/status`] = `Name:\tapp\nRssAnon:\t${bytes / 1024} kB\nVmSwap:\t0 kB\n`;
      files[`${prefix}sos_commands/process/process_list`] = `700 (app) S 1 8 100 50 0\n900 (sh) S 1 1 ${
        900 + 500 * i
      } 0 0\n`;
    }
    const [first, second] = renderText(await analyzeFiles(files), WIDE).split("\n");
    expect(first).toMatch(/^No leak found/);
    const falling = await analyzeFiles({
      "proc/meminfo": meminfoText({ MemAvailable: 4000 * MIB }),
      "history/2026-01-01T00:00:05.000Z/proc/meminfo": meminfoText({ MemAvailable: 3700 * MIB }),
      "history/2026-01-01T00:00:10.000Z/proc/meminfo": meminfoText({ MemAvailable: 3400 * MIB }),
    });
    expect(falling).toMatchObject({ verdict: "healthy", pressure: { level: "rising" } });
    // It lasts 57 s.
    expect(renderText(falling, WIDE).split("\n")[1]).toMatch(
      /^Look again at once: nailhouse collect --snapshots 6 --interval 2\./,
    );
    const slowly = await analyzeFiles({
      "proc/meminfo": meminfoText({ MemAvailable: 4000 * MIB }),
      "history/2026-01-01T00:01:00.000Z/proc/meminfo": meminfoText({ MemAvailable: 3700 * MIB }),
      "history/2026-01-01T00:02:00.000Z/proc/meminfo": meminfoText({ MemAvailable: 3400 * MIB }),
    });
    expect(renderText(slowly, WIDE).split("\n")[1]).toMatch(/^Look again in a few minutes: .* --interval 30\./);
    expect(second).toMatch(
      /^To be watched: app \(pid 700\) has 140 MiB of its own and grows by 4\.00 MiB a second; started/,
    );
  });

  it("answers who and what to do in the first two lines", async () => {
    const [first, second] = renderText(await analyzeFiles(held), WIDE).split("\n");
    expect(first).toMatch(/400 MiB unread in 100 UDP sockets/);
    expect(second).toMatch(/^Now: kill -TERM 500/);
  });

  it("tells how long memory lasts, and what takes it where nobody is named", async () => {
    // The page cache takes more, and gives it back.
    const at = (minute: number) =>
      meminfoText({ Cached: (64 + minute * 50) * MIB, SUnreclaim: (20 + minute * 40) * MIB });
    const history = Array.from({ length: 60 }, (_, minute) => [
      `history/${new Date(Date.UTC(2026, 10, 23, 6, minute)).toISOString()}/proc/meminfo`,
      at(minute),
    ]);
    const [first, second] = renderText(await analyzeFiles(Object.fromEntries(history)), WIDE).split("\n");
    expect(first).toMatch(
      /falls by 40.0 MiB a minute and would last at least 2 hours 23 minutes, until 2026-11-23 09:22:43Z/,
    );
    expect(second).toContain("Grew most: slab, unreclaimable, by 2.30 GiB.");
  });

  it("lets no control character of the bundle through", async () => {
    const text = renderText(await analyzeFiles(held));
    expect(text).toContain("evil");
    // deno-lint-ignore no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it("lets none through wherever it stands", async () => {
    const text = renderText(withEveryText(await friendPush(), "a\u001b[31m\u0007\u202e"), { all: true });
    // deno-lint-ignore no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it("keeps to the width, but for commands and single words", async () => {
    for (const width of [80, 60]) {
      const lines = renderText(await analyzeFiles(held), { width }).split("\n");
      expect(lines.filter((line) => line.length > width && !line.startsWith("       "))).toEqual([]);
      expect(lines.slice(width === 80 ? 1 : 2)[0]).toBe("Now: kill -TERM 500");
    }
  });

  it("keeps to the width in the answer where nobody is named, too", async () => {
    const text = renderAnswer(await analyzeFiles({ "proc/meminfo": meminfoText({ SUnreclaim: 420 * MIB }) }));
    expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(text).toMatch(/^No leak found.*\nNothing to do.*\n {2}\S.*\n$/);
  });

  it.each([0, 1, 12])("lays out what has no room, too: %i columns", async (width) => {
    expect(renderText(await friendPush(), { width, all: true })).toContain("MemTotal");
  });

  it("says that nothing is wrong, first, on a healthy host", async () => {
    const text = renderText(await analyzeFiles({ "proc/meminfo": meminfoText() }));
    expect(text.split("\n")[0]).toMatch(/^No leak found/);
  });

  it("says what is known when the cause is gone", async () => {
    const log = "[ 1.0] Out of memory: Killed process 7 (hog) total-vm:9kB, anon-rss:9kB\n";
    const files = { "proc/meminfo": meminfoText(), "sos_commands/kernel/dmesg": log };
    const [first, second] = renderText(await analyzeFiles(files)).split("\n");
    expect(first).toBe("The host ran out of memory, and the kernel killed hog (pid 7) (confirmed)");
    expect(second).toBe("Now: nailhouse collect");
  });

  it("tells in short what a log alone cannot tell, the captures that serve most causes first, and all of it with all", async () => {
    const report = await sampleReport("oom-6.18-udp.txt");
    const part = (all: boolean): string =>
      renderText(report, { all }).split("Could not be assessed: ")[1]?.split("\n\n")[0] ?? "";
    const short = part(false).split("\n");
    expect(short.slice(0, 2)).toEqual(["31 causes, for want of", "  cat /proc/meminfo"]);
    expect(short).toContain("  and 16 more (--all)");
    expect(short.length).toBeLessThanOrEqual(15);
    for (const { cause } of report.notAssessed) {
      expect(part(false)).toContain(cause);
      expect(part(true)).toContain(`  ${cause}: needs `);
    }
  });

  it("tells the remedy of the answer once, with what the answer does not tell of it below", async () => {
    const text = renderText(await sampleReport("guest-7.2-balloon.tgz"));
    expect(text.match(/Ask for it back/g)).toHaveLength(1);
    expect(text).toMatch(
      /\[now\] as at the top\n {7}virsh dommemstat DOMAIN\n {7}virsh setmem DOMAIN SIZE --live\n {7}check: /,
    );
    // One command is at the top already.
    expect(renderText(await analyzeFiles(held)).match(/kill -TERM 500/g)).toHaveLength(1);
  });

  it("tells the folder of a later snapshot once, not with each account", async () => {
    const text = renderText(await sampleReport("guest-6.1-panic.tgz")).split("Since when")[0] ?? "";
    expect(text).toContain(" proc/meminfo:2\n");
    expect(text.match(/history\//g)).toHaveLength(1);
    expect(text).toContain("  paths are within history/2026-11-23T18:04:57Z/\n");
  });

  it("magnifies cache that is held as well as what is in use", async () => {
    const lines = renderText(await sampleReport("ramfs.tgz")).split("\n");
    const title = lines.findIndex((line) => line.endsWith(" in use, or held by findings:"));
    expect(lines[title + 1]).toMatch(/^ {2}\[P+S+K+\?+#{40,}\]$/);
  });

  it("says when memory is used up in few words where it is used up", async () => {
    const text = renderText(await sampleReport("guest-6.1-panic.tgz")).replace(/\s+/g, " ");
    expect(text).toContain("memory is used up at 2026-11-23 18:04:57Z (right after the capture) owners:");
  });

  it("calls nobody an owner of a finding that holds nothing, and no pressure none that is not known", async () => {
    const text = renderText(await sampleReport("oom-7.2-memcg.txt"));
    expect(text).toContain("   holds nothing itself; a symptom of user-leak\n   involved:\n");
    expect(text).toContain("\npressure not known: the bundle has no /proc/meminfo\n");
    expect(renderText(await analyzeFiles(held))).toContain("   owners:\n");
  });

  it("leaves no spaces at the ends of lines", async () => {
    const text = renderText(await sampleReport("friend-push.tgz"), { all: true });
    expect(text).toContain("#include <sys/socket.h>\n\n");
    expect(text.split("\n").filter((line) => line.endsWith(" "))).toEqual([]);
  });

  it("uses no colour unless asked", async () => {
    const report = await analyzeFiles(held);
    expect(renderText(report)).not.toContain("\u001b");
    expect(renderText(report, { color: true })).toContain("\u001b[1m");
  });

  it("tells by letters, too, what the bar tells by colour", async () => {
    const [whole, , used] = renderText(await analyzeFiles(held)).split("Where all of MemTotal is\n")[1]?.split("\n") ??
      [];
    expect(whole).toMatch(/^ {2}\[PS#+Kc\.{60,}\]$/);
    // 400 MiB of the 469 MiB that are in use.
    expect(used?.match(/#/g)?.length).toBe(64);
    expect([whole?.length, used?.length]).toEqual([80, 80]);
  });

  it("draws what moved as a line with its scale and its times", async () => {
    const text = renderText(await friendPush());
    const plot = text.split("slab, unreclaimable: 420 MiB to 620 MiB (+200 MiB)\n")[1]?.split("\n").slice(0, 6) ?? [];
    expect(plot[0]).toMatch(/^ {2}650 MiB \| +\S+$/);
    expect(plot[3]).toMatch(/^ {2}400 MiB \|\S+$/);
    expect(plot[5]).toMatch(/^ +2026-01-01 00:00:00Z +2026-01-01 00:01:00Z$/);
  });

  it("uses a wide terminal, and leaves out nothing with all", async () => {
    const report = await friendPush();
    const widest = (width: number): number =>
      Math.max(...renderText(report, { width }).split("\n").map((line) => line.length));
    expect(widest(60)).toBeLessThanOrEqual(80);
    expect(widest(140)).toBeGreaterThan(100);
    const all = renderText(report, { all: true });
    for (const { because } of report.ruledOut) expect(all.replace(/\s+/g, " ")).toContain(because);
    for (const { evidence } of report.findings) {
      for (const { text } of evidence) expect(all).toContain(text.replaceAll("\t", " ").trim());
    }
  });
});

describe("small formatting", () => {
  it.each([[0, "0 B"], [1023, "1.00 KiB"], [999, "999 B"], [8_912_896, "8.50 MiB"], [10 * 2 ** 30, "10.0 GiB"], [
    -4096,
    "-4.00 KiB",
  ]])(
    "formatBytes(%d) is %s",
    (bytes, text) => expect(formatBytes(bytes)).toBe(text),
  );

  it("formatCount() puts commas between thousands", () => expect(formatCount(1_234_567)).toBe("1,234,567"));

  it.each([[0.2, "0 seconds"], [59, "59 seconds"], [3_725, "1 hour 2 minutes"], [90_000, "1 day 1 hour"], [
    40_000_000,
    "1 year 97 days",
  ]])(
    "duration(%d) is %s",
    (seconds, text) => expect(duration(seconds)).toBe(text),
  );

  it("wrap() indents what follows a bullet", () =>
    expect(wrap("aaa bbb ccc", 9, " - ")).toBe(" - aaa\n   bbb\n   ccc"));

  it("shellWord() leaves plain words and quotes all others", () => {
    expect([shellWord("nginx.service"), shellWord("a b"), shellWord("it's"), shellWord("$(x)")]).toEqual([
      "nginx.service",
      "'a b'",
      "'it'\\''s'",
      "'$(x)'",
    ]);
  });
});
