import { describe, expect, it } from "vitest";
import { parseManifest, parseStatus } from "../../src/bundle/manifest.ts";
import type { Capture, Collector } from "../../src/core/collector.ts";
import type { Host } from "../../src/core/host.ts";
import type { Status } from "../../src/core/manifest.ts";
import {
  bundleName,
  collect,
  type CollectOptions,
  memorySink,
  UnknownCollectorError,
} from "../../src/engine/collect.ts";
import { FIND_ALL_HELD } from "../../src/engine/_namespaces.ts";
import { type MemoryContent, memoryHost, type MemoryMachine } from "../../src/host/memory.ts";

const utf8 = new TextDecoder();

function collector(captures: readonly Capture[], id = "only", priority = 1): Collector {
  return { id, title: id, why: "test", priority, captures };
}

interface Result {
  readonly files: Record<string, string>;
  readonly paths: readonly string[];
  readonly status: Status;
  /** What the one collector could not do. */
  readonly problems: Status["collectors"][number]["problems"];
}

async function run(
  machine: MemoryMachine | Host,
  captures: readonly Capture[] | readonly Collector[],
  options: CollectOptions = { snapshots: 1 },
): Promise<Result> {
  const host = "facts" in machine && "readNow" in machine ? machine as Host : memoryHost(machine as MemoryMachine);
  const collectors = captures.every((each): each is Collector => "captures" in each)
    ? captures
    : [collector(captures as Capture[])];
  const sink = memorySink();
  const status = await collect(host, collectors, sink, options);
  const files = Object.fromEntries([...sink.files].map(([path, bytes]) => [path, utf8.decode(bytes)]));
  return { files, paths: [...sink.files.keys()], status, problems: status.collectors[0]?.problems ?? [] };
}

const meminfo: Capture = { kind: "file", path: "/proc/meminfo" };
const meminfoText = "MemTotal: 1000 kB\n";

