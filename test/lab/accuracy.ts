/**
 * `npm run accuracy`: holds every fault and every mix of faults.ts, captures each with one snapshot, with several and with Debian's sos, and
 * compares what the reports say with what was held. The table goes into README.md. `npm run accuracy -- NAME...` holds some and prints only.
 *
 * Runs in a PID namespace of its own, as samples.ts does.
 */
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { table } from "table";
import { formatBytes } from "../../src/core/format.ts";
import type { ByteRange, Report } from "../../src/core/report.ts";
import { accusations, causesIn } from "../_expect.ts";
import { chosen, collect, reportOn, sosreport, withFaults, withFolder } from "./capture.ts";
import { type CaptureKind, fault, faults, mixes } from "./faults.ts";
import { markdown, writeReadme } from "./readme.ts";

const KINDS: { readonly [K in CaptureKind]: string } = {
  once: "one snapshot",
  growing: "three snapshots in two seconds",
  sos: "sosreport",
};
const kinds = Object.keys(KINDS) as CaptureKind[];
/** What is claimed may be off by this much of what is held. */
const TOLERANCE = 0.15;

/** One cause that is really at work; bytes are undefined where it holds none. */
interface Truth {
  readonly cause: string;
  readonly bytes: number | undefined;
}

/** What was held (nothing on a healthy host) when a report's bundle was captured. */
interface Outcome {
  readonly truths: readonly Truth[];
  readonly report: Report;
}

interface Row {
  readonly name: string;
  readonly outcomes: { readonly [K in CaptureKind]: Outcome };
}

async function measure(name: string, names: readonly string[], causes: readonly string[]): Promise<Row> {
  return await withFolder((folder) =>
    withFaults(names, async (held) => {
      const outcome = async (capture: (path: string) => Promise<void>): Promise<Outcome> => {
        const path = join(folder, "bundle");
        const before = held.map(({ heldBytes }) => heldBytes);
        await capture(path);
        const truths = causes.map((cause) => {
          const index = names.findIndex((each) => fault(each).expect.cause === cause);
          const { accounts, taken } = fault(names[index] as string).expect;
          return { cause, bytes: accounts.length === 0 ? undefined : (before[index] as number) * (taken ?? 1) };
        });
        return { truths, report: await reportOn(path) };
      };
      return {
        name,
        outcomes: {
          once: await outcome((path) => collect(path, 1, 1)),
          growing: await outcome((path) => collect(path, 3, 1)),
          sos: await outcome(sosreport),
        },
      };
    })
  );
}

/** Whether the causes at work are the report's first, in order. */
function namedFirst({ truths, report }: Outcome): boolean {
  const named = causesIn(report);
  return truths.every(({ cause }, i) => named[i]?.cause === cause);
}

function claimedOf(report: Report, cause: string): ByteRange | undefined {
  return report.findings.find((finding) => finding.cause === cause)?.bytes;
}

/** Whether all that is claimed is near to what is held. */
function withinTolerance({ truths, report }: Outcome): boolean {
  return truths.every(({ cause, bytes }) => {
    const claimed = claimedOf(report, cause);
    if (bytes === undefined || claimed === undefined) return claimed !== undefined;
    return claimed.low >= (1 - TOLERANCE) * bytes && claimed.high <= (1 + TOLERANCE) * bytes;
  });
}

/** "0.98", or "0.50 to 1.02". */
function ratio({ low, high }: ByteRange, held: number): string {
  const [least, most] = [(low / held).toFixed(2), (high / held).toFixed(2)];
  return least === most ? most : `${least} to ${most}`;
}

function foundPart({ cause, bytes }: Truth, { findings }: Report): string {
  const finding = findings.find((finding) => finding.cause === cause);
  if (finding === undefined) return `not ${cause}`;
  const size = bytes === undefined ? "" : `, ${formatBytes(finding.bytes.high)} (${ratio(finding.bytes, bytes)})`;
  return `${finding.confidence}${size}`;
}

