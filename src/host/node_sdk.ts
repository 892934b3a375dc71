/**
 * nailhouse as a library on Node, Deno and Bun: what the browser has, and bundles by path.
 *
 * @example
 * ```ts
 * import { analyze, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const report = analyze(await openBundle("samples/friend-push.tgz"));
 * equal(report.findings[0]?.cause, "socket-backlog-udp");
 * ```
 *
 * @module
 */
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BundleError } from "../core/errors.ts";
import {
  type BundleInput,
  openBundle as openPortable,
  type OpenBundleOptions,
  openChunks,
  openFiles,
  type PresetBundle,
  type RuntimeOptions,
} from "../sdk.ts";
import { clock, directoryEntries, fileChunks, isReadable, nodeGunzip } from "./node_input.ts";

export * from "../mod.ts";

const runtime: RuntimeOptions = { clock, decompress: nodeGunzip };

/**
 * Opens one bundle, whatever it comes as, also by the path of an archive or a directory.
 *
 * @example
 * ```ts
 * import { analyze, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const bundle = await openBundle("samples/friend-push.tgz", { limits: { maxSeconds: 60 } });
 * equal(analyze(bundle).findings[0]?.cause, "socket-backlog-udp");
 * ```
 *
 * @throws {BundleError} If it cannot be read, or holds several bundles (see `openArchives`); a `LimitError` if it is larger than it may be.
 * @throws {PluginError} If a plug-in is none.
 * @throws {TypeError} If `input` is nothing that a bundle is opened from; a `RangeError` if a limit is none.
 */
export async function openBundle(input: BundleInput, options: OpenBundleOptions = {}): Promise<PresetBundle> {
  if (typeof input !== "string" && !(input instanceof URL)) return await openPortable(input, options);
  const path = typeof input === "string" ? input : fileURLToPath(input);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError(`Cannot read the bundle: there is no file or directory "${path}"`);
  if (stat.isDirectory()) {
    const warnings: string[] = [];
    const entries = directoryEntries(path, (message) => void warnings.push(message));
    return await openFiles(entries, options, runtime, warnings);
  }
  if (!isReadable(stat)) {
    throw new BundleError(`Cannot read the bundle: "${path}" is neither a file, a pipe nor a directory`);
  }
  return await openChunks(fileChunks(path), options, runtime);
}
