/** What of an archive's entries is kept, and as which file of a bundle: of bundles, sosreports and files that somebody saved. */
import { belowSnapshot, snapshotOf } from "./_history.ts";
import type { Kept } from "./_kept.ts";
import { LooseFiles } from "./_loose_files.ts";
import { batchesOf, type Entries, isTopFolder, type PlacedEntry, Places } from "./_places.ts";
import { RecurringPaths } from "./_recurring.ts";
import type { Budget } from "./limits.ts";

/** What takes a bundle's files, and tells which it has. */
export interface Keeper extends Pick<Kept, "addLink" | "addFile" | "end"> {
  readonly files: Pick<ReadonlyMap<string, unknown>, "has" | "size">;
  /** Told of a file of which nothing is used. */
  passOver?(): void;
}

/** What may be kept. */
export interface Keeping {
  readonly budget: Budget;
  readonly wanted: (path: string) => boolean;
}

/** A name that an archive has, which may be of a bundle. */
const ARCHIVE = /\.(?:zip|tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)$/;

/** Whether an entry may be a bundle itself, as in what `sos collect` makes: archives that a host's own files have are none. */
function isInner({ path, entry }: PlacedEntry): boolean {
  return entry.chunks !== undefined && ARCHIVE.test(path) && !isTopFolder(path.split("/", 1)[0] as string);
}

/**
 * Puts an entry where it belongs: a promise when it must be read first.
 *
 * @param recurring Told of what has its place by its path in the archive.
 */
function keep(
  placed: PlacedEntry,
  wanted: (path: string) => boolean,
  kept: Keeper,
  recurring?: RecurringPaths,
): Promise<void> | undefined | void {
  const { path, entry } = placed;
  if (entry.kind === "link") return kept.addLink(path, entry.linkTarget ?? "");
  if (entry.kind !== "file") return undefined;
  const snapshot = snapshotOf(path);
  const below = belowSnapshot(path, snapshot);
  const isWanted = wanted(below);
  if (snapshot !== undefined) recurring?.add(placed, snapshot, { below, isWanted });
  return isWanted ? kept.addFile(below, entry, snapshot) : kept.passOver?.();
}

/** Keeps what is wanted, and gives the archives that may be bundles themselves, each to be read before the next one is asked for. */
export async function* keepAll(
  entries: Entries,
  { budget, wanted }: Keeping,
  kept: Keeper,
  warnings: string[],
): AsyncGenerator<PlacedEntry> {
  const places = new Places(budget, warnings);
  const recurring = new RecurringPaths(budget.limits);
  const loose = new LooseFiles((path) => kept.files.has(path), warnings, budget.limits.maxFileBytes);
  for await (const batch of batchesOf(entries)) {
    for (const entry of batch) {
      const known = recurring.of(entry);
      if (known !== undefined) {
        budget.entry();
        const reading = known.isWanted ? kept.addFile(known.below, entry, recurring.snapshot) : kept.passOver?.();
        if (reading !== undefined) await reading;
        continue;
      }
      const placed = places.of(entry);
      if (placed === undefined) continue;
      if (places.hasSections(placed)) {
        for (const section of await places.sections(placed)) await keep(section, wanted, kept);
      } else if (isInner(placed)) yield placed;
      else if (LooseFiles.is(placed) && !wanted(placed.path) && !places.isSupportconfig) {
        const found = await loose.read(placed);
        if (found === undefined) kept.passOver?.();
        for (const known of found ?? []) await keep(known, wanted, kept);
      } else if (loose.isBelow(placed, kept.files.size) && !wanted(placed.path)) await loose.hold(placed);
      else {
        // Waiting for nothing takes longer than all the rest.
        const reading = keep(placed, wanted, kept, recurring);
        if (reading !== undefined) await reading;
      }
    }
  }
  for (const folder of loose.heldFolders(kept.files.size)) {
    for (const known of folder) await keep(known, wanted, kept);
  }
  for (const list of loose.lists()) await keep(list, wanted, kept);
  places.end();
  kept.end();
}
