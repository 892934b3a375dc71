/** Files in memory as a bundle: what a program has, and what was collected of this host. */
import type { Entry } from "../core/bundle.ts";

/** Files by their path in the bundle (`proc/meminfo`), such as `memorySink().files`. */
export type BundleFiles = ReadonlyMap<string, string | Uint8Array> | { readonly [path: string]: string | Uint8Array };

const encoder = new TextEncoder();

/**
 * The entries of files in memory, in their order.
 *
 * @throws {TypeError} If a file is neither text nor bytes, such as an element of an array.
 */
export function* fileEntries(files: BundleFiles): Generator<Entry> {
  for (const [path, content] of files instanceof Map ? files : Object.entries(files)) {
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`a file in memory is text or a Uint8Array, by its path, not ${typeof bytes} ("${path}")`);
    }
    yield {
      path,
      kind: "file",
      read: (maxBytes) => Promise.resolve({ bytes: bytes.subarray(0, maxBytes), truncated: bytes.length > maxBytes }),
    };
  }
}
