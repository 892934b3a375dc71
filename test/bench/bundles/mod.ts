/** Bundles as large as nobody's samples are: real captures, scaled, made when they are asked for. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Made, writeArchive } from "./_archive.ts";
import { history } from "./history.ts";
import { processes } from "./processes.ts";
import { slabs } from "./slabs.ts";
import { sockets } from "./sockets.ts";
import { sosreport } from "./sosreport.ts";

/** A kind of bundle that can be made in any size. */
export interface Kind {
  readonly entries: (size: number) => AsyncGenerator<Made>;
  /** What the size counts. */
  readonly unit: string;
  readonly largest: number;
  /** Analyzed in tenths of a second: measured so many times as often as others. */
  readonly often?: number;
  /** The one root directory. */
  readonly root: string;
}

const NAILHOUSE = "nailhouse-vm-20261123T081342Z";

export const kinds: { readonly [kind: string]: Kind } = {
  sockets: { entries: sockets, unit: "sockets", largest: 1_000_000, root: NAILHOUSE },
  processes: { entries: processes, unit: "processes", largest: 50_000, root: NAILHOUSE },
  slabs: { entries: slabs, unit: "slab caches and vmalloc areas", largest: 20_000, often: 5, root: NAILHOUSE },
  history: { entries: history, unit: "snapshots", largest: 10_000, root: NAILHOUSE },
  sosreport: { entries: sosreport, unit: "MB of sosreport", largest: 2_048, root: "sosreport-vm-2026-11-23-kiurawu" },
};

/** Writes a bundle of a kind: its size counts what the kind says. */
export async function generate(kind: string, size: number, path: string): Promise<void> {
  const { entries, root } = kinds[kind] as Kind;
  await writeArchive(path, root, entries(size));
}

const here = fileURLToPath(new URL(".", import.meta.url));

/** Tells bundles that other versions of these files made apart. */
function version(): string {
  const hash = createHash("sha256");
  for (const file of readdirSync(here).sort()) hash.update(readFileSync(`${here}/${file}`));
  return hash.digest("hex").slice(0, 8);
}

/** The path of a bundle in out/bench/, where it is made unless it is there. */
export async function cached(kind: string, size: number, ending: "tgz" | "tar.xz" = "tgz"): Promise<string> {
  const path = fileURLToPath(new URL(`../../../out/bench/${kind}-${size}-${version()}.${ending}`, import.meta.url));
  if (!existsSync(path)) {
    console.error(`making ${path}`);
    await generate(kind, size, path);
  }
  return path;
}
