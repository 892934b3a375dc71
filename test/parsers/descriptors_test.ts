import { describe, expect, it } from "vitest";
import { parseBpfMaps } from "../../src/parsers/bpf_maps.ts";
import { parseBpfPrograms } from "../../src/parsers/bpf_programs.ts";
import { parseConntrackStat } from "../../src/parsers/conntrack_stat.ts";
import { parseDescriptorCounts } from "../../src/parsers/descriptor_counts.ts";
import { parseEventQueues } from "../../src/parsers/event_queues.ts";
import { descriptorKind, parseDescriptorSamples } from "../../src/parsers/descriptor_samples.ts";
import { parseLsof } from "../../src/parsers/lsof.ts";
import { parsePipeContents } from "../../src/parsers/pipe_contents.ts";
import { contextOf, parseClean } from "./_context.ts";

describe("parseDescriptorCounts()", () => {
  it("leaves out processes without a descriptor and keeps rows around a bad one", () => {
    const { context, warnings } = contextOf();
    expect(parseDescriptorCounts("281 /proc/1/fd\nx /proc/2/fd\n0 /proc/3/fd\n5 /proc/4/fd\n", context)).toEqual([
      { pid: 1, count: 281, line: 1 },
      { pid: 4, count: 5, line: 4 },
    ]);
    expect(warnings).toHaveLength(1);
  });

  it("knows of nobody before Linux 6.2, and rejects another file", () => {
    expect(parseClean(parseDescriptorCounts, "0 /proc/1/fd\n0 /proc/2/fd\n")).toEqual([]);
    expect(() => parseDescriptorCounts("", contextOf().context)).toThrow("descriptor_counts");
    expect(() => parseDescriptorCounts("hello\n", contextOf().context)).toThrow("descriptor_counts");
  });
});

describe("parseDescriptorSamples()", () => {
  const text = `lrwx------ 1 root root 64 Nov 23 07:13 /proc/9/fd/3 -> anon_inode:[io_uring]
/proc/9/fdinfo/3: SqMask:	0xff
/proc/9/fdinfo/3: CqMask:	0x1ff
/proc/9/fdinfo/3: UserBufs:	2
/proc/9/fdinfo/3:     0: 0x7fde0ad7b000/1048576
/proc/9/fdinfo/3:     1: 0x7fde0ae7b000/4096
/proc/9/fdinfo/3: overflow 1994752
lrwx------ 1 root root 64 Nov 23 06:11 /proc/9/fd/90
l-wx------ 1 root root 64 Nov 23 06:11 /proc/9/fd/91 -> /tmp/a -> socket:[5]
lr-x------ 1 root root 64 Nov 23 07:13 /proc/8/fd/3 -> anon_inode:inotify
/proc/8/fdinfo/3: inotify 100
`;

  it("reads links and what fdinfo tells", () => {
    const { samples, infos } = parseClean(parseDescriptorSamples, text);
    expect(samples.map(({ pid, fd, kind }) => [pid, fd, kind])).toEqual([[9, 3, "io_uring"], [9, 91, "file"], [
      8,
      3,
      "inotify",
    ]]);
    expect(infos).toEqual([
      {
        pid: 9,
        fd: 3,
        inotifyMarks: undefined,
        sqEntries: 256,
        cqEntries: 512,
        bufferBytes: 1_052_672,
        overflowCompletions: 1_994_752,
        line: 2,
      },
      { pid: 8, fd: 3, inotifyMarks: 100, sqEntries: undefined, cqEntries: undefined, bufferBytes: 0, line: 11 },
    ]);
  });

  it("names the kinds", () => {
    const kinds = [
      "socket:[1]",
      "pipe:[1]",
      "anon_inode:[eventfd]",
      "anon_inode:bpf-map",
      "anon_inode:",
      "/dev/null",
      "/memfd:x (deleted)",
    ].map(descriptorKind);
    expect(kinds).toEqual(["socket", "pipe", "eventfd", "bpf-map", "anonymous", "file", "memfd"]);
  });

  it("warns of details that it does not know and rejects an empty file", () => {
    const { context, warnings } = contextOf();
    expect(parseDescriptorSamples("/proc/1/fdinfo/2: what: ever\n", context).infos).toHaveLength(1);
    expect(warnings).toHaveLength(1);
    expect(() => parseDescriptorSamples("", context)).toThrow("empty");
  });
});