/** What a report says of what was held: who is named first, how sure, the bytes claimed and their ratio to those held. */
function answer(outcome: Outcome): string {
  const { truths, report } = outcome;
  const first = causesIn(report)[0];
  const accused = accusations(report).filter(({ cause }) => truths.every((truth) => truth.cause !== cause));
  const verdict = truths.length === 0 ? "healthy" : "cause-found";
  return [
    ...(truths.length === 0 || namedFirst(outcome) ? [] : [`NAMES ${first?.cause ?? "NOTHING"} first`]),
    ...truths.map((truth) => foundPart(truth, report)),
    ...accused.map(({ cause, confidence }) => `ACCUSES ${cause} (${confidence})`),
    ...(truths.length === 0 || report.verdict !== verdict ? [report.verdict] : []),
  ].join("; ");
}

function count(rows: readonly Row[], kind: CaptureKind, right: (outcome: Outcome) => boolean): string {
  return `${rows.filter(({ outcomes }) => right(outcomes[kind])).length} of ${rows.length}`;
}

const HEAD = ["held", "cause", "bytes held", ...kinds.map((kind) => KINDS[kind])];

function cells({ name, outcomes }: Row): string[] {
  const { truths } = outcomes.once;
  const bytes = truths.map((truth) => truth.bytes === undefined ? "-" : formatBytes(truth.bytes));
  const causes = truths.length === 0 ? "healthy" : truths.map(({ cause }) => cause).join(", ");
  return [name, causes, bytes.join(", "), ...kinds.map((kind) => answer(outcomes[kind]))];
}

/** One line for each question, one column for each kind of capture. */
function summary(rows: readonly Row[]): string[][] {
  const healthy = rows.filter(({ outcomes }) => outcomes.once.truths.length === 0);
  const faulty = rows.filter((row) => !healthy.includes(row));
  const sized = faulty.filter(({ outcomes }) => outcomes.once.truths.some(({ bytes }) => bytes !== undefined));
  const line = (title: string, among: readonly Row[], right: (outcome: Outcome) => boolean): string[] => [
    title,
    ...kinds.map((kind) => count(among, kind, right)),
  ];
  return [
    line("named first", faulty, namedFirst),
    line("named first, as likely or confirmed", faulty, (outcome) =>
      namedFirst(outcome) &&
      causesIn(outcome.report).slice(0, outcome.truths.length).every(({ confidence }) => confidence !== "possible")),
    line(`bytes claimed within ${100 * TOLERANCE} %`, sized, withinTolerance),
    line(
      "somebody accused who holds nothing",
      faulty,
      ({ truths, report }) => accusations(report).some(({ cause }) => truths.every((truth) => truth.cause !== cause)),
    ),
    line("healthy host accused", healthy, ({ report }) => accusations(report).length > 0),
  ];
}

/** What goes into README.md. */
function paragraphs(rows: readonly Row[]): string[] {
  const host = `Linux ${release()}, ${cpus().length} CPUs, ${formatBytes(totalmem())}`;
  return [
    `Measured on ${host}, ${new Date().toISOString().slice(0, 10)}.`,
    markdown(["", ...kinds.map((kind) => KINDS[kind])], summary(rows)),
    markdown(HEAD, rows.map(cells)),
  ];
}

const every = [
  ...faults.map(({ name, expect: { cause } }) => ({
    name,
    faults: [name],
    causes: cause === "healthy" ? [] : [cause],
  })),
  ...mixes,
];
const some = chosen(every);
const rows: Row[] = [];
for (const { name, faults, causes } of some) {
  try {
    const row = await measure(name, faults, causes);
    rows.push(row);
    console.error(cells(row).join(" | "));
  } catch (error) {
    // The others are worth knowing; the table is not complete without this one.
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
console.log(table([HEAD, ...rows.map(cells)], { columnDefault: { width: 26, wrapWord: true } }));
console.log(table([["", ...kinds.map((kind) => KINDS[kind])], ...summary(rows)]));
if (some.length === every.length && rows.length === every.length) await writeReadme("accuracy", paragraphs(rows));
