import { describe, expect, it } from "vitest";
import { loosePath } from "../../src/bundle/_loose.ts";
import { parsePs } from "../../src/parsers/ps.ts";

function parse(text: string): { rows: ReturnType<typeof parsePs>; warned: number[] } {
  const warned: number[] = [];
  return { rows: parsePs(text, { facts: {}, warn: (line) => void warned.push(line) }), warned };
}

describe("parsePs()", () => {
  it("reads columns by the header", () => {
    const { rows } = parse(
      "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n" +
        "root           1  0.1  0.1 728760 42568 ?        Sl   08:12   0:00 node /srv/a b.js\n" +
        "very+long+us   8  0.8  0.3 18446020 75360 ?      Sl   Nov22   0:00 -bash\n",
    );
    expect(rows).toMatchObject([
      { pid: 1, rssBytes: 42_568 * 1024, vszBytes: 728_760 * 1024, state: "S", command: "node /srv/a b.js", line: 2 },
      { pid: 8, rssBytes: 75_360 * 1024, command: "-bash", comm: undefined, ppid: undefined, line: 3 },
    ]);
  });

  it("tells the name of a process from its cgroup by the width of the column", () => {
    const { rows } = parse(
      "    PID    PPID USER     GROUP        LWP NLWP START COMMAND         CGROUP\n" +
        "      8       1 root     root           8    7 08:12 tmux: server    0::/user.slice/a b\n",
    );
    expect(rows).toMatchObject([{ pid: 8, ppid: 1, threads: 7, comm: "tmux: server", command: undefined }]);
  });

  it("reads top's table, which rounds what is large", () => {
    const { rows } = parse(
      "KiB Swap:        0 total,        0 free,        0 used.  8104800 avail Mem\n\n" +
        "  PID USER      PR  NI    VIRT    RES    SHR S  %CPU %MEM     TIME+ COMMAND\n" +
        " 3679 mysql     20   0 8715212   6.4g   6944 S  83.1 41.3 414:09.42 mysqld\n" +
        "22906 hdfs      20   0 2507524 491888  25188 S  55.8  3.0   0:28.05 java\n" +
        "31093 root      16   0   1.2t    77m   1864 S     0  0.2   2:38.63 perl\n",
    );
    expect(rows).toMatchObject([
      { pid: 3679, rssBytes: Math.round(6.4 * 2 ** 30), vszBytes: 8_715_212 * 1024, state: "S", command: "mysqld" },
      { pid: 22_906, rssBytes: 491_888 * 1024 },
      { pid: 31_093, rssBytes: 77 * 2 ** 20, vszBytes: Math.round(1.2 * 2 ** 40) },
    ]);
  });

  it("reads top's table in other languages, and htop's", () => {
    const german = `    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM    ZEIT+ BEFEHL
   4321 app       20   0   10,2g   9,0g   9,8m S   0,7  58,0   1:02.01 python3 a.py
`;
    const htop = `    PID USER      PRI  NI  VIRT   RES   SHR S CPU% MEM%   TIME+  Command
   1234 root       20   0 1024M  310M  9.8M S  0.7  2.0  1:02.01 /usr/bin/dockerd -H fd://
`;
    for (const text of [german, htop]) {
      expect(loosePath(new TextEncoder().encode(text))).toBe("sos_commands/process/ps_auxwww");
    }
    expect(parse(german).rows).toMatchObject([{ pid: 4321, rssBytes: 9 * 2 ** 30, command: "python3 a.py" }]);
    expect(parse(htop).rows).toMatchObject([{
      pid: 1234,
      rssBytes: 310 * 2 ** 20,
      command: "/usr/bin/dockerd -H fd://",
    }]);
  });

  it("reads smem's table, in which command lines stand between other columns, and procrank's", () => {
    const smem = `  PID User     Command                         Swap      USS      PSS      RSS
21992 app      /usr/lib/jvm/java-8/bin/jav        0     5.9G     5.9G     6.0G
 3171 root     /usr/bin/python3 -m x 0 0          0     2860   640.0K    17140
`;
    expect(parse(smem).rows).toEqual([
      expect.objectContaining({
        pid: 21992,
        command: "/usr/lib/jvm/java-8/bin/jav",
        rssBytes: Math.round(5.9 * 2 ** 30),
      }),
      expect.objectContaining({ pid: 3171, command: "/usr/bin/python3 -m x 0 0", rssBytes: 640 * 1024 }),
    ]);
    const procrank = `  PID       Vss      Rss      Pss      Uss     Swap    PSwap    USwap    ZSwap  cmdline
  890  1844560K  648668K  612850K  601284K   20400K   15200K   15100K    4100K  com.example.player
                          ------   ------   ------   ------   ------   ------  ------
                          698550K  651284K   30800K   20400K   20200K    5200K  TOTAL

 ZRAM: 6200K physical used for 30800K in swap (524284K total swap)
`;
    expect(parse(procrank).rows).toEqual([
      expect.objectContaining({
        pid: 890,
        command: "com.example.player",
        rssBytes: 612850 * 1024,
        vszBytes: 1844560 * 1024,
      }),
    ]);
  });

  it("counts the lines of threads", () => {
    const { rows } = parse(
      "USER PID RSS STAT COMMAND\nroot 1 100 - init\nroot - - Sl -\nroot - - Sl -\nroot 2 0 - [kthreadd]\nroot - - S -\n",
    );
    expect(rows.map(({ threads }) => threads)).toEqual([2, 1]);
  });

  it("keeps the rows around a bad one, and absent is not 0", () => {
    const { rows, warned } = parse("PID RSS CMD\n1 x a\n-7 4 b\n\n9 99999999999999999999 c\n3 4\n");
    expect(warned).toEqual([3]);
    expect(rows).toMatchObject([{ pid: 1, rssBytes: undefined }, { pid: 9, rssBytes: undefined }, {
      pid: 3,
      command: "",
    }]);
  });

  it("leaves out the tree that it draws (f): a program is not called \\_", () => {
    const { rows } = parse("PID COMMAND\n1 /sbin/init\n2  \\_ java -jar a.jar\n3  |   \\_ [worker]\n");
    expect(rows.map(({ command }) => command)).toEqual(["/sbin/init", "java -jar a.jar", "[worker]"]);
  });

  it("does not round to what is above 2^53 bytes", () => {
    const { rows } = parse("PID USER VIRT RES COMMAND\n1 root 9999999999m 80139g a\n2 root 9999999999m 76.5t b\n");
    expect(rows.map(({ rssBytes, vszBytes }) => [rssBytes, vszBytes])).toEqual([
      [80_139 * 2 ** 30, undefined],
      [76.5 * 2 ** 40, undefined],
    ]);
  });

  it("throws for what is none", () => expect(() => parse("ps: command not found\n")).toThrow("Cannot parse ps"));
});
