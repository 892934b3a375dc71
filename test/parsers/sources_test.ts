/** Which files of a bundle the parsers' sources read, and how they put them together. */
import { describe, expect, it } from "vitest";
import type { Captured, Source } from "../../src/core/source.ts";
import { openSnapshots } from "../../src/engine/reader.ts";
import {
  hugepages,
  netnsOf,
  netstatDatagrams,
  pidOf,
  processComm,
  smapsRollup,
  ss,
  ssNamespaces,
  udp,
} from "../../src/parsers/mod.ts";

function read<T>(
  source: Source<T>,
  files: { [path: string]: string },
  links: { [path: string]: string } = {},
): Captured<T> {
  const encoder = new TextEncoder();
  const { base } = openSnapshots({
    manifest: undefined,
    status: undefined,
    facts: { pageSizeBytes: 4096 },
    files: new Map(Object.entries(files).map(([path, text]) => [path, encoder.encode(text)])),
    links: new Map(Object.entries(links)),
    warnings: [],
  });
  return base.read(source);
}

function valueOf<T>(captured: Captured<T>): T {
  if (captured.status !== "ok") throw new Error(`expected a value, not: ${JSON.stringify(captured)}`);
  return captured.value;
}

const UDP =
  "   sl  local_address\n  1: 0100007F:0035 00000000:0000 07 00000000:00000100 00:00000000 00000000 0 0 7 2 0 0\n";
const SS = "udp UNCONN 0 0 0.0.0.0:1 0.0.0.0:* ino:9 sk:1\n";

describe("udp", () => {
  it("reads both families of all network namespaces", () => {
    const value = valueOf(read(udp, {
      "proc/net/udp": UDP,
      "proc/net/udp6": UDP,
      "sos_commands/networking/namespaces/blue/proc/net/udp": UDP,
      "proc/net/udp_other": "no",
    }));
    expect(value.map(({ path }) => path)).toEqual([
      "proc/net/udp",
      "sos_commands/networking/namespaces/blue/proc/net/udp",
      "proc/net/udp6",
    ]);
    expect(value.map(({ value: rows }) => rows.length)).toEqual([1, 1, 1]);
    expect(value.map(({ path }) => netnsOf(path))).toEqual([undefined, "blue", undefined]);
  });

  it("reads a file once that the bundle holds twice", () => {
    const twice = { "proc/net/udp": UDP, "proc/self/net/udp": UDP };
    expect(valueOf(read(udp, twice)).map(({ path }) => path)).toEqual(["proc/net/udp"]);
    expect(valueOf(read(udp, { "proc/self/net/udp": UDP })).map(({ path }) => path)).toEqual(["proc/self/net/udp"]);
  });

  it("follows sosreport's links", () => {
    const captured = read(udp, { "proc/4242/net/udp": UDP }, { "proc/net": "proc/self/net", "proc/self": "proc/4242" });
    expect(valueOf(captured).map(({ path }) => path)).toEqual(["proc/4242/net/udp"]);
  });

  it("gives the namespaces that parse, and fails when none does", () => {
    const broken = { "proc/net/udp": "", "sos_commands/networking/namespaces/blue/proc/net/udp": UDP };
    expect(valueOf(read(udp, broken)).map(({ path }) => netnsOf(path))).toEqual(["blue"]);
    expect(read(udp, { "proc/net/udp": "" })).toMatchObject({ status: "failed", path: "proc/net/udp" });
  });

  it("says what would capture it", () => {
    expect(read(udp, {})).toEqual({
      status: "missing",
      missing: [{ path: "proc/net/udp", howToCapture: "cat /proc/net/udp /proc/net/udp6" }],
    });
  });
});

