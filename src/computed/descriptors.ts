/** Who has how many descriptors of which kind. */
import type { SourceLine } from "../core/ledger.ts";
import { type Captured, type Parsed, type Reader, readUses, type Source } from "../core/source.ts";
import { type DescriptorCount, descriptorCounts } from "../parsers/descriptor_counts.ts";
import { type DescriptorInfo, type DescriptorSample, descriptorSamples } from "../parsers/descriptor_samples.ts";
import { lsof, type LsofProcess } from "../parsers/lsof.ts";
import { processStatus } from "../parsers/process_status.ts";
import type { Measurement } from "./trend.ts";

/** The descriptors of one process. */
export interface Descriptors {
  readonly pid: number;
  readonly comm: string;
  readonly count: number;
  /** By kind; from a sample where not all were looked at. Empty when none was. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Where the number stands: the count, or the first descriptor of the list. */
  readonly source: SourceLine;
  /** A descriptor of each kind. */
  readonly examples: ReadonlyMap<string, SourceLine>;
}

/** What fdinfo tells, with the number of such descriptors that each one looked at stands for. */
export interface DescriptorDetail extends DescriptorInfo, SourceLine {
  readonly comm: string;
  readonly weight: number;
}

/** All processes whose descriptors are known, and the details of some. */
export interface DescriptorTable {
  /** Those with the most descriptors first. */
  readonly processes: readonly Descriptors[];
  readonly details: readonly DescriptorDetail[];
  /** How many each process had in each snapshot, by pid. */
  readonly series: ReadonlyMap<number, readonly Measurement[]>;
}

interface Sample {
  readonly kinds: Map<string, number>;
  readonly examples: Map<string, SourceLine>;
  readonly fds: number[];
  total: number;
}

/** The collector looks at this many of a process's descriptors, evenly spread: at every STEP-th slot of the table. */
const LOOKED_AT = 200;

/**
 * Before Linux 6.2 nothing counts them. The lowest free slot is taken first, so that tables have no large holes: what was found, times the distance of the slots
 * that were looked at. Where others were looked at, only those that were seen are known.
 */
function estimate({ fds, total }: Sample, slots: number | undefined): number {
  if (slots === undefined || slots <= LOOKED_AT) return total;
  const step = Math.floor(slots / LOOKED_AT) + 1;
  return fds.every((fd) => fd % step === 0) ? total * step : total;
}

function sampleByPid(path: string, samples: readonly DescriptorSample[]): Map<number, Sample> {
  const byPid = new Map<number, Sample>();
  for (const { pid, fd, kind, line } of samples) {
    let sample = byPid.get(pid);
    if (sample === undefined) byPid.set(pid, sample = { kinds: new Map(), examples: new Map(), fds: [], total: 0 });
    sample.fds.push(fd);
    sample.kinds.set(kind, (sample.kinds.get(kind) ?? 0) + 1);
    if (!sample.examples.has(kind)) sample.examples.set(kind, { path, line });
    sample.total++;
  }
  return byPid;
}

/** A sample that has this part of all descriptors left out only those that could not be looked at. */
const NEARLY_ALL = 0.9;

/** Scales a sample up to all descriptors. */
function scaled(sample: Sample, count: number): Map<string, number> {
  if (sample.total >= NEARLY_ALL * count) return sample.kinds;
  return new Map([...sample.kinds].map(([kind, seen]) => [kind, Math.round((seen / sample.total) * count)]));
}

