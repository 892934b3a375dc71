/** Analyzes one file in a worker of the page, with all bundles in it: the same code as the command line's. */
import { openArchives, type OpenedBundle } from "../bundle/open.ts";
import { BundleError } from "../core/errors.ts";
import { analyze, presetSources } from "../engine/analyze.ts";
import { preset } from "../preset.ts";
import { renderHtml, renderHtmlParts } from "../render/html.ts";
import { renderJson } from "../render/json.ts";
import type { DoneMessage, WorkerMessage } from "./_messages.ts";

/** Pieces to read: small enough to show progress of, large enough to be fast. */
const PIECE_BYTES = 2 ** 20;

function send(message: WorkerMessage): void {
  self.postMessage(message);
}

async function piece(file: Blob, at: number): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer());
  } catch (error) {
    // Not a defect of nailhouse: it changed or went away after it was chosen, or may not be read.
    throw new BundleError(`Cannot read the bundle: ${(error as DOMException).message}`, { cause: error });
  }
}

async function* pieces(file: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    yield await piece(file, at);
    send({ kind: "progress", readBytes: Math.min(file.size, at + PIECE_BYTES) });
  }
}

function analyzed({ path, bundle }: OpenedBundle): DoneMessage {
  const report = analyze(bundle, preset);
  const { headline, body } = renderHtmlParts(report);
  return { kind: "done", path, headline, json: renderJson(report), html: renderHtml(report), markup: body };
}

async function analyzeAll(file: Blob): Promise<void> {
  const problems: string[] = [];
  const broken = (problem: string): void => void problems.push(problem);
  for await (const opened of openArchives(pieces(file), { sources: presetSources(preset) }, broken)) {
    send(analyzed(opened));
  }
  send({ kind: "ended", problems });
}

self.addEventListener("message", async ({ data }: MessageEvent<Blob>) => {
  try {
    await analyzeAll(data);
  } catch (error) {
    // What is wrong with the input is said to the reader; anything else is a defect, which must not look like an answer.
    const prefix = error instanceof BundleError ? "" : "nailhouse failed: ";
    send({ kind: "failed", message: `${prefix}${error instanceof Error ? error.message : String(error)}` });
  }
});
