/** What analyzing may cost, on archives that are made while they are read. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { tarEntry, tarHeader } from "../bundle/_archive.ts";

/** Everything that may be needed at most, with the runtime (some 60 MB). */
const MOST_MEGABYTES = 400;
const hasTime = spawnSync("/usr/bin/time", ["-f", "", "true"]).status === 0;
const sample = gunzipSync(readFileSync("samples/friend-push.sos.tar.gz"));
const root = sample.subarray(0, 100).toString().split(/[/\0]/, 1)[0] as string;

/** Runs the command on what is written to it; the peak is that of time(1). */
async function analyze(
  archive: Iterable<Uint8Array>,
  args: readonly string[] = [],
): Promise<{ status: number; stdout: string; stderr: string; megabytes: number }> {
  const command = ["-f", "peak %M", "node", "dist/cli.js", "analyze", "-", "-f", "json", ...args];
  const child = spawn("/usr/bin/time", command);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const ended = once(child, "close") as Promise<[number]>;
  let isOpen = true;
  // One that refuses reads no further.
  child.stdin.on("error", () => isOpen = false);
  for (const chunk of archive) {
    if (!isOpen) break;
    if (!child.stdin.write(chunk)) await Promise.race([once(child.stdin, "drain").catch(() => {}), ended]);
    if (child.exitCode !== null) break;
  }
  child.stdin.end();
  const [status] = await ended;
  return { status, stdout, stderr, megabytes: Number(/peak (\d+)/.exec(stderr)?.[1]) / 1024 };
}

const line = Buffer.from("Nov 23 13:00:00 vm kernel: eth0: a line of a log that nobody reads, of some hundred bytes\n");
const mebibyte = Buffer.alloc(2 ** 20, line);

/** A sosreport with logs, until it is a gigabyte. */
function* gigabyte(): Generator<Uint8Array> {
  // Its end are two blocks and the padding.
  let end = sample.length;
  while (sample[end - 1] === 0) end--;
  yield sample.subarray(0, Math.ceil(end / 512) * 512);
  // What analyzers read may be large, too: a hundred thousand sockets, and a kernel's log.
  const sockets = `  sl  local_address ...\n${
    "  1: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 0 0\n".repeat(
      100_000,
    )
  }`;
  yield tarEntry(`${root}/proc/net/udp6`, sockets);
  yield tarEntry(`${root}/sos_commands/kernel/dmesg_-T`, mebibyte.subarray(0, 2 ** 19));
  for (let log = 0; log < 9; log++) {
    yield tarHeader({ name: `${root}/var/log/messages-${log}`, size: `${(100 * 2 ** 20).toString(8)}\0` });
    for (let i = 0; i < 100; i++) yield mebibyte;
  }
  yield new Uint8Array(1024);
}

describe.skipIf(!hasTime)("nailhouse analyze, as time(1) measures it (needs /usr/bin/time)", () => {
  it(`takes less than ${MOST_MEGABYTES} MB for a sosreport of a gigabyte`, async () => {
    const { status, stdout, stderr, megabytes } = await analyze(gigabyte());
    expect(status, stderr).toBe(0);
    expect((JSON.parse(stdout) as { verdict: string }).verdict).toBe("cause-found");
    expect(megabytes).toBeLessThan(MOST_MEGABYTES);
  });

  it(`takes less than ${MOST_MEGABYTES} MB to refuse ten gigabytes in ten megabytes`, async () => {
    const member = gzipSync(new Uint8Array(2 ** 26));
    function* bomb(): Generator<Uint8Array> {
      yield gzipSync(tarHeader({ name: "proc/meminfo", size: `${(10 * 2 ** 30).toString(8).padStart(12, "0")}` }));
      for (let i = 0; i < 160; i++) yield member;
    }
    const { status, stdout, stderr, megabytes } = await analyze(bomb());
    expect(status).toBe(3);
    expect(stdout).toBe("");
    expect(stderr).toContain("as a decompression bomb is (limit maxRatio); --limit maxRatio=VALUE raises it");
    expect(megabytes).toBeLessThan(MOST_MEGABYTES);
  });
});
