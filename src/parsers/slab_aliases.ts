// sos_commands/memory/ls_-l_.sys.kernel.slab: which object caches are one. The kernel merges caches of one size and kind; slabinfo
// shows only the first one's name. A merged cache is a link here; the name of its target begins with the kind: `a` is reclaimable.
// mm/slub.c create_unique_id()
//
//   drwxr-xr-x 2 root root 0 Nov 23 06:11 dentry
//   lrwxrwxrwx 1 root root 0 Nov 23 06:11 mnt_cache -> :A-0000384
//   lrwxrwxrwx 1 root root 0 Nov 23 06:11 posix_timers_cache -> :A-0000384
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";

/** One merged cache. */
export interface SlabAlias {
  /** The cache that it is part of: all with the same one are merged. */
  readonly target: string;
  /** From 1. */
  readonly line: number;
}

/** The merged caches by name. Those that are not merged are not in it. */
export type SlabAliases = ReadonlyMap<string, SlabAlias>;

/**
 * Parses `ls -l /sys/kernel/slab`.
 *
 * @throws {ParseError} if no line is a folder or a link.
 *
 * @example
 * ```ts
 * import { parseSlabAliases } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "lrwxrwxrwx 1 root root 0 Nov 23 06:11 mnt_cache -> :A-0000384\n";
 * strictEqual(parseSlabAliases(text, { facts: {}, warn() {} }).get("mnt_cache")?.target, ":A-0000384");
 * ```
 */
export function parseSlabAliases(text: string, context: ParseContext): SlabAliases {
  const aliases = new Map<string, SlabAlias>();
  let folders = 0;
  forEachLine(text, (line, number) => {
    if (line === "" || line.startsWith("total ")) return;
    if (line.startsWith("d")) {
      folders++;
      return;
    }
    const [name, arrow, target, ...rest] = columns(line).slice(-3);
    if (!line.startsWith("l") || name === undefined || arrow !== "->" || target === undefined || rest.length > 0) {
      context.warn(number, `not a folder or a link: ${quote(line)}`);
    } else aliases.set(name, { target, line: number });
  });
  if (aliases.size === 0 && folders === 0) {
    throw new ParseError("Cannot parse ls -l /sys/kernel/slab: no line is a folder or a link", { text });
  }
  return aliases;
}

/** A snapshot's file, as {@linkcode parseSlabAliases} reads it. */
export const slabAliases: Source<Parsed<SlabAliases>> = defineArtifact({
  name: "slab_aliases",
  paths: ["sos_commands/memory/ls_-l_.sys.kernel.slab"],
  howToCapture: "ls -l /sys/kernel/slab",
  parse: parseSlabAliases,
});
