/** The shell collector, and what both collectors promise on a host in trouble. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { readlinkSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseManifest } from "../../src/bundle/manifest.ts";
import type { Capture, Collector } from "../../src/core/collector.ts";
import { member, ringFile } from "../engine/_ring_files.ts";
import {
  cli,
  type Content,
  contentOf,
  ended,
  has,
  installedShells,
  open,
  problemsOf,
  run,
  shells,
  start,
  tools,
  words,
  writeScript,
} from "./_collectors.ts";
import { mountSilent, silentFsProblem } from "./silent_fs.ts";

const linux = process.platform === "linux";
const root = process.getuid?.() === 0;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let folder: string;
let script: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nailhouse-script-"));
  script = writeScript(folder);
  chmodSync(folder, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits for what comes soon, on a busy machine as well. */
async function until(condition: () => boolean, milliseconds = 50): Promise<void> {
  for (const end = Date.now() + 30_000; !condition(); await sleep(milliseconds)) {
    if (Date.now() > end) throw new Error("Nothing came in 30 s");
  }
}

/** More on demand: `NAILHOUSE_KILLS=1000`. */
const KILLS = Number(process.env.NAILHOUSE_KILLS ?? 6);

const inFolder = (name: string) => join(folder, name);
const inNewFolder = () => mkdtempSync(inFolder("run-"));
const collector = (captures: readonly Capture[]): Collector[] => [
  { id: "only", title: "Only", why: "", priority: 1, captures },
];

it.skipIf(!has("shellcheck"))("the script passes shellcheck (needs it)", () => {
  expect(run(folder, ["shellcheck", "-s", "sh", script])).toMatchObject({ status: 0, stdout: "" });
});

