import process from "node:process";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { tarSink } from "../bundle/tar_write.ts";
import type { Sink } from "../core/host.ts";
import { manifestOf, writeJson } from "../engine/collect.ts";
import { record, recordDefaults, recordedCollectors, type RecordedSample } from "../engine/record.ts";
import { nodeHost } from "../host/node.ts";
import { openRing, type Ring } from "../host/node_ring.ts";
import { collectors } from "../preset_collectors.ts";
import { type Command, UsageError } from "./_command.ts";
import { checkRoot, endDespiteStuckReads, positive, yieldToTheHost } from "./_live_host.ts";
import { say } from "./_say.ts";

const help = `nailhouse record --dir DIR [--every SEC] [--keep DAYS] [--max-size MB] [--root DIR] [--quiet]

Looks at memory, slab caches, sockets and the largest processes again and again, and keeps it in a folder of compressed files,
until it is ended (SIGTERM, Ctrl-C). "nailhouse collect" packs it into its bundle. One recorder a folder.

  --dir           the folder; "nailhouse collect" looks into /var/lib/nailhouse/ring without being told
  --every         seconds from one look to the next (default ${recordDefaults.everySeconds})
  --keep          days after which a file is deleted (default ${recordDefaults.keepDays})
  --max-size      MB that all files together never exceed: the oldest are deleted (default ${
  recordDefaults.maxBytes / 2 ** 20
})
  --root          where the host's root directory is mounted, if this runs in a container
  --quiet         print nothing but errors

With Deno: -A, because it lets no program into /proc without.

  nailhouse record --dir /var/lib/nailhouse/ring &
  nailhouse collect --history /var/lib/nailhouse/ring
`;

const options = {
  dir: { type: "string" },
  every: { type: "string" },
  keep: { type: "string" },
  "max-size": { type: "string" },
  root: { type: "string", default: "/" },
  quiet: { type: "boolean", default: false },
} as const;

/** The root directory of the archives in a ring; readers take it off. */
const ROOT = "nailhouse-ring";

/** A whole tar archive but for its end, in memory. */
async function tarBytes(write: (sink: Sink) => Promise<void>): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  const sink = tarSink(ROOT, {
    write: (bytes) => Promise.resolve(void parts.push(bytes)),
    flush: () => Promise.resolve(),
  });
  await write(sink);
  await sink.flush();
  return parts;
}

/** Samples that cannot be written are lost, and recording goes on: a full disk is emptied some day. */
function lossy(ring: Ring): Sink {
  const tar = tarSink(ROOT, ring);
  let told = "";
  return {
    file: (path, bytes, mtimeMs) => tar.file(path, bytes, mtimeMs),
    async flush() {
      try {
        await tar.flush();
        told = "";
      } catch (error) {
        if (!(error instanceof Error && "syscall" in error)) throw error;
        if (error.message !== told) say(`nailhouse: Cannot keep a sample: ${error.message}`);
        told = error.message;
      }
    },
  };
}

function show({ files, bytes, problems }: RecordedSample, first: boolean, quiet: boolean): void {
  if (quiet) return;
  for (const problem of problems) say(`not recorded: ${problem}`);
  if (first) say(`recording: ${files} files, ${(bytes / 1024).toFixed(0)} KiB a sample before compression`);
}

/**
 * Keeps the runtime small. Compiled code saves no time in twenty milliseconds a minute, and takes 10 MB.
 *
 * @returns Ends a sample: its garbage would stay until there is five times as much.
 */
function smallHeap(): () => void {
  for (const flag of ["--no-opt", "--no-sparkplug", "--max-semi-space-size=1", "--expose-gc"]) setFlagsFromString(flag);
  // A context that is made from now on has it, in runtimes that have V8.
  return runInNewContext("typeof gc === 'function' ? gc : () => {}") as () => void;
}

/** Carries out `nailhouse record`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options });
  const { dir, root, quiet } = values;
  if (dir === undefined) throw new UsageError("record needs --dir DIR: the folder to keep the samples in");
  const everySeconds = positive("--every", values.every, false) ?? recordDefaults.everySeconds;
  const keepDays = positive("--keep", values.keep, false) ?? recordDefaults.keepDays;
  const maxMegabytes = positive("--max-size", values["max-size"], false) ?? recordDefaults.maxBytes / 2 ** 20;
  checkRoot(root);
  const host = await nodeHost({ root });
  await yieldToTheHost(host);
  const collectGarbage = smallHeap();
  const chosen = recordedCollectors(collectors);
  const head = async (): Promise<Uint8Array[]> =>
    await tarBytes((sink) => writeJson(host, sink, "nailhouse.json", manifestOf(host, chosen, 1, everySeconds)));
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  try {
    const ring = await openRing(dir, {
      maxBytes: maxMegabytes * 2 ** 20,
      keepMs: keepDays * 86_400_000,
      now: host.now,
      head,
    });
    let first = true;
    try {
      await record(host, chosen, lossy(ring), { everySeconds, signal: interruption.signal }, (sample) => {
        show(sample, first, quiet);
        first = false;
        collectGarbage();
      });
    } finally {
      await ring.close();
    }
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    say(`nailhouse: Cannot record into ${dir}: ${error.message}`);
    return 2;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
  }
  await endDespiteStuckReads(host, "the ring is complete without them");
  return 0;
}

export const recordCommand: Command = {
  run,
  help,
  options,
  optionWords: { dir: "paths", root: "paths" },
  words: [],
};
