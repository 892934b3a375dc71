/** A host with so many processes of forty programs. */
import type { Made } from "./_archive.ts";
import { firstSnapshot, inPieces, readSample, scatter, textOf } from "./_sample.ts";

const PROGRAMS = 40;
const FIRST_PID = 10_000;
const LARGEST = 64;
const PAGE_KB = 4;

interface Process {
  readonly pid: number;
  readonly comm: string;
  readonly anonKb: number;
  readonly fileKb: number;
}

/** Few programs have most of the processes, as everywhere. */
function processAt(index: number): Process {
  const program = Math.floor(PROGRAMS * (scatter(index, 1000) / 1000) ** 2);
  return {
    pid: FIRST_PID + index,
    comm: `service_${program}`,
    anonKb: 64 + scatter(index * 7 + program, 400),
    fileKb: 128 + scatter(index * 11, 64) * PAGE_KB,
  };
}

/** A status with another process's numbers: one line of a name after the other, as wide as the kernel prints them. */
function statusLines(template: string): (process: Process) => string {
  const lines = template.split("\n");
  return ({ pid, comm, anonKb, fileKb }) => {
    const kb = (value: number) => `${String(value).padStart(8)} kB`;
    return lines.map((line) => {
      switch (line.slice(0, line.indexOf(":"))) {
        case "Name":
          return `Name:\t${comm}`;
        case "Tgid":
        case "Pid":
        case "NStgid":
        case "NSpid":
        case "NSpgid":
          return `${line.slice(0, line.indexOf(":"))}:\t${pid}`;
        case "PPid":
          return "PPid:\t1";
        case "VmHWM":
        case "VmRSS":
          return `${line.slice(0, 5)}:\t${kb(anonKb + fileKb)}`;
        case "RssAnon":
          return `RssAnon:\t${kb(anonKb)}`;
        case "RssFile":
          return `RssFile:\t${kb(fileKb)}`;
        default:
          return line;
      }
    }).join("\n");
  };
}

/** The entries of a bundle with `count` processes, in the collector's order, scaled from samples/busy.tgz. */
export async function* processes(count: number): AsyncGenerator<Made> {
  const sample = await readSample("busy.tgz");
  const entries = firstSnapshot(sample);
  const [pid] = [...sample.keys()].flatMap((path) => /^proc\/(\d+)\/comm$/.exec(path)?.[1] ?? [])
    .filter((each) => textOf(sample, `proc/${each}/comm`) === "busy_memory\n");
  const own = (file: string): string => textOf(sample, `proc/${pid}/${file}`);
  const status = statusLines(own("status"));
  const statRest = own("stat").replace(/^\d+ \(.*\) (\S+) \d+ \d+/, "$1 1 ");
  const [smaps, cgroup] = [own("smaps_rollup"), own("cgroup")];

  let anonKb = 0;
  for (let index = 0; index < count; index++) anonKb += processAt(index).anonKb;
  const raise = (text: string, names: readonly string[]): string =>
    text.replace(
      /^(\S+): +(\d+) kB$/gm,
      (line, name: string, kb: string) =>
        names.includes(name) ? `${`${name}:`.padEnd(16)}${String(Number(kb) + anonKb).padStart(8)} kB` : line,
    );
  const meminfo = raise(textOf(sample, "proc/meminfo"), ["MemTotal", "AnonPages", "Inactive", "Inactive(anon)"]);
  entries.set("proc/meminfo", { path: "proc/meminfo", content: meminfo });
  const list = "sos_commands/process/process_list";
  entries.set(list, {
    path: list,
    content: () =>
      inPieces(count, (index) => {
        const process = processAt(index);
        return `${process.pid} (${process.comm}) S 1 1\n`;
      }),
  });
  const isProcess = ([path]: readonly [string, Made]) => /^proc\/\d/.test(path);
  const before = [...entries].findIndex(isProcess);
  const all = [...entries];
  yield* all.slice(0, before).map(([, entry]) => entry);
  for (let index = 0; index < count; index++) {
    const process = processAt(index);
    yield { path: `proc/${process.pid}/status`, content: status(process) };
  }
  for (let index = 0; index < count; index++) {
    const { pid, comm } = processAt(index);
    yield { path: `proc/${pid}/stat`, content: `${pid} (${comm}) ${statRest}` };
    yield { path: `proc/${pid}/comm`, content: `${comm}\n` };
    yield { path: `proc/${pid}/oom_score`, content: `${660 + scatter(pid, 9)}\n` };
    yield { path: `proc/${pid}/oom_score_adj`, content: "0\n" };
  }
  for (let index = 0; index < count; index++) {
    const { pid, comm } = processAt(index);
    const cmdline = `/usr/sbin/${comm}\0--config\0/etc/${comm}/worker-${index}.conf\0`;
    yield { path: `proc/${pid}/cmdline`, content: cmdline };
    yield { path: `proc/${pid}/cgroup`, content: cgroup };
  }
  for (let index = 0; index < Math.min(count, LARGEST); index++) {
    yield { path: `proc/${FIRST_PID + index}/smaps_rollup`, content: smaps };
  }
  yield* all.slice(before).filter((each) => !isProcess(each)).map(([, entry]) => entry);
}