describe("parseLsof()", () => {
  it("counts descriptors by kind, without what is none", () => {
    const [process, ...others] = parseLsof(`,16        0     1038 [eventpoll:4]
COMMAND     PID   TID TASKCMD  USER   FD   TYPE   DEVICE SIZE/OFF    NODE NAME
fd_leak   20883        0  cwd      DIR    254,0     4096       2 /
fd_leak   20883        0  mem      REG    254,0     4096       2 /lib/x
fd_leak   20883        0    3u a_inode     0,16        0    1038 [eventpoll:4]
fd_leak   20883        0 *000u a_inode     0,16        0    1038 [eventfd:4711]
fd_leak   20883        0    4r    FIFO     0,15      0t0    3367 pipe
fd_leak   20883        0    5u    FIFO    254,0      0t0    3367 /run/fifo
fd_leak   20883        0    6u    IPv4    93101      0t0     TCP 127.0.0.1:80 (LISTEN)
fd_leak   20883        0    7uW   REG     254,0     4096       2 /var/lock
node      11 12        0    8u a_inode     0,16        0    1038 inotify
`);
    expect([...(process?.kinds ?? [])].map(([kind, { count }]) => [kind, count])).toEqual([
      ["eventpoll", 1],
      ["eventfd", 1],
      ["pipe", 1],
      ["file", 2],
      ["socket", 1],
    ]);
    expect(process).toMatchObject({ pid: 20883, comm: "fd_leak", count: 6 });
    expect(others).toMatchObject([{ pid: 11, count: 1 }]);
  });

  it("rejects a file without any open file", () => {
    expect(() => parseLsof("lsof: WARNING: can't stat()\n")).toThrow("lsof");
  });
});

describe("parsePipeContents()", () => {
  it("keeps pipes around a bad row", () => {
    const { context, warnings } = contextOf();
    expect(
      parsePipeContents(
        "# bytes capacity inode descriptor\n1 65536 7 /proc/2/fd/3\n-1 x\n0 65536 8 /proc/2/fd/4\n",
        context,
      ),
    ).toHaveLength(2);
    expect(warnings).toHaveLength(1);
    expect(() => parsePipeContents("", context)).toThrow("descriptor_contents");
  });
});

describe("parseEventQueues()", () => {
  const text = "# bytes capacity inode descriptor\n1 65536 7 /proc/2/fd/3\n24 - fanotify /proc/2/fd/4\n";

  it("reads queues beside pipes, whose parser passes them over, and keeps those around a bad row", () => {
    expect(parseClean(parseEventQueues, text)).toEqual([{ kind: "fanotify", bytes: 24, pid: 2, fd: 4, line: 3 }]);
    expect(parseClean(parsePipeContents, text)).toHaveLength(1);
    const { context, warnings } = contextOf();
    expect(parseEventQueues(`5 - other /proc/2/fd/4\nx - inotify /proc/2/fd/4\n${text}`, context)).toHaveLength(1);
    expect(warnings).toHaveLength(2);
  });

  it("knows that there may be none, and rejects another file", () => {
    expect(parseClean(parseEventQueues, "# bytes capacity inode descriptor\n")).toEqual([]);
    expect(() => parseEventQueues("", contextOf().context)).toThrow("descriptor_contents");
  });
});

describe("parseConntrackStat()", () => {
  it("is hexadecimal", () => {
    expect(parseConntrackStat("entries  clashres\n000c3500  00000000\n000c3500  00000000\n")).toEqual({
      entries: 800_000,
      line: 2,
    });
    expect(() => parseConntrackStat("entries\n")).toThrow("nf_conntrack");
  });
});

describe("parseBpfMaps()", () => {
  it("reads bpftool's one line and nailhouse's lines", () => {
    const bpftool =
      '[{"id":28,"type":"array","name":"a","flags":0,"bytes_key":4,"bytes_value":8,"max_entries":2,"bytes_memlock":4096,"frozen":0,"pids":[{"pid":7,"comm":"x"}]},{"id":29,"type":"hash","bytes_memlock":8192}]';
    expect(parseClean(parseBpfMaps, bpftool)).toEqual([
      {
        id: 28,
        type: "array",
        name: "a",
        maxEntries: 2,
        oneByOne: false,
        keyBytes: 4,
        valueBytes: 8,
        bytes: 4096,
        pids: [7],
        line: 1,
      },
      { id: 29, type: "hash", name: "", bytes: 8192, pids: [], line: 1 },
    ]);
    const own =
      '[{"id":28,"type":2,"name":"a","max_entries":2,"bytes_memlock":4096}\n,{"id":29,"type":6,"name":"b","max_entries":2,"bytes_memlock":8192}\n]\n';
    expect(parseClean(parseBpfMaps, own).map(({ type, line }) => [type, line])).toEqual([["array", 1], [
      "percpu_array",
      2,
    ]]);
    expect(parseClean(parseBpfMaps, "[]\n")).toEqual([]);
  });

  it("warns of a map without a size and rejects what is no list", () => {
    const { context, warnings } = contextOf();
    expect(parseBpfMaps('[{"id":1,"bytes_memlock":null},{"id":2,"bytes_memlock":1}]', context)).toHaveLength(1);
    expect(warnings).toHaveLength(1);
    for (const text of ["", "{}", "Error: bpf"]) expect(() => parseBpfMaps(text, context)).toThrow("BPF maps");
  });

  it("takes a refusal for no list, and not for an empty one", () => {
    const refusal = '[{"error":"can\'t get next map: Operation not permitted"}]\n';
    expect(() => parseBpfMaps(refusal, contextOf().context)).toThrow("Operation not permitted");
  });
});

describe("parseBpfPrograms()", () => {
  it("collects the maps of all programs", () => {
    expect([...parseBpfPrograms('[{"id":3,"map_ids":[28,29]},{"id":4},null,{"map_ids":["x",28]}]')]).toEqual([28, 29]);
    for (const text of ["", "{}"]) expect(() => parseBpfPrograms(text)).toThrow("BPF programs");
  });
});
