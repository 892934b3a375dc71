import { describe, expect, it } from "vitest";
import { pipeBuffers } from "../../analyzers/pipe-buffers.ts";
import { analyzeFiles, findingOf, manifest, meminfoText, pinnedText } from "./_bundle.ts";
import { later } from "./_sockets.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const pipes = (count: number, bytes: number, capacity: number): string =>
  `# bytes capacity inode descriptor\n${
    Array.from({ length: count }, (_, i) => `${bytes} ${capacity} ${7000 + i} /proc/700/fd/${3 + 2 * i}\n`).join("")
  }# descriptors_left 15000\n`;
const files = (text: string, hidden: number, total = 24 * GIB): { [path: string]: string } => ({
  "proc/meminfo": meminfoText({}, total, hidden),
  "sos_commands/process/pipe_contents": text,
  "proc/700/status": "Name:\tstuck\nRssAnon:\t100 kB\n",
});
/** The same watched for ten seconds, in which its program, pid 700, computed for so long; 0.01 s are a tick. */
const watched = (text: string, cpuSeconds: number): { [path: string]: string } => ({
  ...files(text, 314 * MIB),
  "sos_commands/process/process_list": "700 (stuck) S 1 8 100 20 30\n",
  [`${later(10)}/proc/meminfo`]: meminfoText({}, 24 * GIB, 314 * MIB),
  [`${later(10)}/sos_commands/process/process_list`]: `700 (stuck) S 1 8 100 20 ${30 + Math.round(100 * cpuSeconds)}\n`,
});
const lsof = Array.from(
  { length: 604 },
  (_, i) => `pipes     700     0   ${3 + i}r     FIFO  0,15      0t0    ${7000 + i} pipe\n`,
).join("");

