/** The shell collector beside the TypeScript one, on the same fault. Root and Linux only; elsewhere it is skipped, and says so. */
import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import type { Finding } from "../../src/core/report.ts";
import { contentOf, writeScript } from "../host/_collectors.ts";
import { reportOn, withFolder } from "./capture.ts";
import { labAvailable, releaseAll, withFault } from "./lab.ts";

const run = promisify(execFile);
const available = await labAvailable();
/** More are tried on demand: `NAILHOUSE_PROCESSES=20000`; each takes the kernel 97 KB. */
const PROCESSES = Number(process.env.NAILHOUSE_PROCESSES ?? 500);

/** What both collectors make of the same fault. */
function essence({ cause, confidence, owners }: Finding) {
  return { cause, confidence, owners: owners.map(({ pid, comm }) => `${comm} ${pid}`).sort() };
}

describe.skipIf(!available)("the script and the TypeScript collector", () => {
  afterAll(releaseAll);

  it("say the same of sockets that nobody reads: cause, owners, bytes", async () => {
    await withFolder(async (folder) => {
      const options = ["--quiet", "--snapshots", "2", "--interval", "1", "-o"];
      const [mine, other] = await withFault("friend_push", { clients: 40, rate: 0 }, async () => {
        await run("sh", [writeScript(folder), ...options, `${folder}/script.tgz`]);
        await run("node", ["dist/cli.js", "collect", ...options, `${folder}/typescript.tgz`, "--skip", "page-flags"]);
        return await Promise.all([reportOn(`${folder}/script.tgz`), reportOn(`${folder}/typescript.tgz`)]);
      });
      // Of a machine that others use only what the fault is.
      const of = (report: typeof mine) => report.findings.filter(({ cause }) => cause === "socket-backlog-udp");
      expect(of(mine).map(essence)).toEqual(of(other).map(essence));
      expect(of(mine)[0]?.confidence).toMatch(/likely|confirmed/);
      expect(of(mine)[0]?.owners.length).toBeGreaterThan(0);
      const ratio = (of(mine)[0]?.bytes.high as number) / (of(other)[0]?.bytes.high as number);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
      expect(mine.verdict).toBe(other.verdict);
    });
  });

  it(`capture ${PROCESSES.toLocaleString("en")} processes within their limits`, async () => {
    await withFolder(async (folder) => {
      const options = ["--quiet", "--snapshots", "1", "-o"];
      await withFault("many_processes", { count: PROCESSES, kb: 4, rate: 0 }, async () => {
        const time = ["-f", "%M %e %U %S", "sh", writeScript(folder), ...options, `${folder}/script.tgz`];
        const { stderr } = await run("/usr/bin/time", time);
        const [kilobytes, seconds] = stderr.trim().split("\n").at(-1)!.split(" ").map(Number);
        console.warn(`the script on ${PROCESSES} processes: ${stderr.trim()} (KB, s, s of CPU, s of the kernel)`);
        expect(kilobytes).toBeLessThan(PROCESSES > 1000 ? 32 * 1024 : 10 * 1024);
        expect(seconds).toBeLessThan(120);
        await run("node", ["dist/cli.js", "collect", ...options, `${folder}/typescript.tgz`, "--skip", "page-flags"]);
      }, { timeoutMs: 180_000 });
      for (const name of ["script", "typescript"]) {
        const { paths, status } = contentOf(`${folder}/${name}.tgz`);
        expect(status.stopped).toBeNull();
        expect(paths.filter((path) => /^proc\/\d+\/status$/.test(path)).length).toBeGreaterThan(PROCESSES);
        const report = await reportOn(`${folder}/${name}.tgz`);
        // A long command line of somebody else's process is cut by design: lab faults have short ones.
        const warnings = report.warnings.filter((text) => !text.includes("proc/*/cmdline"));
        expect(warnings.filter((text) => /cut|ended early|more than/.test(text))).toEqual([]);
      }
    });
  });
});
