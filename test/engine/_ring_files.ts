/** Files as a recorder writes them. */
import { gzipSync } from "fflate";
import { gunzip } from "../../src/bundle/gzip.ts";
import { readTar } from "../../src/bundle/tar.ts";
import { tarHeader } from "../../src/bundle/tar_write.ts";
import type { Unpack } from "../../src/engine/collect.ts";

export const unpack: Unpack = (bytes, broken) =>
  readTar(
    gunzip(
      (async function* () {
        yield await Promise.resolve(bytes);
      })(),
      broken,
    ),
    () => {},
  );

/** One member of a ring file: files of one sample, or of the whole file (`/nailhouse.json`). */
export function member(time: number, files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const parts = Object.entries(files).flatMap(([path, content]) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const header = tarHeader(
      path.startsWith("/") ? `ring${path}` : `ring/history/${new Date(time).toISOString()}/${path}`,
      bytes.length,
      time,
    );
    return [...header, ...bytes, ...new Uint8Array((512 - bytes.length % 512) % 512)];
  });
  return gzipSync(Uint8Array.from(parts));
}

/** A whole file of these. */
export function ringFile(...members: Uint8Array[]): Uint8Array {
  return Uint8Array.from(members.flatMap((each) => [...each]));
}