describe("ss", () => {
  it("has sosreport's names in the initial and in other namespaces", () => {
    const files = {
      "sos_commands/networking/ss_-peaonmi": SS,
      "sos_commands/networking/namespaces/blue/ss_-peaonmi": SS,
      "sos_commands/networking/namespaces/red/ip_netns_exec_red_ss_-peaonmi": SS,
    };
    expect(valueOf(read(ss, files)).path).toBe("sos_commands/networking/ss_-peaonmi");
    expect(valueOf(read(ssNamespaces, files)).map(({ path }) => netnsOf(path))).toEqual(["blue", "red"]);
    expect(valueOf(read(ss, { "sos_commands/networking/ss_-W_-peaonmi": SS })).value).toHaveLength(1);
  });

  it("has the names of namespaces that sosreport gave up to 4.0", () => {
    const file = (name: string): string => `sos_commands/networking/ip_netns_exec_${name}`;
    const files = { [file("blue_ss_-peaonmi")]: SS, [file("a_b-c_ss_-peaonmi")]: SS, [file("red_netstat_-s")]: "x" };
    expect(valueOf(read(ssNamespaces, files)).map(({ path }) => netnsOf(path))).toEqual(["a_b-c", "blue"]);
    expect(netnsOf(file("a_netstat_-W_-neopa"))).toBe("a");
    expect(read(ss, files).status).toBe("missing");
  });

  it.each(["ss_-tulpn", "ss_-neopa", "ss_-tanp", "ss_-nap"])("has other options: %s", (name) => {
    const files = { [`sos_commands/networking/${name}`]: SS, "sos_commands/networking/ss_-s": "Total: 9\n" };
    expect(valueOf(read(ss, files)).path).toContain(name);
    const path = "sos_commands/networking/ss_-peaonmi";
    expect(valueOf(read(ss, { ...files, [path]: SS })).path).toBe(path);
  });
});

describe("netstat", () => {
  const text = "Proto Recv-Q Send-Q Local Address\nudp 9 0 0.0.0.0:53 0.0.0.0:*\n";

  it.each([
    "netstat_-neopa",
    "netstat_-T_-neopa",
    "netstat_-W_-neopa",
    "netstat_-nap",
    "netstat_-tulpn",
    "netstat_-W_-anp",
  ])("has the options of all versions of sosreport, and others: %s", (name) => {
    const others = Object.fromEntries(
      ["netstat_-s", "netstat_-W_-agn", "netstat_-i"].map((other) => [`sos_commands/networking/${other}`, "x"]),
    );
    expect(valueOf(read(netstatDatagrams, { ...others, [`sos_commands/networking/${name}`]: text })).path).toContain(
      name,
    );
    expect(read(netstatDatagrams, others).status).toBe("missing");
  });
});

describe("sources of processes", () => {
  it("take the pid from the path and leave out proc/self", () => {
    const files = {
      "proc/1/comm": "init\n",
      "proc/42/comm": "cat\n",
      "proc/self/comm": "cat\n",
      "proc/sys/comm": "x\n",
    };
    expect(valueOf(read(processComm, files)).map(({ pid, value }) => [pid, value])).toEqual([[1, "init"], [42, "cat"]]);
  });

  it("keep kernel threads, whose file is empty", () => {
    const files = { "proc/2/smaps_rollup": "", "proc/3/smaps_rollup": "Pss: 1 kB\n" };
    expect(valueOf(read(smapsRollup, files)).map(({ value }) => value?.pssBytes)).toEqual([undefined, 1024]);
    expect(read(smapsRollup, { "proc/self/smaps_rollup": "Pss: 1 kB\n" }).status).toBe("missing");
  });
});

describe("hugepages", () => {
  const folder = "sys/kernel/mm/hugepages";

  it("puts the files of each size together, in bytes, the smallest size first", () => {
    const value = valueOf(read(hugepages, {
      [`${folder}/hugepages-1048576kB/nr_hugepages`]: "1\n",
      [`${folder}/hugepages-2048kB/nr_hugepages`]: "512\n",
      [`${folder}/hugepages-2048kB/free_hugepages`]: "500\n",
      [`${folder}/hugepages-2048kB/resv_hugepages`]: "0\n",
    }));
    const path = `${folder}/hugepages-2048kB/`;
    expect(value).toEqual([
      {
        pageBytes: 2_097_152,
        total: { bytes: 512 * 2_097_152, path: `${path}nr_hugepages`, line: 1 },
        free: { bytes: 500 * 2_097_152, path: `${path}free_hugepages`, line: 1 },
        reserved: { bytes: 0, path: `${path}resv_hugepages`, line: 1 },
        surplus: undefined,
      },
      expect.objectContaining({ pageBytes: 1_073_741_824, total: expect.objectContaining({ bytes: 1_073_741_824 }) }),
    ]);
  });

  it("is missing without any, and fails when no file parses", () => {
    expect(read(hugepages, {})).toMatchObject({ status: "missing" });
    expect(read(hugepages, { [`${folder}/hugepages-2048kB/nr_hugepages`]: "" })).toMatchObject({ status: "failed" });
  });
});

describe("pidOf()", () => {
  it.each([
    ["proc/12/status", 12],
    ["history/2026-01-01T00:00:00Z/proc/12/status", 12],
    ["proc/self/status", undefined],
    [
      "proc/1x/status",
      undefined,
    ],
  ])("%s: %s", (path, pid) => expect(pidOf(path)).toBe(pid));
});
