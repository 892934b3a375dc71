/** Plug-ins run in a thread of their own: one that does not end is ended with it, and the others judge again without it. */
import { parentPort, Worker, workerData } from "node:worker_threads";
import type { Analyzer } from "../core/analyzer.ts";
import type { Bundle } from "../core/bundle.ts";
import type { Collector } from "../core/collector.ts";
import type { Report } from "../core/report.ts";
import type { Source } from "../core/source.ts";
import { analyze, presetSources } from "../engine/analyze.ts";
import { collectors, preset } from "../preset.ts";
import { UsageError } from "./_command.ts";
import type { Analyst } from "./_analyst.ts";
import { mainModule } from "./_fleet.ts";
import { withPlugins } from "./_plugins.ts";
import { say } from "./_say.ts";

/** The shipped analyzers take milliseconds each, of the largest bundles a second. */
const MAX_SECONDS = 5;
const LOOK_EVERY_MS = 100;

/** A plug-in that ended, or had to be ended. */
interface Ended {
  readonly id: string;
  readonly why: string;
}

interface ThreadData {
  readonly files: readonly string[];
  readonly ended: readonly Ended[];
  readonly shared: SharedArrayBuffer;
}

/** What the thread tells first, and of each bundle. */
type Message =
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "ready"; readonly ids: string[]; readonly patterns: string[]; readonly collectors: Collector[] }
  | { readonly kind: "report"; readonly report: Report };

/** What the thread is at: a place in the list of plug-in analyzers, or one of these. Shared, for a thread in a loop sends no messages. */
const NOT_A_PLUGIN = -1;
const LOADING = -2;

function outOfAction({ id, why }: Ended): Analyzer {
  return {
    id,
    title: id,
    mechanism: "",
    lookAlikes: "",
    references: [],
    needs: {},
    uses: {},
    analyze() {
      throw new Error(why);
    },
  };
}

/** What a thread does that was started for plug-ins. */
export async function servePlugins(): Promise<void> {
  const { files, ended, shared } = workerData as ThreadData;
  const at = new Int32Array(shared);
  const send = (message: Message): void => parentPort?.postMessage(message);
  Atomics.store(at, 0, LOADING);
  try {
    const loaded = await withPlugins(files, { analyzers: preset.analyzers, collectors });
    const analyzers = loaded.analyzers.map((each) => {
      const out = ended.find(({ id }) => id === each.id);
      return out === undefined ? each : outOfAction(out);
    });
    const mine = { ...preset, analyzers };
    const ids = analyzers.slice(preset.analyzers.length).map(({ id }) => id);
    parentPort?.on("message", (bundle: Bundle) => {
      const report = analyze(bundle, mine, (id) => void Atomics.store(at, 0, ids.indexOf(id)));
      Atomics.store(at, 0, NOT_A_PLUGIN);
      send({ kind: "report", report });
    });
    Atomics.store(at, 0, NOT_A_PLUGIN);
    const patterns = presetSources(mine).flatMap((source) => source.patterns);
    send({ kind: "ready", ids, patterns, collectors: loaded.collectors.slice() });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    send({ kind: "refused", message: error.message });
  }
}

/** What became of a question to the thread: its answer, or where it was when it ended. */
type Answer = { readonly message: Message } | { readonly at: number; readonly why: string; readonly cause?: Error };

/** A thread that was started, with what it said of itself. */
interface Thread {
  readonly worker: Worker;
  readonly at: Int32Array;
  /** It has been asked, and has not answered yet. */
  isAsked: boolean;
  hasEnded: boolean;
}

function sayFailedLate({ message }: Error): void {
  say(`nailhouse: a plug-in failed after it had answered: ${message}`);
}

function newThread(data: Omit<ThreadData, "shared">): Thread {
  const shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const at = new Int32Array(shared).fill(LOADING);
  const worker = new Worker(mainModule(), { workerData: { ...data, shared } satisfies ThreadData });
  const thread: Thread = { worker, at, isAsked: true, hasEnded: false };
  worker.on("exit", () => void (thread.hasEnded = true));
  // A timer that a plug-in set, say: nobody can tell whose it was, and the report is there.
  worker.on("error", (error: Error) => {
    if (!thread.isAsked) sayFailedLate(error);
  });
  return thread;
}

function answerOf(thread: Thread): Promise<Answer> {
  const { worker, at } = thread;
  thread.isAsked = true;
  return new Promise((resolve) => {
    let last = { at: Atomics.load(at, 0), since: performance.now() };
    let cause: Error | undefined;
    const ended = (why: string) => done({ at: Atomics.load(at, 0), why, ...(cause && { cause }) });
    // An error may come before the answer that was given before it, but no answer comes after the exit.
    const fail = (error: Error): void => void (cause = error);
    const exit = (): void => ended(cause?.message ?? "it ended the thread that it ran in");
    const message = (message: Message): void => {
      done({ message });
      if (cause !== undefined) sayFailedLate(cause);
    };
    const timer = setInterval(() => {
      const now = Atomics.load(at, 0);
      if (now !== last.at || now === NOT_A_PLUGIN) last = { at: now, since: performance.now() };
      else if (performance.now() - last.since > MAX_SECONDS * 1000) ended(`no answer after ${MAX_SECONDS} seconds`);
    }, LOOK_EVERY_MS);
    worker.on("message", message).on("error", fail).on("exit", exit);
    const done = (answer: Answer): void => {
      clearInterval(timer);
      worker.off("message", message).off("error", fail).off("exit", exit);
      thread.isAsked = false;
      resolve(answer);
    };
  });
}

/** Analyzes with plug-ins. */
export interface PluginThread extends Analyst {
  end(): Promise<void>;
}

/**
 * Starts a thread with plug-ins.
 *
 * @throws {UsageError} If a file cannot be loaded.
 */
export async function startPlugins(files: readonly string[]): Promise<PluginThread> {
  const ended: Ended[] = [];

  const start = async (): Promise<{ thread: Thread; ready: Extract<Message, { kind: "ready" }> }> => {
    const thread = newThread({ files, ended });
    const answer = await answerOf(thread);
    if ("message" in answer && answer.message.kind === "ready") {
      return { thread, ready: answer.message };
    }
    await thread.worker.terminate();
    const why = "why" in answer ? `loading it: ${answer.why}` : (answer.message as { message: string }).message;
    throw new UsageError("why" in answer ? `${files.join(", ")}: ${why}` : why);
  };

  const first = await start();
  let { thread } = first;
  const { ids, patterns } = first.ready;
  // Files are kept here for what is read of them there.
  const all: Source<unknown> = {
    name: "what the plug-ins read",
    patterns,
    read: () => ({ status: "missing", missing: [] }),
  };
  return {
    sources: [all],
    collectors: first.ready.collectors,
    async analyze(bundle: Bundle): Promise<Report> {
      for (let strays = 0;;) {
        if (thread.hasEnded) ({ thread } = await start());
        const answered = answerOf(thread);
        // What files are kept in cannot be passed to another thread.
        thread.worker.postMessage({ ...bundle, files: new Map(bundle.files) });
        const answer = await answered;
        if ("message" in answer) return (answer.message as Extract<Message, { kind: "report" }>).report;
        await thread.worker.terminate();
        const id = ids[answer.at];
        if (id !== undefined) ended.push({ id, why: answer.why });
        // What a plug-in left behind for later may end the thread when it is nobody's turn: once a bundle.
        else if (++strays > 1) {
          throw new Error(`the thread of the plug-ins ended: ${answer.why}`, { cause: answer.cause });
        }
      }
    },
    end: async () => void (await thread.worker.terminate()),
  };
}