for (const shell of linux ? shells : []) {
  const name = shell.join(" ");
  describe.skipIf(!has(shell[0]))(`the script in ${name} (needs it, and Linux)`, () => {
    it.skipIf(!has("time"))(
      "streams a bundle, read from standard input as over ssh, in 8 MB (needs GNU time)",
      async () => {
        const line = `time -f '%M %U %S' ${name} -s -- --quiet --snapshots 2 --interval 0.1 < collect.sh > s.tgz`;
        const { status: code, stdout, stderr } = run(folder, ["dash", "-c", line]);
        expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
        const [kilobytes, user, system] = (stderr.trim().split("\n").at(-1) as string).split(" ").map(Number);
        expect(kilobytes).toBeLessThan(8192);
        // It is 0.9 s on an idle host; but other tests run beside this one.
        expect((user as number) + (system as number)).toBeLessThan(4);
        const { paths, text, status } = contentOf(inFolder("s.tgz"));
        expect(paths[0]).toBe("nailhouse.json");
        expect(paths.at(-1)).toBe("nailhouse-status.json");
        expect(new Set(paths).size).toBe(paths.length);
        expect(parseManifest(text("nailhouse.json"))).toMatchObject({ snapshots: 2, intervalSeconds: 0.1 });
        expect(status).toMatchObject({ stopped: null, snapshots: { length: 2 } });
        const { bundle, report } = await open(inFolder("s.tgz"));
        expect(bundle.warnings).toEqual([]);
        expect(report.ledger?.accounts.length).toBeGreaterThan(10);
      },
    );

    it("captures the files that the TypeScript collector does", () => {
      const only = { only: "memory,slab,sysctl,cgroups", snapshots: 1 };
      expect(run(folder, [...shell, script, "--quiet", "-o", "a.tgz", ...words(only)])).toMatchObject({ status: 0 });
      expect(run(folder, ["node", cli, "collect", "--quiet", "-o", "b.tgz", ...words(only)])).toMatchObject({
        status: 0,
      });
      const [mine, other] = [contentOf(inFolder("a.tgz")), contentOf(inFolder("b.tgz"))];
      // Groups come and go.
      const steady = (paths: readonly string[]) => paths.filter((path) => !path.startsWith("sys/fs/cgroup/")).sort();
      expect(steady(mine.paths)).toEqual(steady(other.paths));
      expect(mine.text("proc/sys/net/ipv4/udp_mem")).toBe(other.text("proc/sys/net/ipv4/udp_mem"));
      const facts = (text: string) => parseManifest(text).host;
      expect(facts(mine.text("nailhouse.json"))).toEqual(facts(other.text("nailhouse.json")));
    });

    it("takes options from the environment, and prefers those on the command line", () => {
      const env = {
        NAILHOUSE_SNAPSHOTS: "3",
        NAILHOUSE_INTERVAL: "0.1",
        NAILHOUSE_ONLY: "memory,kernel-log",
        NAILHOUSE_SKIP: "kernel-log",
        NAILHOUSE_QUIET: "1",
        NAILHOUSE_OUTPUT: inFolder("env.tgz"),
      };
      const { status, stdout, stderr } = run(folder, [...shell, script, "--snapshots", "2"], { env });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
      const bundle = contentOf(inFolder("env.tgz"));
      expect(bundle.status.snapshots).toHaveLength(2);
      expect(bundle.status.collectors.map((each) => each.id)).toEqual(["memory", "recorded"]);
    });

    it("packs the samples of a ring that the TypeScript collector packs, and what another recorder wrote", () => {
      const here = inNewFolder();
      const long =
        "sos_commands/networking/namespaces/a-name-that-makes-the-path-longer-than-a-tar-header-has/proc/net/udp";
      const files = (text: string) => ({ "proc/meminfo": text, "proc/empty": "", [long]: `${text}\n\nlast line` });
      const HOUR = 3_600_000;
      const now = Date.now();
      // By age in milliseconds: every second, one in ten seconds, a minute, five minutes, and of older files one.
      const ring: readonly (readonly number[])[] = [
        [31_500, 31_000, 30_000],
        [31_500],
        [5 * 60_000, 5 * 60_000 - 4000, 5 * 60_000 - 8000],
        [HOUR, HOUR - 20_000, HOUR - 40_000, HOUR - 60_000],
        [10, 9.99, 9.98, 9.95, 9.9, 9.8].map((hours) => hours * HOUR),
        [24.5, 24.4, 24.3].map((hours) => hours * HOUR),
        [48, 47.9, 47.8].map((hours) => hours * HOUR),
      ];
      for (const ages of ring) {
        const name = new Date(now - (ages[0] as number)).toISOString().replace(/\.\d+|[-:]/g, "");
        const copy = ages === ring[1] ? "-2" : "";
        const members = ages.map((age) => member(now - age, files(`${"x".repeat(age % 1021)}\n`)));
        writeFileSync(
          join(here, `ring-${name}${copy}.tar.gz`),
          ringFile(member(0, { "/nailhouse.json": "{}" }), ...members),
        );
      }
      // Of what a crash cut off, one gzip gives more than another does: here it is too little for any.
      const cut = readdirSync(here).sort().reverse()[2] as string;
      writeFileSync(join(here, cut), member(now - 200_000, files("x")).subarray(0, 20), { flag: "a" });
      writeFileSync(join(here, "ring-20260101T000000Z.tar.gz"), "no gzip");
      writeFileSync(join(here, "sar 1.txt"), "a\0b");
      const [mine, other] = ([[...shell, script], ["node", cli, "collect"]] as [string, ...string[]][]).map(
        (line, i) => {
          const history = ["--history", here, "--history", join(here, "sar 1.txt"), "--history", "/nowhere"];
          const options = ["--quiet", "--only", "kernel-log", "--snapshots", "1", ...history];
          expect(run(folder, [...line, ...options, "-o", `ring${i}.tgz`])).toMatchObject({ status: 0, stderr: "" });
          return contentOf(inFolder(`ring${i}.tgz`));
        },
      ) as [Content, Content];
      for (const line of [[...shell, script], ["node", cli, "collect"]] as [string, ...string[]][]) {
        const options = ["--only", "kernel-log", "--snapshots", "1", "--history", "/nowhere", "-o", "none.tgz"];
        expect(run(folder, [...line, ...options]).stderr).toContain(
          "nailhouse: not packed: /nowhere: there is no such ",
        );
      }
      const recorded = ({ paths }: Content) => paths.filter((path) => path.startsWith("history"));
      expect(recorded(mine)).toEqual(recorded(other));
      const times = new Set(recorded(mine).map((path) => path.split("/")[1]));
      // Two or three, of which another file has one, too; one or two; two; three to five; one; one. And the folder of what is no sample.
      expect(times.size).toBeGreaterThanOrEqual(11);
      for (const path of recorded(mine)) expect(mine.text(path)).toBe(other.text(path));
      const damaged = "the compressed data is damaged or cut off: what stands before that is packed";
      expect(problemsOf(mine).filter(({ path }) => path.startsWith("/"))).toEqual([
        { path: join(here, cut), reason: damaged },
        { path: join(here, "ring-20260101T000000Z.tar.gz"), reason: damaged },
        { path: here, reason: `${times.size - 1} samples were packed, the older they are the fewer` },
        { path: "/nowhere", reason: "there is no such file or folder" },
      ]);
    });

    it("ends at its size limit, with a bundle that says so", () => {
      const large = inNewFolder();
      // Two megabytes of command lines would do as well, but not everywhere.
      writeFileSync(join(large, "large"), `${"x".repeat(99)}\n`.repeat(10_000));
      const captures = ["a", "b", "c", "d", "e", "f"].map((path): Capture => ({
        kind: "command",
        argv: ["cat", join(large, "large")],
        as: path,
      }));
      run(large, [...shell, writeScript(large, collector(captures)), "--quiet", "--max-size", "1", "-o", "size.tgz"]);
      const { status, paths } = contentOf(join(large, "size.tgz"));
      expect(status.stopped).toBe("the size limit of 1048576 bytes for the whole was reached");
      expect(status.collectors[0]?.bytes).toBeLessThan(2 ** 20);
      expect(paths.length).toBeGreaterThan(2);
    });

    it.skipIf(!root)(
      "needs neither tar nor gzip, and writes nowhere: all is mounted read-only (root only)",
      async () => {
        const hide =
          `mkdir real shown && mount --bind /usr/bin real && ln -s "$PWD"/real/* shown/ && rm shown/tar shown/gzip &&
        mount --bind shown /usr/bin && ! command -v tar gzip || exit 9
        ${SEALED}`;
        const args = [...shell, script, "--quiet", "--snapshots", "2", "--interval", "0.1"];
        const line = ["unshare", "--mount", "sh", "-c", hide, "sh", ...args];
        const quoted = line.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
        const { status, stderr } = run(inNewFolder(), ["sh", "-c", `${quoted} > ../sealed.tgz`]);
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        expect(readFileSync(inFolder("sealed.tgz"), "latin1")).toMatch(/^nailhouse-/);
        const { bundle, report } = await open(inFolder("sealed.tgz"));
        expect(bundle.warnings).toEqual([]);
        expect(report.ledger).not.toBeNull();
        expect(report.timeline).toHaveLength(2);
        const problems = bundle.status?.collectors.flatMap((each) => each.problems) ?? [];
        expect(problems.filter(({ reason }) => /[Rr]ead-only|temporary/.test(reason))).toEqual([]);
      },
    );
  });
}