describe("pipe-buffers", () => {
  it("is not assessed by the number of pipes where free alone tells of memory", async () => {
    const free =
      "              total        used        free      shared  buff/cache   available\nMem:       25165824     4000000    21000000        8000      165824    21000000\n";
    const report = await analyzeFiles({ "sos_commands/memory/free": free, "sos_commands/process/lsof_": lsof }, [
      pipeBuffers,
    ]);
    expect(report.findings).toEqual([]);
    expect(report.notAssessed).toMatchObject([{ cause: "pipe-buffers", howToCapture: ["cat /proc/meminfo"] }]);
  });

  it("is confirmed for full pipes whose bytes are in no account, and whose program does nothing", async () => {
    const report = await analyzeFiles(watched(pipes(300, MIB, MIB), 0), [pipeBuffers]);
    expect(findingOf(report, "pipe-buffers")).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 300 * MIB, high: 300 * MIB },
      owners: [{ pid: 700, comm: "stuck", count: 300 }],
    });
    expect(findingOf(report, "pipe-buffers")?.title).toBe("stuck (pid 700): 300 MiB unread in 300 pipes");
  });

  it("is possible for pipes that are read, and full at each look because who writes is faster", async () => {
    // Linux 6.18: 300 pipes of 1 MiB, of each of which 64 KiB are read ten times a second. It took 0.96 s in ten seconds, of both ends.
    const report = await analyzeFiles(watched(pipes(300, MIB, MIB), 0.96), [pipeBuffers]);
    const finding = findingOf(report, "pipe-buffers");
    expect(finding).toMatchObject({ confidence: "possible", material: false });
    expect(finding?.title).toContain("which may be read");
    expect(finding?.remedies[0]?.commands).toEqual([expect.stringContaining("/proc/700/io")]);
    expect(finding?.remedies.flatMap(({ commands }) => commands).join()).not.toContain("kill");
    expect(report.verdict).not.toBe("cause-found");
  });

  it("is confirmed for a program that wakes now and then, which is too short for what the pipes hold", async () => {
    const report = await analyzeFiles(watched(pipes(300, MIB, MIB), 0.02), [pipeBuffers]);
    expect(findingOf(report, "pipe-buffers")?.confidence).toBe("confirmed");
  });

  it("is likely for a program that computes for longer, but does hardly copy that fast", async () => {
    const report = await analyzeFiles(watched(pipes(300, MIB, MIB), 0.1), [pipeBuffers]);
    expect(findingOf(report, "pipe-buffers")).toMatchObject({ confidence: "likely", material: true });
  });

  it("is likely where nobody watched", async () => {
    const report = await analyzeFiles(files(pipes(300, MIB, MIB), 314 * MIB), [pipeBuffers]);
    expect(findingOf(report, "pipe-buffers")?.confidence).toBe("likely");
  });

  it("has pages that a process gave away with vmsplice() and does not map any more", async () => {
    // Linux 6.18: 300 MiB on the LRU lists, in no process, and the idle 20 MiB in no account.
    const text = pinnedText(300 * MIB, {}, 24 * GIB, 20 * MIB);
    const given = {
      ...watched(pipes(300, MIB, MIB), 0),
      "proc/meminfo": text,
      [`${later(10)}/proc/meminfo`]: text,
    };
    const report = await analyzeFiles(given);
    expect(findingOf(report, "pipe-buffers")).toMatchObject({
      confidence: "confirmed",
      claims: [{ account: "pinned-lru", bytes: { low: 300 * MIB } }],
    });
    expect(findingOf(report, "io-uring")).toBeUndefined();
  });

  it("ends who has the full ones, and no other script of the same interpreter", async () => {
    const text = `${pipes(300, MIB, MIB)}`.replace(
      "# descriptors_left",
      "5 65536 9000 /proc/701/fd/3\n# descriptors_left",
    );
    const report = await analyzeFiles({ ...files(text, 314 * MIB), "proc/701/status": "Name:\tstuck\n" }, [
      pipeBuffers,
    ]);
    expect(findingOf(report, "pipe-buffers")?.remedies[0]?.commands).toEqual(["kill -TERM 700"]);
  });

  it("holds nothing where the pages are a file's, or the same in many pipes", async () => {
    // Linux 6.18: 1 MiB of a file, given to 400 pipes with splice(), or of one pipe with tee(), beside what an idle host has in no account.
    const report = await analyzeFiles(watched(pipes(400, MIB, MIB), 0));
    expect(findingOf(report, "pipe-buffers")?.material).toBe(true);
    const shared = {
      ...watched(pipes(400, MIB, MIB), 0),
      "proc/meminfo": meminfoText({}, 24 * GIB, 21 * MIB),
      [`${later(10)}/proc/meminfo`]: meminfoText({}, 24 * GIB, 21 * MIB),
    };
    const none = await analyzeFiles(shared);
    expect(findingOf(none, "pipe-buffers")).toMatchObject({
      confidence: "possible",
      material: false,
      bytes: { low: 0, high: 21 * MIB },
    });
    expect(findingOf(none, "pipe-buffers")?.title).toContain("most of it pages of files, or the same in several pipes");
    expect(JSON.stringify(findingOf(none, "pipe-buffers")?.remedies)).not.toContain("kill");
    expect(none.verdict).toBe("healthy");
  });

  it("leaves alone what is pinned where the data are copies", async () => {
    const copies = {
      ...files(pipes(300, MIB, MIB), 0),
      "proc/meminfo": pinnedText(200 * MIB, {}, 24 * GIB, 314 * MIB),
    };
    expect(findingOf(await analyzeFiles(copies, [pipeBuffers]), "pipe-buffers")?.claims).toMatchObject([
      { account: "unaccounted", bytes: { low: 300 * MIB } },
    ]);
  });

  it("is not there for pipes of the usual size, empty ones, or none", async () => {
    for (const text of [pipes(20, 65_536, 65_536), pipes(5000, 0, 65_536), "# bytes capacity inode descriptor\n"]) {
      expect((await analyzeFiles(files(text, 14 * MIB), [pipeBuffers])).findings).toEqual([]);
      expect((await analyzeFiles(files(text, 14 * MIB, 128 * GIB), [pipeBuffers])).findings).toEqual([]);
    }
  });

  it("takes less to be material on a small host", async () => {
    expect((await analyzeFiles(files(pipes(20, MIB, MIB), 20 * MIB, GIB / 2), [pipeBuffers])).findings).toHaveLength(1);
  });

  it("is only possible where nobody looked into the pipes", async () => {
    const unseen = {
      "proc/meminfo": meminfoText({}, 24 * GIB, 330 * MIB),
      "sos_commands/process/lsof_-b_M_-n_-l_-c": lsof,
    };
    const report = await analyzeFiles(unseen, [pipeBuffers]);
    expect(findingOf(report, "pipe-buffers")).toMatchObject({
      confidence: "possible",
      // More than 302 pipes: those whose writer has ended have one end.
      bytes: { low: 0, high: 330 * MIB },
    });
    expect(report.verdict).not.toBe("cause-found");
    expect(
      (await analyzeFiles({ ...unseen, "proc/meminfo": meminfoText({}, 24 * GIB, 30 * MIB) }, [pipeBuffers])).findings,
    ).toEqual([]);
  });

  it("is not ruled out by the ends of those who were seen", async () => {
    const unseen = {
      "proc/meminfo": meminfoText({}, 24 * GIB, 330 * MIB),
      "proc/700/status": "Name:\tpipes\nRssAnon:\t100 kB\n",
      "sos_commands/process/lsof_-b_M_-n_-l_-c": `${lsof.split("\n").slice(0, 4).join("\n")}\n`,
    };
    expect((await analyzeFiles(unseen, [pipeBuffers])).notAssessed).toMatchObject([{ cause: "pipe-buffers" }]);
    const all = { ...unseen, "proc/2/status": "Name:\tkthreadd\n" };
    expect((await analyzeFiles(all, [pipeBuffers])).ruledOut).toMatchObject([{ cause: "pipe-buffers" }]);
  });

  it("is not assessed where much is in no account, and nothing tells of pipes", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText({}, 24 * GIB, 3 * GIB) }, [pipeBuffers]);
    expect(report.notAssessed).toMatchObject([
      { cause: "pipe-buffers", missing: ["sos_commands/process/descriptor_contents"] },
    ]);
    const few = await analyzeFiles({ "proc/meminfo": meminfoText({}, 24 * GIB, 30 * MIB) }, [pipeBuffers]);
    expect(few.ruledOut).toMatchObject([{ cause: "pipe-buffers" }]);
  });

  it("is not assessed where much is in no account, and only some descriptors were seen", async () => {
    const kthreadd = { "proc/2/status": "Name:\tkthreadd\n" };
    const unprivileged = { "nailhouse.json": JSON.stringify({ ...manifest, privileged: false }) };
    const some = files(pipes(5, 0, 65_536), 314 * MIB);
    for (const each of [some, { ...some, ...kthreadd, ...unprivileged }]) {
      expect((await analyzeFiles(each, [pipeBuffers])).notAssessed).toMatchObject([
        { cause: "pipe-buffers", missing: [expect.stringContaining("descriptors of all processes")] },
      ]);
    }
    expect((await analyzeFiles({ ...some, ...kthreadd }, [pipeBuffers])).ruledOut).toHaveLength(1);
    const little = { ...files(pipes(5, 0, 65_536), 14 * MIB), ...unprivileged };
    expect((await analyzeFiles(little, [pipeBuffers])).ruledOut).toHaveLength(1);
  });

  it("needs the ledger only, and warns of rows that are no pipes", async () => {
    expect((await analyzeFiles({}, [pipeBuffers])).notAssessed).toHaveLength(1);
    expect((await analyzeFiles({ "proc/meminfo": meminfoText() }, [pipeBuffers])).ruledOut).toHaveLength(1);
    const report = await analyzeFiles(files("# bytes\n1e9 x y /proc/../fd\n", 0), [pipeBuffers]);
    expect(report.warnings.filter((warning) => warning.includes("not a pipe"))).toHaveLength(1);
  });
});
