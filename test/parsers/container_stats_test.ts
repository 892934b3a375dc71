import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import type { Report } from "../../src/core/report.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { parseContainerStats } from "../../src/parsers/container_stats.ts";
import { preset } from "../../src/preset.ts";
import { findingOf } from "../analyzers/_bundle.ts";
import { itIsRobust } from "./_context.ts";

const MIB = 2 ** 20;
const DOCKER =
  `CONTAINER ID   NAME          CPU %     MEM USAGE / LIMIT     MEM %     NET I/O           BLOCK I/O         PIDS
a1b2c3d4e5f6   api           12.31%    510.9MiB / 512MiB     99.79%    1.2GB / 845MB     12.3MB / 0B       22
b2c3d4e5f6a1   postgres      0.85%     185MiB / 15.51GiB     1.16%     45.1MB / 61.2MB   1.02GB / 3.4GB    14
`;
const FREE = `              total        used        free      shared  buff/cache   available
Mem:          15882        2210        9102          42        4570       13290
Swap:             0           0           0
`;
const rows = (text: string): unknown[] =>
  parseContainerStats(text, { facts: {}, warn() {} }).map(({ name, usageBytes, limitBytes }) => [
    name,
    usageBytes / MIB,
    limitBytes === undefined ? undefined : limitBytes / MIB,
  ]);

async function paste(text: string): Promise<Report> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(text);
  }
  return analyze(await openArchive(chunks(), { sources: presetSources(preset) }), preset);
}

describe("tables of containers", () => {
  it("are read as docker, podman, crictl and kubectl print them", () => {
    expect(rows(DOCKER)).toEqual([["api", expect.closeTo(510.9, 3), 512], [
      "postgres",
      185,
      expect.closeTo(15882.24, 1),
    ]]);
    // Docker up to 1.12, and a stream of it: the last row of each counts.
    const old =
      "CONTAINER           CPU %               MEM USAGE / LIMIT     MEM %\n0c2d9f5b1a7e        0.07%               ";
    expect(rows(`${old}6.5 MiB / 512 MiB      1.2%\n${old}7.5 MiB / 512 MiB      1.2%\n`)).toEqual([[
      "0c2d9f5b1a7e",
      7.5,
      512,
    ]]);
    expect(
      rows(
        "ID            NAME    CPU %   MEM USAGE / LIMIT  MEM %   NET IO\na1b2c3d4e5f6  worker  12.31%  104.8576MB / 16.65GB  0.6%  1.2GB / 845MB\n",
      )[0],
    ).toEqual(["worker", 100, expect.closeTo(15878.7, 1)]);
    expect(
      rows(
        "CONTAINER       NAME   CPU %   MEM       DISK     INODES\n0fd0ab12fae5    web    0.25    10.48576MB   57.3kB   17\n",
      ),
    )
      .toEqual([["web", 10, undefined]]);
    expect(rows("NAMESPACE   NAME    CPU(cores)   MEMORY(bytes)\nprod        web-6d   120m         1900Mi\n"))
      .toEqual([["web-6d", 1900, undefined]]);
    // Nodes are none, nor is what has ended.
    expect(
      rows(
        "NAME      CPU(cores)   CPU%   MEMORY(bytes)   MEMORY%\nk8s-107   1072m        2%     127894Mi        100%\n",
      ),
    ).toEqual([]);
    expect(rows(DOCKER.replace("510.9MiB / 512MiB", "0B / 0B").replace("185MiB / 15.51GiB", "-- / --"))).toEqual([]);
    expect(rows(
      "NAMESPACE   NAME    CPU(cores)   MEMORY(bytes)\na   app-1GB-0   1m   5Mi\nb   app-1GB-0   1m   7Mi\n",
    )).toEqual([["app-1GB-0", 7, undefined], ["app-1GB-0", 5, undefined]]);
    expect(() => rows("Cannot connect to the Docker daemon\n")).toThrow("its header is not there");
  });

  it("leave out what is above 2^53 bytes", () => {
    const rows = "NAME CPU(cores) MEMORY(bytes)\nweb 120m 100000001900Mi\napi 10m 1900Mi\n";
    expect(parseContainerStats(rows, { facts: {}, warn() {} })).toMatchObject([{ name: "api" }]);
  });

  itIsRobust("parseContainerStats", DOCKER, parseContainerStats);

  it("tell who is near a limit, and accuse nobody for size", async () => {
    const near = await paste(`$ docker stats --no-stream\n${DOCKER}$ free -m\n${FREE}`);
    expect(findingOf(near, "memcg-oom")).toMatchObject({
      confidence: "possible",
      material: false,
      title: "Container api has 511 MiB of 512 MiB (99.8 %), its limit: at the limit the kernel kills in it",
    });
    // What has no limit has the host's memory as one.
    const host = DOCKER.replace("510.9MiB / 512MiB ", "15.1GiB / 15.51GiB");
    expect((await paste(`${host}\n${FREE}`)).findings).toEqual([]);
    const alone = await paste(DOCKER.replace("510.9MiB", "310.9MiB"));
    expect([alone.findings, alone.ruledOut]).toEqual([[], []]);
    // Docker without a container.
    expect((await paste(DOCKER.split("\n", 1)[0] + "\n")).findings).toEqual([]);
    expect(alone.notAssessed.find(({ cause }) => cause === "memcg-oom")).toEqual({
      cause: "memcg-oom",
      missing: [
        "sos_commands/kernel/dmesg (the largest of 2 containers, api, has 311 MiB of 512 MiB (60.7 %))",
      ],
      howToCapture: ["dmesg"],
    });
  });
});