describe("collect()", () => {
  it("writes the manifest first, the status last, and files under their own paths", async () => {
    const { files, paths, status } = await run({ files: { "/proc/meminfo": meminfoText } }, [meminfo]);
    expect(paths).toEqual(["nailhouse.json", "proc/meminfo", "nailhouse-status.json"]);
    expect(files["proc/meminfo"]).toBe(meminfoText);
    expect(parseManifest(files["nailhouse.json"] as string)).toMatchObject({
      host: { hostname: "memory", pageSizeBytes: 4096 },
      capturedAt: "2026-11-23T06:01:02.000Z",
      privileged: true,
      collectors: ["only"],
    });
    expect(parseStatus(files["nailhouse-status.json"] as string)).toEqual(status);
    expect(status).toMatchObject({ stopped: null, snapshots: ["2026-11-23T06:01:02.000Z"] });
  });

  it("names a bundle by host and time", () => {
    const host = memoryHost({ files: {}, facts: { hostname: "db/1 x" } });
    expect(bundleName(host)).toBe("nailhouse-db_1_x-20261123T060102Z");
  });

  it("runs collectors by priority, and only the chosen ones", async () => {
    const files = { "/a": "a", "/b": "b", "/c": "c" };
    const collectors = [
      collector([{ kind: "file", path: "/a" }], "a", 3),
      collector([{ kind: "file", path: "/b" }], "b", 1),
      collector([{ kind: "file", path: "/c" }], "c", 2),
    ];
    const captured = async (options: CollectOptions) =>
      (await run({ files }, collectors, { snapshots: 1, ...options })).paths.slice(1, -1);
    expect(await captured({})).toEqual(["b", "c", "a"]);
    expect(await captured({ only: ["a", "c"], skip: ["c"] })).toEqual(["a"]);
    await expect(captured({ only: ["memroy"] })).rejects.toThrow(
      new UnknownCollectorError("memroy", collectors).message,
    );
  });

  it("reads only what changes in later snapshots, on time", async () => {
    const host = memoryHost({ files: { "/proc/meminfo": meminfoText, "/proc/version": "Linux" } });
    const captures: Capture[] = [{ ...meminfo, changing: true }, { kind: "file", path: "/proc/version" }];
    const { paths, status } = await run(host, captures, { snapshots: 3, intervalSeconds: 5 });
    expect(status.snapshots.map((time) => time.slice(17))).toEqual(["02.000Z", "07.000Z", "12.000Z"]);
    expect(paths.slice(1, -1)).toEqual([
      "proc/meminfo",
      "proc/version",
      "history/2026-11-23T06:01:07.000Z/proc/meminfo",
      "history/2026-11-23T06:01:12.000Z/proc/meminfo",
    ]);
  });

  it("keeps the distance of the others after a snapshot that takes long", async () => {
    const host = memoryHost({ files: { "/proc/meminfo": meminfoText, "/proc/slow": { status: "hung" } } });
    const captures: Capture[] = [{ ...meminfo, changing: true }, { kind: "file", path: "/proc/slow" }];
    const { status } = await run(host, captures, { snapshots: 3, intervalSeconds: 1 });
    const [first, second, third] = status.snapshots.map((time) => Date.parse(time)) as [number, number, number];
    expect(second - first).toBeGreaterThan(2000);
    expect(third - second).toBe(1000);
  });

  it("flushes after each collector", async () => {
    const sink = memorySink();
    let flushed = 0;
    const counting = { ...sink, file: sink.file, flush: () => Promise.resolve(void flushed++) };
    const host = memoryHost({ files: { "/proc/meminfo": meminfoText } });
    const collectors = [collector([meminfo], "a"), collector([meminfo], "b")];
    await collect(host, collectors, counting, { snapshots: 1 });
    expect(flushed).toBe(3);
  });

  it.each<[string, MemoryContent, Partial<Record<"stored" | "reason", string>>]>([
    ["hangs", { status: "hung" }, { reason: "did not answer in time" }],
    ["fails", { status: "failed", message: "EIO: i/o error" }, { reason: "EIO: i/o error" }],
    ["is denied", { status: "denied" }, { reason: "permission denied" }],
    ["is a FIFO", { status: "not-regular" }, { reason: "not a regular file: not opened" }],
    ["is missing", { status: "missing" }, {}],
    ["is empty", "", { stored: "" }],
    ["is huge", "x".repeat(100), {
      stored: "x".repeat(64),
      reason: "longer than its limit: cut to its first bytes",
    }],
  ])("goes on when a file or command %s", async (_, content, expected) => {
    const { files, problems } = await run(
      { files: { "/bad": content, "/proc/meminfo": meminfoText }, commands: { "bad": content } },
      [
        { kind: "file", path: "/bad", maxBytes: 64 },
        { kind: "command", argv: ["bad"], as: "bad-output", maxBytes: 64 },
        meminfo,
      ],
    );
    expect(files["bad"]).toBe(expected.stored);
    expect(files["bad-output"]).toBe(expected.stored);
    expect(files["proc/meminfo"]).toBe(meminfoText);
    expect(problems).toEqual(
      expected.reason === undefined
        ? []
        : [{ path: "bad", reason: expected.reason }, { path: "bad-output", reason: expected.reason }],
    );
  });

  it("says when rights are missing", async () => {
    const { problems, files } = await run(
      { files: { "/proc/slabinfo": { status: "denied" } }, facts: { euid: 1000 } },
      [{ kind: "file", path: "/proc/slabinfo" }],
    );
    expect(problems).toEqual([{ path: "proc/slabinfo", reason: "permission denied: not root" }]);
    expect(parseManifest(files["nailhouse.json"] as string).privileged).toBe(false);
  });

  it("ends in an orderly way at the time limit", async () => {
    const hung: Record<string, MemoryContent> = {};
    for (let i = 0; i < 10; i++) hung[`/hung${i}`] = { status: "hung" };
    const captures = Object.keys(hung).map((path): Capture => ({ kind: "file", path }));
    const { paths, status, problems } = await run({ files: hung }, captures, { snapshots: 3, timeoutSeconds: 12 });
    expect(status.stopped).toBe("the time limit of 12 s for the whole was reached");
    expect(problems.map(({ path }) => path)).toEqual(["hung0", "hung1"]);
    expect(paths.at(-1)).toBe("nailhouse-status.json");
    expect(status.finishedAt).toBe("2026-11-23T06:01:14.000Z");
  });

  it("leaves room for small files beside a huge one", async () => {
    const huge = new Uint8Array(10 * 2 ** 20);
    const { files, status, problems } = await run(
      { files: { "/huge": huge, "/proc/meminfo": meminfoText } },
      [{ kind: "file", path: "/huge" }, meminfo],
      { snapshots: 1, maxBytes: 2 ** 20 },
    );
    expect(files["huge"]?.length).toBe(2 ** 19);
    expect(files["proc/meminfo"]).toBe(meminfoText);
    expect(problems).toHaveLength(1);
    expect(status.stopped).toBeNull();
  });

  it("ends in an orderly way at the size limit", async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`/f${i}`, "x".repeat(60_000)]));
    const captures = Object.keys(many).map((path): Capture => ({ kind: "file", path }));
    const { status, paths } = await run({ files: many }, captures, { snapshots: 1, maxBytes: 2 ** 20 });
    expect(status.stopped).toBe("the size limit of 1048576 bytes for the whole was reached");
    expect(paths.length).toBeLessThan(20);
    expect(paths.at(-1)).toBe("nailhouse-status.json");
  });

  it("ends in an orderly way when it is interrupted", async () => {
    const interruption = new AbortController();
    const host = memoryHost({ files: { "/proc/meminfo": meminfoText } });
    const interrupting: Host = {
      ...host,
      sleep: (milliseconds) => {
        interruption.abort();
        return host.sleep(milliseconds);
      },
    };
    const { status, files } = await run(interrupting, [meminfo], { snapshots: 2, signal: interruption.signal });
    expect(status.stopped).toBe("interrupted");
    expect(files["proc/meminfo"]).toBe(meminfoText);
  });

  it("fails when the sink fails", async () => {
    const sink = { file: () => Promise.reject(new Error("ENOSPC")), flush: () => Promise.resolve() };
    await expect(collect(memoryHost({ files: {} }), [], sink)).rejects.toThrow("ENOSPC");
  });

  describe("of files", () => {
    it("expands * within one path segment, in order", async () => {
      const { paths } = await run(
        { files: { "/sys/mm/hugepages-2M/free": "2", "/sys/mm/hugepages-1G/free": "1", "/sys/mm/other/free": "0" } },
        [{ kind: "file", path: "/sys/mm/hugepages-*/free" }],
      );
      expect(paths.slice(1, -1)).toEqual(["sys/mm/hugepages-1G/free", "sys/mm/hugepages-2M/free"]);
    });

    it("takes the largest folders of a tree, wherever they are, within its limits", async () => {
      const files: Record<string, string> = { "/cg/cgroup.controllers": "memory", "/cg/memory.stat": "" };
      const sizes = { "/a": 5, "/b": 1000, "/b/deep": 900, "/b/deep/deeper": 900, "/c": 20, "/none": undefined };
      for (const [group, size] of Object.entries(sizes)) {
        files[`/cg${group}/memory.stat`] = group;
        if (size !== undefined) files[`/cg${group}/memory.current`] = `${size}\n`;
      }
      const tree: Capture = {
        kind: "tree",
        path: "/cg",
        having: "cgroup.controllers",
        files: ["memory.stat", "memory.max"],
        largestBy: "memory.current",
        maxDepth: 2,
        maxFolders: 4,
      };
      const { paths, problems } = await run({ files }, [tree]);
      expect(paths.slice(1, -1)).toEqual([
        "cg/memory.stat",
        "cg/b/memory.stat",
        "cg/b/deep/memory.stat",
        "cg/c/memory.stat",
      ]);
      expect(problems).toEqual([{ path: "cg", reason: "has more than 4 folders: the smallest were not read" }]);
      expect((await run({ files }, [{ ...tree, having: "memory.usage_in_bytes" }])).paths).toHaveLength(2);
    });

    it("takes the newest files of a folder up to its size", async () => {
      const files = { "/var/log/sa/sa01": "1".repeat(50), "/var/log/sa/sa02": "22", "/var/log/sa/sa03": "333" };
      const { paths, problems } = await run({ files }, [{ kind: "folder", path: "/var/log/sa", maxBytes: 40 }]);
      expect(paths.slice(1, -1)).toEqual(["var/log/sa/sa03", "var/log/sa/sa02"]);
      expect(problems).toHaveLength(1);
    });
  });

  describe("of commands", () => {
    it("skips what is not installed without a word", async () => {
      const { paths, problems } = await run({ files: {} }, [{ kind: "command", argv: ["ss", "-s"], as: "ss" }]);
      expect(paths).toHaveLength(2);
      expect(problems).toEqual([]);
    });

    it("takes the cheaper command on a host with many open files", async () => {
      const capture: Capture = {
        kind: "command",
        argv: ["ss", "-p"],
        as: "ss",
        aboveOpenFiles: { count: 50_000, argv: ["ss"] },
      };
      const commands = { "ss -p": "with owners", "ss": "without" };
      const few = await run({ files: { "/proc/sys/fs/file-nr": "50000\t0\t999\n" }, commands }, [capture]);
      expect(few.files["ss"]).toBe("with owners");
      const many = await run({ files: { "/proc/sys/fs/file-nr": "50001\t0\t999\n" }, commands }, [capture]);
      expect(many.files["ss"]).toBe("without");
    });

    it("enters process 1's network namespace when in another one", async () => {
      const { files } = await run({
        files: {},
        links: { "/proc/1/ns/net": "net:[1]", "/proc/self/ns/net": "net:[2]" },
        commands: { "nsenter --net=/proc/1/ns/net ss": "outside", "ss": "inside", "free": "anywhere" },
      }, [
        { kind: "command", argv: ["ss"], as: "ss", network: true },
        { kind: "command", argv: ["free"], as: "free" },
      ]);
      expect(files).toMatchObject({ ss: "outside", free: "anywhere" });
    });
  });

  describe("of processes", () => {
    const status = (kib: number | undefined) =>
      `Name:\tx\n${kib === undefined ? "" : `VmRSS:\t  ${kib} kB\nVmSwap:\t  1 kB\n`}`;
    const machine: MemoryMachine = {
      files: {
        "/proc/1/status": status(10),
        "/proc/1/cmdline": "init\0",
        "/proc/1/smaps_rollup": "one",
        "/proc/2/status": status(undefined),
        "/proc/2/cmdline": "",
        "/proc/2/comm": "kthreadd\n",
        "/proc/10/status": status(30),
        "/proc/10/cmdline": { status: "hung" },
        "/proc/10/smaps_rollup": "ten",
        "/proc/9/status": status(20),
        "/proc/9/cmdline": { status: "missing" },
        "/proc/9/smaps_rollup": { status: "denied" },
        "/proc/version": "no process",
      },
    };

    it("reads all, by number, and no command line of a kernel thread", async () => {
      const { paths, problems } = await run(machine, [
        { kind: "process", files: ["status"] },
        { kind: "process", files: ["cmdline"], mayHang: true },
      ]);
      expect(paths.slice(1, -1)).toEqual([
        "proc/1/status",
        "proc/2/status",
        "proc/9/status",
        "proc/10/status",
        "proc/1/cmdline",
      ]);
      // The one that ended meanwhile is not among them.
      expect(problems).toEqual([{ path: "proc/10/cmdline", reason: "did not answer in time" }]);
    });

    it("says that others are hidden where process 2 is not the one that starts the kernel's threads", async () => {
      const { "/proc/2/comm": _, ...hidden } = machine.files;
      for (const files of [hidden, { ...hidden, "/proc/2/comm": "sh\n" }]) {
        const { problems } = await run({ files }, [{ kind: "process", files: ["status"] }]);
        expect(problems).toEqual([{ path: "proc", reason: expect.stringContaining("not all processes can be seen") }]);
      }
    });

    it("reads the largest, and gathers what is denied under one path", async () => {
      const { paths, problems } = await run(machine, [
        { kind: "process", files: ["smaps_rollup"], largest: 2, mayHang: true },
      ]);
      expect(paths.slice(1, -1)).toEqual(["proc/10/smaps_rollup"]);
      expect(problems).toEqual([{ path: "proc/*/smaps_rollup", reason: "permission denied" }]);
    });

    it("reads all at first, the largest again later", async () => {
      const { paths } = await run(machine, [{ kind: "process", files: ["status"], changing: { largest: 1 } }], {
        snapshots: 2,
        intervalSeconds: 1,
      });
      expect(paths).toHaveLength(2 + 4 + 1);
      expect(paths.at(-2)).toBe("history/2026-11-23T06:01:03.000Z/proc/10/status");
    });
  });

  describe("of network namespaces", () => {
    const links = {
      "/proc/1/ns/net": "net:[100]",
      "/proc/7/ns/net": "net:[100]",
      "/proc/8/ns/net": "net:[200]",
      "/proc/9/ns/net": "net:[300]",
    };
    const machine: MemoryMachine = {
      links,
      files: {
        "/proc/1/net/udp": "first",
        "/proc/8/net/udp": "second",
        "/proc/9/net/udp": "third",
        "/proc/net/udp": "through nsenter",
        "/proc/1/mountinfo": [
          "30 20 0:4 net:[200] /run/netns/blue\\040sky rw shared:3 - nsfs nsfs rw",
          "31 20 0:4 net:[400] /run/docker/netns/abc rw - nsfs nsfs rw",
          "32 20 0:5 / /run rw - tmpfs tmpfs rw",
        ].join("\n"),
      },
      commands: { "nsenter --net=/proc/9/ns/net ss": "sockets of 300" },
    };
    const capture: Capture = {
      kind: "netns",
      files: ["udp", "udp6"],
      commands: [{ argv: ["ss"], as: "ss" }],
      maxNamespaces: 10,
    };
    const folder = "sos_commands/networking/namespaces";

    it("reads the first one in its place and each other one once, by its name", async () => {
      const { files, paths, problems } = await run(machine, [capture]);
      expect(paths.slice(1, -1)).toEqual([
        "proc/net/udp",
        `${folder}/blue_sky/proc/net/udp`,
        `${folder}/net-300/proc/net/udp`,
        `${folder}/net-300/ss`,
        `${folder}/abc/proc/net/udp`,
      ]);
      expect(files["proc/net/udp"]).toBe("first");
      expect(files[`${folder}/blue_sky/proc/net/udp`]).toBe("second");
      expect(files[`${folder}/net-300/ss`]).toBe("sockets of 300");
      expect(files[`${folder}/abc/proc/net/udp`]).toBe("through nsenter");
      expect(problems).toEqual([]);
    });

    it("enters one by its name when the process that was seen in it has ended", async () => {
      const { "/proc/8/net/udp": _, ...rest } = machine.files;
      let looks = 0;
      const ended = {
        ...links,
        get "/proc/8/ns/net"() {
          return looks++ === 0 ? "net:[200]" : undefined;
        },
      } as Record<string, string>;
      const { files, problems } = await run({ ...machine, files: rest, links: ended }, [capture]);
      expect(files[`${folder}/blue_sky/proc/net/udp`]).toBe("through nsenter");
      expect(problems).toEqual([]);
    });

    it("enters those that only a descriptor keeps, but not on a host with many, and not all of a leak", async () => {
      // What the collector's own command prints of such links.
      const holding = (...held: readonly (readonly [string, string])[]): MemoryMachine => ({
        ...machine,
        links: { ...links, ...Object.fromEntries(held.map(([fd, link]) => [`/proc/${fd}`, link])) },
        commands: { [FIND_ALL_HELD.join(" ")]: held.map((row) => `${row.join(" ")}\n`).join("") },
      });
      const inside = `${folder}/net-500/proc/net/udp`;
      const held = holding(["7/fd/4", "net:[100]"], ["7/fd/5", "net:[200]"], ["7/fd/9", "net:[500]"], [
        "8/fd/3",
        "net:[500]",
      ]);
      const { files, paths } = await run(held, [capture]);
      expect(files[inside]).toBe("through nsenter");
      expect(paths.filter((path) => path.endsWith("/proc/net/udp"))).toHaveLength(4);
      const many = { ...held, files: { ...held.files, "/proc/sys/fs/file-nr": "50001\t0\t99999\n" } };
      expect((await run(many, [capture])).paths).not.toContain(inside);
      const leak = Array.from({ length: 40 }, (_, i) => [`7/fd/${i}`, `net:[${1000 + i}]`] as const);
      const { paths: some, problems } = await run(holding(...leak), [{ ...capture, maxNamespaces: 500 }]);
      expect(some.filter((path) => /net-1\d{3}\/proc\/net\/udp$/.test(path))).toHaveLength(32);
      expect(problems).toEqual([{ path: folder, reason: "only 32 namespaces that descriptors hold were read" }]);
    });

    it("says how many it left out", async () => {
      const { paths, problems } = await run(machine, [{ ...capture, maxNamespaces: 1 }]);
      expect(paths.slice(1, -1)).toEqual(["proc/net/udp", `${folder}/blue_sky/proc/net/udp`]);
      expect(problems).toEqual([{ path: folder, reason: "only 1 of 3 namespaces were read" }]);
    });

    it("reads its own namespace when process 1 cannot be looked at", async () => {
      const { files } = await run(
        { files: { "/proc/self/net/udp": "own", "/proc/1/net/udp": { status: "denied" } } },
        [capture],
      );
      expect(files["proc/net/udp"]).toBe("own");
    });
  });

  describe("of socket owners", () => {
    const udp = (inode: number, rx: string, tx = "00000000") =>
      `  1: 0100007F:0277 00000000:0000 07 ${tx}:${rx} 00:00000000 00000000     0        0 ${inode} 2 0000000000000000 0\n`;
    const owners: Capture = { kind: "socket-owners", as: "owners", minQueuedBytes: 512, maxDescriptors: 100 };
    const netns: Capture = { kind: "netns", files: ["udp", "netlink"], commands: [], maxNamespaces: 1 };
    const fds = {
      "/proc/1/fd/0": "/dev/null",
      "/proc/1/fd/3": "socket:[11]",
      "/proc/2/fd/4": "socket:[12]",
      "/proc/2/fd/5": "socket:[12]",
      "/proc/2/fd/6": "socket:[99]",
      "/proc/3/fd/7": "socket:[12]",
      "/proc/4/fd/8": "socket:[14]",
    };

    it("finds those of sockets with memory, of all families, and stops there", async () => {
      const { files } = await run({
        files: {
          "/proc/1/net/udp": "header\n" + udp(11, "00000200") + udp(99, "000001FF") + udp(0, "00010000") +
            udp(12, "00000000", "00001000"),
          "/proc/1/net/netlink": "sk Eth\n0000 0 5 1 4352 0 0 2 0 13\n",
        },
        links: fds,
        commands: {
          ss: "u_dgr UNCONN 4352 0 /run/a b 14 * 15\n" +
            'u_str ESTAB 9000 0 * 16 * 17 users:(("x",pid=1,fd=2))\nu_str ESTAB 0 0 * 18 * 19\n' +
            "p_raw UNCONN 0 0 [0]:* * ino:99 sk:1\n\tring_rx(blk_size:65536,blk_nr:4)\np_raw UNCONN 0 0 [0]:* * ino:12 sk:2\n",
        },
      }, [netns, { kind: "command", argv: ["ss"], as: "sos_commands/networking/ss_-peaonmi" }, owners]);
      expect(files["owners"]).toBe([
        "/proc/2/fd/4 -> socket:[12]",
        "/proc/2/fd/5 -> socket:[12]",
        "/proc/2/fd/6 -> socket:[99]",
        "/proc/4/fd/8 -> socket:[14]",
        "/proc/1/fd/3 -> socket:[11]",
        "# descriptors_read 7",
        "# not_found 1",
        "",
      ].join("\n"));
    });

    it("finds those of MPTCP, which only ss tells of, by what they are charged", async () => {
      const row = (inode: number, charged: string) =>
        `mptcp ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 ino:${inode} sk:1 cgroup:/ <->\n\t skmem:(${charged},o0,bl0,d0) token:1\n`;
      const { files } = await run({
        files: {},
        links: fds,
        commands: {
          ss: row(11, "r5972232,rb8388608,t0,tb16384,f0,w0") + row(12, "r0,rb131072,t0,tb16384,f0,w4096") +
            row(14, "r0,rb131072,t0,tb16384,f0,w0") +
            "tcp ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 ino:99 sk:2\n\t skmem:(r9999,rb1,t0,tb1,f0,w0,o0,bl0,d0)\n",
        },
      }, [{ kind: "command", argv: ["ss"], as: "sos_commands/networking/ss_-peaonmi" }, owners]);
      expect(files["owners"]).toMatch(/fd\/4 -> socket:\[12\][^]*fd\/3 -> socket:\[11\]/);
      expect(files["owners"]).not.toMatch(/\[(?:14|99)\]/);
    });

    it("walks no descriptors when no socket holds memory", async () => {
      const { files } = await run({ files: { "/proc/1/net/udp": udp(11, "00000000") }, links: fds }, [netns, owners]);
      expect(files["owners"]).toBe("# descriptors_read 0\n# not_found 0\n");
    });

    it("gives up after the given number of descriptors", async () => {
      const { files } = await run(
        { files: { "/proc/1/net/udp": udp(12, "00001000") + udp(14, "00001000") }, links: fds },
        [netns, { ...owners, maxDescriptors: 3 }],
      );
      expect(files["owners"]).toBe(
        "/proc/2/fd/4 -> socket:[12]\n/proc/2/fd/5 -> socket:[12]\n# descriptors_read 3\n# not_found 1\n",
      );
    });

    it("takes whom process 1 passed a socket on to for its owner", async () => {
      const links = { "/proc/1/fd/3": "socket:[11]", "/proc/30/fd/3": "socket:[11]" };
      const { files } = await run({ files: { "/proc/1/net/udp": udp(11, "00001000") }, links }, [netns, owners]);
      expect(files["owners"]).toBe("/proc/30/fd/3 -> socket:[11]\n# descriptors_read 1\n# not_found 0\n");
    });

    it("asks another thread where the first one of a process has ended", async () => {
      const { files } = await run({
        files: { "/proc/1/net/udp": udp(11, "00001000"), "/proc/30/task/30/stat": "", "/proc/30/task/31/stat": "" },
        links: { "/proc/30/task/31/fd/3": "socket:[11]" },
      }, [netns, owners]);
      expect(files["owners"]).toContain("/proc/30/task/31/fd/3 -> socket:[11]\n");
    });
  });

  describe("of page flags", () => {
    const HEAD = 1 << 15;
    const TAIL = 1 << 16;
    const BUDDY = 1 << 10;
    const NOPAGE = 1 << 20;
    /** An image of /proc/kpageflags on a little-endian machine. */
    const pages = (flags: readonly number[]) =>
      new Uint8Array(new Uint32Array(flags.flatMap((each) => [each, 0])).buffer);
    const capture: Capture = { kind: "page-flags", as: "page_flags", maxPages: 2 ** 25 };

    it("counts pages by flags and compound order, without holes", async () => {
      const image = pages([
        NOPAGE,
        BUDDY,
        HEAD,
        ...Array<number>(7).fill(TAIL),
        BUDDY,
        HEAD,
        TAIL | 1,
        HEAD,
        ...Array<number>(7).fill(TAIL),
        0,
        NOPAGE,
      ]);
      const { files } = await run({ files: { "/proc/kpageflags": image } }, [capture]);
      expect(files["page_flags"]).toBe([
        "# nailhouse page-flags census",
        "# pages_total 23",
        "# pages_read 23",
        "# order flags pages symbols",
        "3 0x0000000000008000 16 HEAD",
        "0 0x0000000000000400 2 BUDDY",
        "1 0x0000000000008000 2 HEAD",
        "0 0x0000000000000000 1",
        "",
      ].join("\n"));
    });

    it("names the flags of the upper half", async () => {
      const image = new Uint8Array(new Uint32Array([1 << 5, 1 | (1 << 10)]).buffer);
      const { files } = await run({ files: { "/proc/kpageflags": image } }, [capture]);
      expect(files["page_flags"]).toContain("\n0 0x0000040100000020 1 LRU,RESERVED,ARCH_3\n");
    });

    it("counts a compound page across the blocks that are read", async () => {
      const half = 2 ** 15 - 1;
      const image = pages([...Array<number>(half).fill(BUDDY), HEAD, ...Array<number>(half).fill(TAIL)]);
      const { files } = await run({ files: { "/proc/kpageflags": image } }, [capture]);
      expect(files["page_flags"]).toContain("\n15 0x0000000000008000 32768 HEAD\n");
    });

    it("reads evenly spread blocks of a larger host, and says so", async () => {
      const block = (flags: number) => Array<number>(2 ** 15).fill(flags);
      const image = pages([1, 2, 4, 8].flatMap(block));
      const { files } = await run({ files: { "/proc/kpageflags": image } }, [{ ...capture, maxPages: 2 ** 16 }]);
      expect(files["page_flags"]).toContain("# pages_total 131072\n# pages_read 65536\n");
      expect(files["page_flags"]).toContain("32768 LOCKED\n");
      expect(files["page_flags"]).toContain("32768 REFERENCED\n");
    });

    describe("of a host with 4 GiB", () => {
      const total = 2 ** 20;
      const LRU = 1 << 5;
      /** Compound pages one after the other, from a page frame on. */
      const fill = (image: Uint32Array, from: number, order: number, count: number, head = HEAD) => {
        for (let page = 0; page < count * 2 ** order; page++) {
          image[(from + page) * 2] = page % 2 ** order === 0 ? head : TAIL;
        }
      };
      const rows = async (prepare: (image: Uint32Array) => void) => {
        const image = new Uint32Array(total * 2);
        fill(image, 0, 0, total, BUDDY);
        prepare(image);
        const { files } = await run({ files: { "/proc/kpageflags": new Uint8Array(image.buffer) } }, [capture]);
        const [, , read, , ...lines] = (files["page_flags"] as string).trim().split("\n");
        return { read, lines };
      };

      it("is content with a sample where next to no memory is without an owner", async () => {
        // 24 MiB, 512 MiB and 1 GiB.
        const { read, lines } = await rows((image) => {
          fill(image, 2 ** 17, 3, 768);
          fill(image, 2 ** 18, 9, 256, HEAD | LRU);
          fill(image, 2 ** 19, 18, 1, HEAD | LRU);
        });
        expect(read).toBe(`# pages_read ${total / 32}`);
        const pages = new Map(
          lines.map((line) => [line.split(" ").toSpliced(2, 1).join(" "), Number(line.split(" ")[2]) * 32]),
        );
        expect(pages.get("9 0x0000000000008020 LRU,HEAD")).toBe(2 ** 17);
        expect(pages.get("18 0x0000000000008020 LRU,HEAD")).toBe(2 ** 18);
        expect(pages.get("3 0x0000000000008000 HEAD")).toBe(768 * 8);
      });

      it("counts every page where there may be more, wherever it lies", async () => {
        for (const order of [1, 3, 9]) {
          for (const apart of [1, 5]) {
            const blocks = 2 ** (14 - order);
            const { read, lines } = await rows((image) => {
              for (let at = 0; at < blocks; at++) fill(image, 2 ** 10 + at * apart * 2 ** order, order, 1);
            });
            expect(read).toBe(`# pages_read ${total}`);
            expect(lines).toContain(`${order} 0x0000000000008000 16384 HEAD`);
          }
        }
      });
    });

    it("says when reading fails, and is silent where the kernel has no such file", async () => {
      const denied = await run({ files: { "/proc/kpageflags": { status: "denied" } } }, [capture]);
      expect(denied.problems).toEqual([{ path: "proc/kpageflags", reason: "permission denied" }]);
      expect((await run({ files: {} }, [capture])).problems).toEqual([]);
    });
  });
});
