/** Analyzes one bundle in a worker of the page: the same code as the command line's. */
import { openArchive } from "../bundle/open.ts";
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

async function* pieces(file: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    yield new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer());
    send({ kind: "progress", readBytes: Math.min(file.size, at + PIECE_BYTES) });
  }
}

async function analyzed(file: Blob): Promise<DoneMessage> {
  const report = analyze(await openArchive(pieces(file), { sources: presetSources(preset) }), preset);
  const { headline, body } = renderHtmlParts(report);
  return { kind: "done", headline, json: renderJson(report), html: renderHtml(report), markup: body };
}

self.addEventListener("message", async ({ data }: MessageEvent<Blob>) => {
  try {
    send(await analyzed(data));
  } catch (error) {
    // What is wrong with the input is said to the reader; anything else is a defect, which must not look like an answer.
    const prefix = error instanceof BundleError ? "" : "nailhouse failed: ";
    send({ kind: "failed", message: `${prefix}${error instanceof Error ? error.message : String(error)}` });
  }
});
