/**
 * Records: looks at the few small files that tell a trend, again and again, for days. Whoever collects a bundle later packs what was recorded
 * into it.
 */
import type { Capture, Collector } from "../core/collector.ts";
import type { Host, Sink } from "../core/host.ts";
import { Run, Stopped } from "./_run.ts";
import { SocketRows } from "./_socket_rows.ts";
import { runCapture } from "./collect.ts";

export interface RecordOptions {
  /** From the start of one sample to the start of the next. */
  readonly everySeconds?: number;
  /** Ends recording. A sample that is being taken is not kept. */
  readonly signal?: AbortSignal;
}

/** A minute shows what an incident does, and costs a host nothing. */
export const recordDefaults: { readonly everySeconds: number; readonly keepDays: number; readonly maxBytes: number } = {
  everySeconds: 60,
  // A weekend and the days before it.
  keepDays: 7,
  // About 20 MB a day on an ordinary host.
  maxBytes: 256 * 2 ** 20,
};

/** What became of a sample; `problems` are said once, not in every sample. */
export interface RecordedSample {
  readonly time: number;
  readonly files: number;
  readonly bytes: number;
  readonly problems: readonly string[];
}

/** Of one sample, before compression: a hundred times what an ordinary host has. */
const MAX_SAMPLE_BYTES = 16 * 2 ** 20;
/** A table of ten thousand sockets. What is longer is cut, so that the recorder stays small. */
const MAX_TABLE_BYTES = 2 ** 20;
/** Each namespace is some fifteen files. */
const MAX_NAMESPACES = 64;
/** A sample that takes longer than this is ended, and what came until then is kept. */
const SAMPLE_TIMEOUT_SECONDS = 30;

/** A capture as the recorder carries it out; undefined when it does not. */
function recorded(capture: Capture): Capture | undefined {
  if (!("recorded" in capture) || capture.recorded === undefined) return undefined;
  switch (capture.kind) {
    case "process":
      return { ...capture, changing: capture.recorded };
    case "netns":
      return { ...capture, maxNamespaces: MAX_NAMESPACES, maxBytes: MAX_TABLE_BYTES };
    default:
      return capture;
  }
}

/** What of the collectors is recorded, in the order in which they run. */
export function recordedCollectors(collectors: readonly Collector[]): Collector[] {
  return collectors
    .map((each) => ({ ...each, captures: each.captures.map(recorded).filter((capture) => capture !== undefined) }))
    .filter(({ captures }) => captures.length > 0)
    .sort((a, b) => a.priority - b.priority);
}

/**
 * Records until the signal is given.
 *
 * @param collectors From {@linkcode recordedCollectors}.
 * @param sink Takes the files of each sample below `history/<ISO time>/`; a flush ends the sample.
 */
export async function record(
  host: Host,
  collectors: readonly Collector[],
  sink: Sink,
  { everySeconds = recordDefaults.everySeconds, signal }: RecordOptions = {},
  onSample: (sample: RecordedSample) => void = () => {},
): Promise<void> {
  const tables = new SocketRows();
  const known = new Set<string>();
  const cutting: Sink = {
    file: (path, bytes, mtimeMs) => sink.file(path, tables.cut(path, bytes), mtimeMs),
    flush: () => sink.flush(),
  };
  const ended = () => signal?.aborted === true;
  for (let due = host.now(); !ended();) {
    const time = host.now();
    const run = new Run(host, cutting, {
      timeoutSeconds: SAMPLE_TIMEOUT_SECONDS,
      maxBytes: MAX_SAMPLE_BYTES,
      signal,
    }, undefined);
    run.startSnapshot(`history/${new Date(time).toISOString()}/`);
    const stopped = await takeSample(run, collectors);
    if (ended()) return;
    await run.flush();
    const problems = [...(stopped === undefined ? [] : [stopped]), ...problemsOf(run)].filter((text) =>
      !known.has(text)
    );
    for (const text of problems) known.add(text);
    onSample({ time, ...run.captured, problems });
    // After a suspension, or a host that stood still, nothing is made up for.
    due = Math.max(due + everySeconds * 1000, host.now());
    await host.sleep(due - host.now(), signal);
  }
}

/** Why the sample ends too early; undefined when it does not. */
async function takeSample(run: Run, collectors: readonly Collector[]): Promise<string | undefined> {
  try {
    for (const { id, captures } of collectors) {
      await run.as(id, async () => {
        for (const capture of captures) {
          run.checkpoint();
          await runCapture(run, capture);
        }
      });
    }
    return undefined;
  } catch (error) {
    if (error instanceof Stopped) return error.message;
    throw error;
  }
}

function problemsOf(run: Run): string[] {
  return run.statuses().flatMap(({ problems }) => problems.map(({ path, reason }) => `${path}: ${reason}`));
}