function details(
  table: ReadonlyMap<number, Descriptors>,
  path: string,
  infos: readonly DescriptorInfo[],
): DescriptorDetail[] {
  const kindOf = ({ inotifyMarks, fanotifyMarks }: DescriptorInfo): string =>
    inotifyMarks !== undefined ? "inotify" : fanotifyMarks !== undefined ? "fanotify" : "io_uring";
  const seen = new Map<string, number>();
  for (const info of infos) {
    const key = `${info.pid} ${kindOf(info)}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return infos.map((info) => {
    const owner = table.get(info.pid);
    const looked = seen.get(`${info.pid} ${kindOf(info)}`) as number;
    return {
      ...info,
      path,
      comm: owner?.comm ?? `pid ${info.pid}`,
      weight: Math.max(1, (owner?.kinds.get(kindOf(info)) ?? 0) / looked),
    };
  });
}

function countSeries(reader: Reader): Map<number, Measurement[]> {
  const series = new Map<number, Measurement[]>();
  for (const snapshot of reader.timeline) {
    const counts: Captured<Parsed<readonly DescriptorCount[]>> = snapshot.read(descriptorCounts);
    if (counts.status !== "ok" || snapshot.time === undefined) continue;
    for (const { pid, count } of counts.value.value) {
      const known = series.get(pid);
      if (known === undefined) series.set(pid, [{ time: snapshot.time, bytes: count }]);
      else known.push({ time: snapshot.time, bytes: count });
    }
  }
  return series;
}

function ofList(
  { path, value }: Parsed<readonly LsofProcess[]>,
  comms: ReadonlyMap<number, string | undefined>,
): Descriptors[] {
  return value.map(({ pid, comm, count, kinds }) => ({
    pid,
    comm: comms.get(pid) ?? comm,
    count,
    kinds: new Map([...kinds].map(([kind, each]) => [kind, each.count])),
    source: { path, line: Math.min(...[...kinds.values()].map(({ line }) => line)) },
    examples: new Map([...kinds].map(([kind, { line }]) => [kind, { path, line }])),
  }));
}

/** How many each process has: as the kernel counts them, or else as the sample tells. */
function countsOf(
  counts: Parsed<readonly DescriptorCount[]> | undefined,
  sampled: ReadonlyMap<number, Sample>,
  slots: ReadonlyMap<number, number | undefined>,
): Pick<Descriptors, "pid" | "count" | "source">[] {
  const counted = counts?.value.map(({ pid, count, line }) => ({ pid, count, source: { path: counts.path, line } })) ??
    [];
  const numbered = new Set(counted.map(({ pid }) => pid));
  return [
    ...counted,
    ...[...sampled].filter(([pid]) => !numbered.has(pid)).map(([pid, sample]) => ({
      pid,
      count: estimate(sample, slots.get(pid)),
      source: [...sample.examples.values()][0] as SourceLine,
    })),
  ];
}

function read(reader: Reader): Captured<DescriptorTable> {
  const { counts, samples, list, statuses } = readUses({
    counts: descriptorCounts,
    samples: descriptorSamples,
    list: lsof,
    statuses: processStatus,
  }, reader);
  const comms = new Map(statuses?.map(({ pid, value }) => [pid, value.name]));
  const slots = new Map(statuses?.map(({ pid, value }) => [pid, value.fdSize]));
  const table = new Map((list === undefined ? [] : ofList(list, comms)).map((each) => [each.pid, each]));
  const sampled = samples === undefined ? new Map<number, Sample>() : sampleByPid(samples.path, samples.value.samples);
  for (const { pid, count, source } of countsOf(counts, sampled, slots)) {
    const sample = sampled.get(pid);
    if (sample === undefined && table.has(pid)) continue;
    table.set(pid, {
      pid,
      comm: comms.get(pid) ?? `pid ${pid}`,
      count,
      kinds: sample === undefined ? new Map() : scaled(sample, count),
      source,
      examples: sample?.examples ?? new Map(),
    });
  }
  if (table.size === 0) {
    return {
      status: "missing",
      missing: [{
        path: descriptorCounts.patterns[0] as string,
        howToCapture: "stat -c '%s %n' /proc/[0-9]*/fd; ls -l /proc/[0-9]*/fd",
      }],
    };
  }
  return {
    status: "ok",
    value: {
      processes: [...table.values()].sort((a, b) => b.count - a.count || a.pid - b.pid),
      details: samples === undefined ? [] : details(table, samples.path, samples.value.infos),
      series: countSeries(reader),
    },
  };
}

/** From the collector's own counts and samples; of a sosreport from lsof. */
export const descriptors: Source<DescriptorTable> = {
  name: "descriptors",
  patterns: [descriptorCounts, descriptorSamples, lsof, processStatus].flatMap(({ patterns }) => patterns),
  read,
};