/** Runs the rest of the line where everything is mounted read-only. */
const SEALED = `awk '$3 !~ /^(proc|sysfs|cgroup2?|devpts|mqueue|nsfs)$/ { print $2 }' /proc/mounts | sort -u |
  while read -r m; do mount -o remount,bind,ro "$m"; done 2>/dev/null
  ! touch /tmp/x /dev/shm/x 2>/dev/null && exec "$@"`;

it.skipIf(!linux || !root)(
  "the TypeScript collector writes nowhere, too: all is mounted read-only (root only)",
  async () => {
    const here = inNewFolder();
    const options = "--quiet --snapshots 2 --interval 0.1 -o -";
    const line = `unshare --mount sh -c '${
      SEALED.replaceAll("'", "'\\''")
    }' sh node ${cli} collect ${options} > sealed.tgz`;
    expect(run(here, ["sh", "-c", line])).toMatchObject({ status: 0, stderr: "" });
    const { bundle, report } = await open(join(here, "sealed.tgz"));
    expect(bundle.warnings).toEqual([]);
    expect(report.timeline).toHaveLength(2);
  },
);

describe.skipIf(!linux)("the script's output", () => {
  it("as a user would see it: timeout -s KILL 1 sh collect.sh > cut.tgz; nailhouse analyze cut.tgz", () => {
    const here = inNewFolder();
    const path = writeScript(here);
    // timeout kills itself as well, and its group.
    run(here, ["setsid", "--wait", "sh", "-c", `timeout -s KILL 1 sh ${path} > cut.tgz`]);
    const cut = run(here, ["node", cli, "analyze", "cut.tgz"]);
    expect(cut.status).toBe(0);
    expect(cut.stdout.replaceAll(/\s+/g, " ")).toContain("ends before its last entry: collecting was cut off");
    writeFileSync(join(here, "empty.tgz"), "");
    expect(run(here, ["node", cli, "analyze", "empty.tgz"])).toMatchObject({ status: 3, stdout: "" });
    expect(run(here, ["node", cli, "analyze", "empty.tgz"]).stderr).toContain("empty.tgz");
  });

  it("is private, also where a file was that others may read", () => {
    writeFileSync(inFolder("old.tgz"), "x", { mode: 0o644 });
    for (const name of ["old.tgz", "new.tgz"]) {
      const options = ["--quiet", "--only", "kernel-log", "--snapshots", "1", "-o", name];
      expect(run(folder, ["sh", script, ...options]).status).toBe(0);
      expect(statSync(inFolder(name)).mode & 0o777).toBe(0o600);
    }
    run(folder, ["sh", "-c", "sh collect.sh --quiet --only kernel-log --snapshots 1 -o - > dash.tgz"]);
    expect(contentOf(inFolder("dash.tgz")).status.stopped).toBeNull();
    expect(existsSync(inFolder("-"))).toBe(false);
  });

  it.each<[string, string[], string]>([
    ["an unknown collector", ["--only", "memroy"], 'there is no collector "memroy"; there are memory'],
    ["a number that is none", ["--snapshots", "1.5"], '--snapshots is a whole number above 0, not "1.5"'],
    ["an interval that is none", ["--interval", "1,5"], '--interval is a number of seconds, not "1,5"'],
    ["an option in one word, which is wrong", ["--snapshots=0"], '--snapshots is a whole number above 0, not "0"'],
    ["no collector left", ["--only", "memory", "--skip", "memory"], "leave no collector"],
    ["an unknown option", ["--nonsense"], "--nonsense"],
    ["a root that is none", ["--root", "/nonexistent"], "--root is a directory"],
  ])("is not begun with %s", (_, args, message) => {
    const { status, stderr, stdout } = run(folder, ["sh", script, ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it("is not begun without what makes a bundle, and names what else is not installed", () => {
    const here = inNewFolder();
    const bin = join(here, "bin");
    const path = writeScript(here);
    writeFileSync(path, readFileSync(path, "utf8").replace(/^PATH=.*$/m, `PATH=${bin}`));
    const without = (...gone: string[]) => {
      rmSync(bin, { recursive: true, force: true });
      mkdirSync(bin);
      const link = 'for file in /usr/bin/* /bin/*; do ln -s "$file" bin/ 2>/dev/null; done; cd bin && rm -f "$@"';
      run(here, ["sh", "-c", link, "sh", ...gone]);
      return run(here, ["/bin/sh", path, "--quiet", "--only", "memory,kernel-log", "--snapshots", "1", "-o", "b.tgz"]);
    };
    expect(without("awk")).toMatchObject({ status: 3, stderr: "nailhouse: Cannot look at this host: it has no awk\n" });
    expect(existsSync(join(here, "b.tgz"))).toBe(false);
    expect(without("find", "xargs")).toMatchObject({ status: 0, stderr: "" });
    expect(problemsOf(contentOf(join(here, "b.tgz")))).toContainEqual({
      path: "find, xargs",
      reason: expect.stringContaining("not installed"),
    });
  });

  it.skipIf(!has("busybox"))("has what the df of busybox tells (needs busybox)", () => {
    const here = inNewFolder();
    const bin = join(here, "bin");
    const path = writeScript(here);
    writeFileSync(path, readFileSync(path, "utf8").replace(/^PATH=/m, `PATH=${bin}:`));
    mkdirSync(bin);
    writeFileSync(join(bin, "df"), '#!/bin/sh\nexec busybox df "$@"\n', { mode: 0o755 });
    const options = ["--quiet", "--only", "host", "--snapshots", "1", "-o", "b.tgz"];
    expect(run(here, ["sh", path, ...options])).toMatchObject({ status: 0, stderr: "" });
    const { text } = contentOf(join(here, "b.tgz"));
    expect(text("sos_commands/filesys/df_-al_-x_autofs")).toMatch(/^\S+ +\d+ +\d+ +\d+ +\d+% \//m);
    expect(text("sos_commands/filesys/df_-ali_-x_autofs")).toContain("Inodes");
  });

  it("is no option of nailhouse collect --emit-script, which prints --help's text in the script, too", () => {
    expect(run(folder, ["sh", script, "--help"])).toMatchObject({ status: 0, stderr: "" });
    expect(run(folder, ["sh", script, "--help"]).stdout).toContain("ssh HOST 'sh -s' < collect.sh > bundle.tgz");
  });
});

/** gzip writes it before it has anything to compress. */
const GZIP_HEADER_BYTES = 10;

// These wait for much of their time.
describe.skipIf(!linux).concurrent("what does not answer, or is killed", () => {
  it.each(tools)("$name leaves a bundle up to the moment when it is killed, whenever that is", async ({ command }) => {
    const here = inNewFolder();
    const line = [...command(here), "--quiet", ...words({ snapshots: 2, interval: 0.1 }), "-o", "cut.tgz"];
    const sizeOf = () => statSync(join(here, "cut.tgz"), { throwIfNoEntry: false })?.size ?? 0;
    expect(await ended(start(here, line as [string, ...string[]]))).toBe(0);
    const whole = sizeOf();
    let analyzed = 0;
    for (let i = 0; i < KILLS; i++) {
      rmSync(join(here, "cut.tgz"), { force: true });
      const child = start(here, line as [string, ...string[]]);
      const exit = ended(child);
      // Spread over what a run writes, not over its time: a machine that runs other tests, too, is not equally fast.
      const enough = (i + Math.random()) / KILLS * whole;
      await until(() => sizeOf() >= enough || child.exitCode !== null, 5);
      await sleep(Math.random() * 20);
      if (child.exitCode === null) process.kill(-(child.pid as number), "SIGKILL");
      await exit;
      if (sizeOf() <= GZIP_HEADER_BYTES) continue;
      const { bundle, report } = await open(join(here, "cut.tgz"));
      // It may have been killed when all was written.
      if (bundle.status === undefined) {
        expect(report.warnings.join("\n")).toContain("the bundle ends before its last entry");
      }
      if (report.ledger !== null) analyzed++;
    }
    expect(analyzed).toBeGreaterThan(0);
  });

  const hung = "trap '' TERM INT; echo begun; sleep 1000 & echo $! > PIDS; exec sleep 1000";

  it.each(tools)("costs only itself in $name", async ({ collect }) => {
    const here = inNewFolder();
    execFileSync("mkfifo", [join(here, "fifo")]);
    const begun = Date.now();
    const content = await collect(
      here,
      collector([
        { kind: "file", path: join(here, "fifo") },
        {
          kind: "command",
          argv: ["sh", "-c", hung.replace("PIDS", join(here, "pids"))],
          as: "hung",
          // Long enough for its first line, at the lowest priority of a machine that tests other things, too.
          timeoutSeconds: 5,
        },
        { kind: "file", path: "/proc/meminfo" },
      ]),
      { snapshots: 1 },
    );
    expect(Date.now() - begun).toBeLessThan(30_000);
    expect(content.paths).toEqual(["nailhouse.json", "hung", "proc/meminfo", "nailhouse-status.json"]);
    expect(content.text("hung")).toBe("begun\n");
    expect(problemsOf(content)).toEqual([
      { path: join(here, "fifo").slice(1), reason: expect.stringMatching(/not a regular file|did not answer in time/) },
      { path: "hung", reason: "did not answer in time: what came until then is kept" },
    ]);
    const state = run(here, ["sh", "-c", "ps -o stat= -p $(cat pids)"]).stdout.trim();
    // Gone, or waiting for a first process that does not care.
    expect(state).toMatch(/^(Z.*)?$/);
  });

  it.each(installedShells)(
    "bears its own signal at any moment in %s",
    async (_, shell) => {
      const here = inNewFolder();
      const script = writeScript(here);
      const args = ["--quiet", "--only", "host,memory", ...words({ snapshots: 2, interval: 0.5 }), "-o", "b.tgz"];
      const child = start(here, [...shell, script, ...args]);
      let said = "";
      child.stderr?.on("data", (text) => said += text);
      const exit = ended(child);
      let signals = 0;
      for (; child.exitCode === null; await sleep(0)) {
        try {
          for (const pid of readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ")) {
            // Whoever handles it: as the script's own process does that sends it each second.
            const handled = /^SigCgt:\t(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
            if ((BigInt(`0x${handled}`) >> BigInt(constants.signals.SIGUSR1 - 1) & 1n) === 0n) continue;
            process.kill(Number(pid), "SIGUSR1");
            signals++;
          }
        } catch (error) {
          // It has ended.
          if (!["ENOENT", "ESRCH"].includes((error as { code?: string }).code ?? "")) throw error;
        }
      }
      expect(await exit).toBe(0);
      // What bash says, and no more than that, of one that came in the microsecond when it ceased to listen.
      expect(said).toMatch(/^(.*warning: run_pending_traps: bad value in trap_list.*\n)*$/);
      expect(signals).toBeGreaterThan(5);
      const { status } = contentOf(join(here, "b.tgz"));
      expect(status).toMatchObject({ stopped: null, snapshots: { length: 2 } });
    },
  );

  it.each(installedShells)(
    "ends the script in %s at its time limit",
    async (_, shell) => {
      const here = inNewFolder();
      const late = [...words({ timeout: 1, interval: 60, only: "memory" }), "-o", "late.tgz"];
      expect(await ended(start(here, [...shell, script, "--quiet", ...late]))).toBe(0);
      expect(contentOf(join(here, "late.tgz")).status).toMatchObject({
        stopped: "the time limit of 1 s for the whole was reached",
        snapshots: { length: 1 },
      });
    },
  );

  /** Its shells, when the first snapshot is written: the first one, whose group it is, and the one that captures. */
  async function started(here: string): Promise<{ first: number; capturing: number }> {
    const child = start(here, ["dash", writeScript(here), ...words({ interval: 60, only: "memory" }), "-o", "b.tgz"]);
    await until(() => run(here, ["sh", "-c", "tar -tzf b.tgz | grep -c /proc/"]).stdout.trim() !== "0");
    const first = child.pid as number;
    const below = execFileSync("ps", ["--ppid", String(first), "-o", "pid=,comm="], { encoding: "utf8" }).trim().split(
      "\n",
    );
    const capturing = Number(below.find((line) => line.endsWith("dash"))?.trim().split(/\s+/)[0]);
    return { first, capturing };
  }

  it.each(["first", "capturing"] as const)(
    "ends the script's bundle when its %s shell is killed, and says so",
    async (which) => {
      const here = inNewFolder();
      const shell = await started(here);
      try {
        process.kill(shell[which], "SIGKILL");
        const path = join(here, "b.tgz");
        await until(() => run(here, ["sh", "-c", "tar -tzf b.tgz | grep status"]).status === 0);
        const { status } = contentOf(path);
        expect(status.stopped).toBe(which === "first" ? "interrupted" : "the shell that captures was killed");
        expect(status.collectors[0]?.files).toBeGreaterThan(5);
      } finally {
        spawnSync("kill", ["-s", "KILL", "--", `-${shell.first}`]);
      }
    },
  );

  const silent = silentFsProblem();
  // The other one: live_test.ts.
  it.skipIf(silent !== undefined)(
    `costs only itself in the script on a disk that never answers${silent === undefined ? "" : `: ${silent}`}`,
    async () => {
      const here = inNewFolder();
      mkdirSync(join(here, "below/etc"), { recursive: true });
      const mounted = await mountSilent(join(here, "below/etc"));
      try {
        const args = ["--only", "host", "--snapshots", "1", "--root", "below", "-o", "silent.tgz"];
        expect(await ended(start(here, ["sh", writeScript(here), "--quiet", ...args]))).toBe(0);
      } finally {
        await mounted.end();
      }
      const content = contentOf(join(here, "silent.tgz"));
      expect(problemsOf(content)).toContainEqual({ path: "etc/os-release", reason: "did not answer in time" });
      expect(content.paths).toContain("sos_commands/kernel/uname_-a");
    },
  );
});

describe.skipIf(!linux).each(tools)("$name on a host in trouble", ({ name, command }) => {
  const script = name === "the script";

  it("is the first that the kernel kills and the last that it runs", async () => {
    const child = start(folder, [...command(folder), ...words({ interval: 60, only: "memory" }), "-o", "last.tgz"]);
    try {
      // The script says so when it begins with a snapshot, the other one when it is done with it.
      await new Promise((resolve) => child.stderr?.once("data", resolve));
      await sleep(300);
      const all = execFileSync("ps", ["-e", "-o", "pid=,pgid=,comm="], { encoding: "utf8" });
      const pids = all.trim().split("\n").map((line) => line.trim().split(/\s+/)).filter(([, group, name]) =>
        // One that ends every second, while this looks.
        Number(group) === child.pid && name !== "sleep"
      ).map(([pid]) => pid as string);
      expect(pids.length).toBeGreaterThan(script ? 2 : 0);
      for (const pid of pids) {
        expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("1000\n");
        for (const thread of readdirSync(`/proc/${pid}/task`)) {
          expect(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").split(") ")[1]?.split(" ")[16]).toBe("19");
          if (has("ionice")) {
            expect(execFileSync("ionice", ["-p", thread], { encoding: "utf8" }).trim()).toBe("idle");
          }
        }
      }
    } finally {
      process.kill(-(child.pid as number), "SIGKILL");
    }
  });

  it.skipIf(!root)("stops at a full disk, and what is there can be analyzed up to the cut (root only)", async () => {
    const here = inNewFolder();
    mkdirSync(join(here, "disk"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", join(here, "disk")]);
    try {
      const { status, stderr } = run(here, [...command(here), "--quiet", "--snapshots", "1", "-o", "disk/b.tgz"]);
      expect(status).toBe(2);
      expect(stderr).toContain("nailhouse: Cannot write the bundle disk/b.tgz: ");
      expect(stderr).toMatch(/no space left on device/i);
      expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(3);
      copyFileSync(join(here, "disk/b.tgz"), join(here, "b.tgz"));
    } finally {
      execFileSync("umount", [join(here, "disk")]);
    }
    const { report } = await open(join(here, "b.tgz"));
    expect(report.ledger).not.toBeNull();
    expect(report.warnings.join("\n")).toContain("the bundle ends before its last entry");
  });

  it.skipIf(!root)("captures what an ordinary user may, and names the rest (root only)", async () => {
    const here = inNewFolder();
    const own = command(here).map((word) => {
      if (!word.includes("/")) return word;
      copyFileSync(word, join(here, word.endsWith(".js") ? "cli.mjs" : "user.sh"));
      return join(here, word.endsWith(".js") ? "cli.mjs" : "user.sh");
    }) as [string, ...string[]];
    execFileSync("chown", ["-R", "65534", here]);
    const locked = inNewFolder();
    const args = ["--quiet", "--snapshots", "1", "--history", locked, "-o", "user.tgz"];
    expect(run(here, [...own, ...args], { uid: 65534 })).toMatchObject({ status: 0, stderr: "" });
    const content = contentOf(join(here, "user.tgz"));
    expect(problemsOf(content).find(({ path }) => path === locked)?.reason).toMatch(/denied|cannot be read/);
    expect(problemsOf(content)).toContainEqual({ path: "proc/slabinfo", reason: "permission denied: not root" });
    expect(parseManifest(content.text("nailhouse.json")).privileged).toBe(false);
    expect((await open(join(here, "user.tgz"))).report.ledger).not.toBeNull();
  });
});

/** Where memory is limited here, and under which names. */
const cgroup = existsSync("/sys/fs/cgroup/memory/memory.usage_in_bytes")
  ? {
    top: "/sys/fs/cgroup/memory",
    having: "memory.usage_in_bytes",
    usage: "memory.usage_in_bytes",
    max: "memory.limit_in_bytes",
  }
  : { top: "/sys/fs/cgroup", having: "cgroup.controllers", usage: "memory.current", max: "memory.max" };

function canMakeGroups(): boolean {
  const group = `${cgroup.top}/nailhouse-try-${process.pid}`;
  try {
    mkdirSync(group);
    const can = existsSync(`${group}/${cgroup.max}`);
    return can;
  } catch {
    return false;
  } finally {
    spawnSync("rmdir", [group]);
  }
}

describe.skipIf(!linux || !root || !canMakeGroups())(
  "memory control groups (root only, with a memory controller)",
  () => {
    const top = `${cgroup.top}/nailhouse-test-${process.pid}`;
    const groups = ["a", "b", "b/c", "d", "e", "y", "z"];
    beforeAll(() => {
      for (const group of ["", ...groups]) {
        mkdirSync(`${top}/${group}`);
        // In cgroup v2 a group has processes or passes its controllers on.
        if (cgroup.top === "/sys/fs/cgroup" && ["", "b"].includes(group)) {
          writeFileSync(`${top}/${group}/cgroup.subtree_control`, "+memory");
        }
      }
    });
    afterAll(() => {
      for (const group of ["", ...groups].toReversed()) spawnSync("rmdir", [`${top}/${group}`]);
    });

    // Of Node alone 28 MB cannot be given back (20.x); the rest of its 58 MB is the program's file.
    it.each(tools.map((tool) => ({ ...tool, megabytes: tool.name === "the script" ? 32 : 48 })))(
      "of $megabytes MB are enough for $name",
      ({ command, megabytes }) => {
        const here = inNewFolder();
        const group = `${top}/${megabytes === 32 ? "a" : "d"}`;
        writeFileSync(`${group}/${cgroup.max}`, String(megabytes * 2 ** 20));
        const line = 'echo $$ > "$1" && shift && exec "$@"';
        const enter = ["sh", "-c", line, "sh", `${group}/cgroup.procs`] as [string, ...string[]];
        const options = ["--quiet", "-o", "b.tgz", "--interval", "0.2"];
        const { status, stderr } = run(here, [...enter, ...command(here), ...options]);
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        expect(contentOf(join(here, "b.tgz")).status).toMatchObject({ stopped: null, snapshots: { length: 3 } });
        const counts = `${group}/${cgroup.top.endsWith("memory") ? "memory.oom_control" : "memory.events"}`;
        expect(readFileSync(counts, "utf8")).toMatch(/^oom_kill 0$/m);
      },
    );

    it.each(tools)("are captured by $name in order of their memory, within depth and number", async ({ collect }) => {
      const here = inNewFolder();
      // Page cache stays charged to the group that made it.
      for (const [group, megabytes] of [["b/c", 6], ["z", 4], ["y", 2]] as const) {
        const fill =
          `echo 0 > "$1/cgroup.procs" || echo $$ > "$1/cgroup.procs"; head -c ${megabytes}M /dev/zero > "$2"`;
        run(here, ["sh", "-c", fill, "sh", `${top}/${group}`, join(here, `fill-${group.replace("/", "-")}`)]);
      }
      const capture: Capture = {
        kind: "tree",
        path: top,
        having: cgroup.having,
        files: [cgroup.usage],
        largestBy: cgroup.usage,
        maxDepth: 1,
        maxFolders: 4,
      };
      const stored = (group: string) => `${top}${group}/${cgroup.usage}`.slice(1);
      const one = await collect(here, collector([capture]), { snapshots: 1 });
      expect(one.paths.slice(1, -1)).toEqual(["", "/b", "/z", "/y"].map(stored));
      expect(problemsOf(one)).toEqual([
        { path: top.slice(1), reason: "has more than 4 folders: the smallest were not read" },
      ]);
      const two = await collect(here, collector([{ ...capture, maxDepth: 2 }]), { snapshots: 1 });
      expect(two.paths.slice(1, -1)).toEqual(["", "/b", "/b/c", "/z"].map(stored));
    });
  },
);

describe.skipIf(!linux || !root || !has("ss"))("connections that nobody accepts (root and ss only)", () => {
  it.each(tools)(
    "are told of by $name, and who listens for them, where ss does not look for owners",
    async ({ collect }) => {
      const here = inNewFolder();
      const deaf = `const net = require("net");
      const tcp = net.createServer().listen(0, "127.0.0.1", () => net.createServer().listen("${here}/socket", () => {
        console.error(tcp.address().port);
        setTimeout(() => process.kill(process.pid, "SIGSTOP"), 0);
      }));`;
      const server = start(here, ["node", "-e", deaf]);
      try {
        const port = await new Promise<number>((resolve) =>
          server.stderr?.once("data", (said) => resolve(Number(said)))
        );
        await until(() => readFileSync(`/proc/${server.pid}/stat`, "utf8").includes(" T "));
        const clients = [connect(port, "127.0.0.1"), connect(join(here, "socket"))];
        await Promise.all(clients.map((client) => new Promise((resolve) => client.once("connect", resolve))));
        const { text } = await collect(
          here,
          collector([
            { kind: "netns", files: ["tcp"], commands: [], maxNamespaces: 1 },
            { kind: "command", argv: ["ss", "-eaonmi"], as: "sos_commands/networking/ss_-peaonmi", network: true },
            { kind: "socket-owners", as: "owners", minQueuedBytes: 512, maxDescriptors: 50_000 },
          ]),
          { snapshots: 1 },
        );
        for (const client of clients) client.destroy();
        const hex = port.toString(16).toUpperCase().padStart(4, "0");
        const tcp = new RegExp(`^ *\\d+: 0100007F:${hex} 00000000:0000 0A 00000000:00000001 (?:\\S+ +){4}(\\d+) `, "m");
        const unix = new RegExp(`^u_str +LISTEN 1 .*${here}/socket (\\d+) `, "m");
        const inodes = [
          tcp.exec(text("proc/net/tcp"))?.[1],
          unix.exec(text("sos_commands/networking/ss_-peaonmi"))?.[1],
        ];
        for (const inode of inodes) {
          expect(text("owners")).toMatch(new RegExp(`^/proc/${server.pid}/fd/\\d+ -> socket:\\[${inode}\\]$`, "m"));
        }
      } finally {
        process.kill(-(server.pid as number), "SIGKILL");
      }
    },
  );
});

describe.skipIf(!linux || !root || !has("unshare")).each(tools)("$name (root only)", ({ collect }) => {
  it("captures network namespaces that only descriptors keep, in each snapshot, and not all of a leak", async () => {
    const here = inNewFolder();
    const enter = "exec 3</proc/self/ns/net; i=0; while [ $i -lt 34 ]; do i=$((i + 1)); " +
      "unshare --net sleep 30 & n=$!; until " +
      '[ "$(readlink /proc/$n/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done; ' +
      'eval "exec $((i + 9))</proc/$n/ns/net"; kill $n; done; wait; echo held >&2; exec sleep 60';
    const holder = start(here, ["bash", "-c", enter]);
    try {
      await new Promise((resolve) => holder.stderr?.once("data", resolve));
      const inode = /\d+/.exec(readlinkSync(`/proc/${holder.pid}/fd/10`))?.[0];
      const { paths, text } = await collect(
        here,
        collector([{ kind: "netns", files: ["sockstat"], commands: [], changing: true, maxNamespaces: 100 }]),
        { snapshots: 2 },
      );
      const inside = paths.filter((path) => path.endsWith(`namespaces/net-${inode}/proc/net/sockstat`));
      expect(inside).toHaveLength(2);
      expect(text(inside[0] as string)).toContain("sockets: used 0");
      expect(paths.filter((path) => /^sos_.*namespaces\/net-\d+\/proc\/net\/sockstat$/.test(path))).toHaveLength(32);
      expect(text("nailhouse-status.json")).toContain("only 32 namespaces that descriptors hold were read");
    } finally {
      process.kill(-(holder.pid as number), "SIGKILL");
    }
  }, 60_000);

  it("enters no descriptor of something else, whatever its name looks like", async () => {
    const here = inNewFolder();
    // Descriptor 8 ends in `ls -l` as if 9 were of a namespace, which is a FIFO: who opens it waits for somebody who writes.
    const holder = start(here, [
      "bash",
      "-c",
      'mkfifo pipe; f=\'x 9 -> net:[77]\'; touch "$f"; exec 7<>pipe 9<pipe 7>&- 8<"$f"; echo held >&2; exec sleep 60',
    ]);
    try {
      await new Promise((resolve) => holder.stderr?.once("data", resolve));
      const content = await collect(
        here,
        collector([{ kind: "netns", files: ["sockstat"], commands: [], maxNamespaces: 100 }]),
        { snapshots: 1, timeoutSeconds: 8 },
      );
      expect(content.status.stopped).toBe(null);
      expect(problemsOf(content)).toEqual([]);
    } finally {
      process.kill(-(holder.pid as number), "SIGKILL");
    }
  }, 60_000);
});

it.skipIf(!linux || !root).each(tools)(
  "$name says that it sees only a container's processes (root only)",
  ({ command }) => {
    const here = inNewFolder();
    const options = ["--quiet", "--only", "processes", "--snapshots", "1", "-o", "b.tgz"];
    const enter = ["unshare", "--pid", "--fork", "--mount-proc"] as [string, ...string[]];
    expect(run(here, [...enter, ...command(here), ...options])).toMatchObject({ status: 0, stderr: "" });
    expect(problemsOf(contentOf(join(here, "b.tgz")))).toContainEqual({
      path: "proc",
      reason: expect.stringContaining("not all processes can be seen"),
    });
  },
);

describe.skipIf(!linux || !root || !has("ip")).each(tools)("$name in a container (root and ip only)", ({ command }) => {
  it("captures the host: its processes, groups, log, and the sockets of every network namespace", async () => {
    const here = inNewFolder();
    const names = ["alive", "empty"].map((each) => `nailhouse-${each}-${process.pid}`) as [string, string];
    mkdirSync(join(here, "host"));
    for (const name of names) execFileSync("ip", ["netns", "add", name]);
    const socket = "require('dgram').createSocket('udp4').bind(4711, () => console.error('bound'))";
    const server = start(here, ["ip", "netns", "exec", names[0], "node", "-e", socket]);
    try {
      await new Promise((resolve) => server.stderr?.once("data", resolve));
      const inside = `mount --rbind / host && exec unshare --pid --net --uts --ipc --cgroup --fork --mount-proc sh -c '
        hostname container; ! [ -e /proc/${process.pid}/comm ] && exec "$@"' sh "$@"`;
      const args = ["--quiet", "--root", "host", "--snapshots", "1", "--skip", "page-flags", "-o", "b.tgz"];
      const enter = ["unshare", "--mount", "sh", "-c", inside, "sh"] as [string, ...string[]];
      const { status, stderr } = run(here, [...enter, ...command(here), ...args]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    } finally {
      process.kill(-(server.pid as number), "SIGKILL");
      for (const name of names) execFileSync("ip", ["netns", "delete", name]);
    }
    const { paths, text } = contentOf(join(here, "b.tgz"));
    const namespaces = "sos_commands/networking/namespaces";
    expect(text(`${namespaces}/${names[0]}/proc/net/udp`)).toContain(":1267 ");
    expect(text(`${namespaces}/${names[0]}/ss_-peaonmi`)).toContain(":4711");
    expect(text(`${namespaces}/${names[1]}/proc/net/sockstat`)).toContain("sockets: used");
    expect(text("proc/net/udp")).not.toContain(":1267 ");
    expect(text(`proc/${process.pid}/comm`)).toBe(readFileSync("/proc/self/comm", "utf8"));
    expect(text("sos_commands/process/process_list")).toMatch(new RegExp(`^${process.pid} \\(`, "m"));
    expect(paths.filter((path) => /^sys\/fs\/cgroup\/.*memory\.stat$/.test(path)).length).toBeGreaterThan(0);
    expect(text("sos_commands/filesys/df_-al_-x_autofs")).not.toContain(`${here}/host`);
    const name = existsSync("/etc/hostname") ? readFileSync("/etc/hostname", "utf8").trim() : undefined;
    expect(text("nailhouse-status.json")).not.toContain("not all processes");
    if (name !== undefined && name !== "") expect(parseManifest(text("nailhouse.json")).host.hostname).toBe(name);
  });
});
