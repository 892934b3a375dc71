/** Files that only their owner may read. */
import * as fs from "node:fs";
import type { Mapping } from "../bundle/redact.ts";

/** Opens a file for writing, empty, and readable by nobody else even if it was before. */
export function openPrivate(path: string): number {
  const fd = fs.openSync(path, "w", 0o600);
  if (fs.fstatSync(fd).isFile()) fs.fchmodSync(fd, 0o600);
  return fd;
}

/** Where it is written what the pseudonyms of a bundle stand for. Opened first: without it the bundle is not begun. */
export function openMapping(bundle: string): { readonly path: string; readonly write: (mapping: Mapping) => void } {
  const path = `${bundle}.map.json`;
  const fd = openPrivate(path);
  return {
    path,
    write(mapping) {
      fs.writeFileSync(fd, `${JSON.stringify(mapping, undefined, 2)}\n`);
      fs.closeSync(fd);
    },
  };
}
