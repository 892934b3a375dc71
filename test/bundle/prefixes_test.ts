import { describe, expect, it } from "vitest";
import { splitText } from "../../src/bundle/_samples.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const MEMINFO = `MemTotal:       65806764 kB
MemFree:         1204404 kB
MemAvailable:    1604404 kB
Buffers:          104404 kB
Cached:           904404 kB
Slab:           56204404 kB
SReclaimable:     304404 kB
SUnreclaim:     55900000 kB
`;
const utf8 = new TextDecoder();
const lines = (each: (line: string, at: number) => string): string =>
  MEMINFO.trimEnd().split("\n").map((line, at) => `${each(line, at)}\n`).join("");

describe("what stands before every line", () => {
  it.each<[string, string]>([
    ["cat -n", lines((line, at) => `${String(at + 1).padStart(6)}\t${line}`)],
    ["grep -n", lines((line, at) => `${at + 1}:${line}`)],
    ["kubectl logs --timestamps", lines((line) => `2023-11-22T10:15:01.123456789Z ${line}`)],
    ["ts", lines((line) => `Nov 22 10:15:01 ${line}`)],
    ["pdsh", lines((line) => `web1: ${line}`)],
    ["pdsh of two hosts, mixed", lines((line) => `web1: ${line}\nweb2: ${line.replace(/\d/g, "1")}`)],
    [
      "pdsh of two hosts, one after the other",
      `${lines((line) => `web1: ${line}`)}${lines((line) => `web2: ${line}`)}`,
    ],
    ["cat -n, copied with blanks", lines((line, at) => `${String(at + 1).padStart(6)}  ${line}`)],
    ["bars", lines((line) => `| ${line}`)],
    ["bars that are drawn", lines((line) => `\u2502 ${line}`)],
    [
      "Ansible's quotes",
      `ok: [db] => {\n    "out.stdout_lines": [\n${lines((line) => `        ${JSON.stringify(line)},`)}    ]\n}\n`,
    ],
    ["JSON", `{\n "rc": 0,\n "stdout": ${JSON.stringify(MEMINFO)}\n}\n`],
    ["docker compose logs, with times", lines((line) => `app_1  | 2023-11-22T10:15:01.123456789Z ${line}`)],
  ])("is left out: %s", (_, text) => {
    const paste = splitText(text, undefined);
    expect(paste?.sections.map(({ path }) => path)).toEqual(["proc/meminfo"]);
    expect(utf8.decode(paste?.sections[0]?.bytes).split("\n").filter((line) => line !== "")).toEqual(
      MEMINFO.trimEnd().split("\n"),
    );
    expect(paste?.warnings[0]).toContain("are left out");
    expect(paste?.warnings.some((warning) => warning.includes("other hosts"))).toBe(text.includes("web2"));
  });

  it("is left out of tables of Markdown, and of such with tabs", () => {
    const table = `|        | total | used | free | shared | buff/cache | available |
|--------|-------|------|------|--------|------------|-----------|
| Mem:   | 7821  | 6903 | 211  | 12     | 706        | 640       |
| Swap:  | 2047  | 2047 | 0    |        |            |           |
`;
    expect(splitText(`Look at this:\n\n${table}\nIs it bad?\n`, undefined)?.sections.map(({ path }) => path)).toEqual([
      "sos_commands/memory/free",
    ]);
    const tabs =
      "USER\tPID\t%CPU\t%MEM\tVSZ\tRSS\tTTY\tSTAT\tSTART\tTIME\tCOMMAND\napp\t4512\t12.0\t88.4\t18212344\t7102044\t?\tSl\tNov20\t40:04\tjava\n";
    expect(splitText(tabs, undefined)?.sections.map(({ path }) => path)).toEqual(["sos_commands/process/ps_auxwww"]);
  });

  it("takes time in proportion to the text", async () => {
    const split = (size: number) => {
      const blanks = " ".repeat(size);
      for (const line of [`| ${blanks}x|`, `|${" |".repeat(size / 2)}x`, `a\t${blanks}`, "-".repeat(size)]) {
        splitText(`${line}\n${line}\n`, undefined);
      }
    };
    expect(await growth(split, 60_000)).toBeLessThan(IN_PROPORTION);
  });

  it("is nothing where the text is known as it stands, or is not known at all", () => {
    expect(splitText(MEMINFO, "proc/meminfo")).toBeUndefined();
    expect(splitText(lines((line) => `web1: nothing of ${line.length}`), undefined)).toBeUndefined();
  });
});
