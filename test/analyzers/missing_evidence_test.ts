/** What is not in a bundle is asked for, and nothing is ruled out for want of it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { preset } from "../../src/preset.ts";
import { renderHtml } from "../../src/render/html.ts";
import { renderMarkdown } from "../../src/render/markdown.ts";
import { renderText } from "../../src/render/text.ts";
import { analyzeFiles, meminfoText } from "./_bundle.ts";

const sample = (name: string): string => readFileSync(new URL(`../../samples/${name}`, import.meta.url), "utf8");

/** Bundles that have next to nothing, and the causes that this little is enough for. */
const poor: readonly [string, { readonly [path: string]: string }, readonly string[]][] = [
  ["nothing of memory", { "proc/loadavg": "0.1 0.1 0.1 1/100 200\n" }, []],
  ["meminfo", { "proc/meminfo": meminfoText() }, [
    "balloon",
    "bpf-maps",
    "percpu-growth",
    "pipe-buffers",
    "shmem-leak",
    "thp-bloat",
  ]],
  ["the log of an OOM", { "sos_commands/kernel/dmesg": sample("oom-7.2.txt") }, [
    "buddy-fragmentation",
    "global-oom",
    "memcg-oom",
    "pipe-buffers",
    "user-leak",
  ]],
  ["the log of a control group's OOM", { "sos_commands/kernel/dmesg": sample("oom-7.2-memcg.txt") }, [
    "buddy-fragmentation",
    "global-oom",
    "memcg-oom",
  ]],
];

describe.each(poor)("of a bundle with only %s", (_, files, enough) => {
  it("every other cause is not assessed, and says which file it lacks and the command that captures it", async () => {
    const { findings, ruledOut, notAssessed } = await analyzeFiles(files);
    const judged = [...findings, ...ruledOut].map(({ cause }) => cause);
    expect([...new Set(judged)].sort()).toEqual(enough);
    expect([...judged, ...notAssessed.map(({ cause }) => cause)].sort()).toEqual(
      preset.analyzers.map(({ id }) => id).sort(),
    );
    for (const { cause, missing, howToCapture } of notAssessed) {
      expect({ cause, missing, howToCapture }).toEqual({
        cause,
        missing: expect.arrayContaining([expect.stringMatching(/\S/)]),
        howToCapture: expect.arrayContaining([expect.stringMatching(/\S/)]),
      });
    }
  });

  it("every form of the report tells all of these causes, and how to capture what they lack: the text with all", async () => {
    const report = await analyzeFiles(files);
    const short = renderText(report, { width: 10_000 });
    for (const { cause } of report.notAssessed) expect(short).toContain(cause);
    const forms = [
      renderText(report, { width: 10_000, all: true }),
      renderMarkdown(report),
      renderHtml(report).replaceAll("&#39;", "'"),
    ];
    for (const form of forms) {
      for (const { cause, howToCapture } of report.notAssessed) {
        expect(form).toContain(cause);
        for (const command of howToCapture) expect(form.replaceAll("\\", "")).toContain(command.replaceAll("\\", ""));
      }
    }
  });
});
