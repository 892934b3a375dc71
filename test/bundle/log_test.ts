import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let i = 0; i < bytes.length; i += 700) yield bytes.subarray(i, i + 700);
}

const KILL =
  "Memory cgroup out of memory: Killed process 77 (java) total-vm:204800kB, anon-rss:102400kB, file-rss:0kB, " +
  "shmem-rss:0kB, UID:0 pgtables:300kB oom_score_adj:0";
const CONSTRAINT =
  "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/app,task_memcg=/app," +
  "task=java,pid=77,uid=0";

describe("a kernel log in plain text", () => {
  it.each([
    ["dmesg", (line: string) => `[ 1234.567890] ${line}`],
    ["dmesg without times, after a boot loader's words", (line: string) => `Booting from ROM...\r\n${line}\r`],
    ["journalctl", (line: string) => `Nov 23 08:12:58 host kernel: ${line}`],
  ])("is a bundle of its own: %s", async (_, prefix) => {
    const text = [CONSTRAINT, KILL].map(prefix).join("\n");
    const bundle = await openArchive(chunks(`${text}\n`), { sources: presetSources(preset) });
    const report = analyze(bundle, preset);
    expect(report.findings.map(({ cause }) => cause)).toContain("memcg-oom");
    expect(report.verdict).toBe("insufficient-evidence");
  });

  it("is not any text, nor any file", async () => {
    for (const text of ["hello\n", "\0[ 1.0] x\n", "From: kernel@example\n"]) {
      await expect(openArchive(chunks(text), { sources: [] })).rejects.toThrow("nor a kernel log");
    }
  });
});
