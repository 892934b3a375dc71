// sys/kernel/debug/page_owner_stacks/show_stacks: how many pages were allocated from each call stack and not freed. From 6.9, with
// page_owner=on on the kernel's command line.
// https://docs.kernel.org/mm/page_owner.html
//
//    get_page_from_freelist+0x15d9/0x1a40
//    __alloc_pages_noprof+0x1b2/0x3a0
//    foo_alloc_rx+0x4a/0x120 [foo]
//   nr_base_pages: 122880
//   (an empty line)
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** The pages of one call stack. */
export interface PageOwnerStack {
  /** Undefined when the page size is not known. */
  readonly bytes: number | undefined;
  /** The innermost function first, each with its module and without the offset. */
  readonly frames: readonly string[];
  /** Of the number of pages. */
  readonly line: number;
}

const COUNT = /^(?:nr_base_pages|stack_count):\s*(\d+)/;

/**
 * Parses show_stacks.
 *
 * @throws {ParseError} if there is no stack with its number of pages.
 *
 * @example
 * ```ts
 * import { parsePageOwnerStacks } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const text = " __alloc_pages+0x1b2/0x3a0\n foo_alloc_rx+0x4a/0x120 [foo]\nnr_base_pages: 2\n\n";
 * const context = { facts: { pageSizeBytes: 4096 }, warn() {} };
 * deepStrictEqual(parsePageOwnerStacks(text, context), [{ bytes: 8192, frames: ["__alloc_pages", "foo_alloc_rx [foo]"], line: 3 }]);
 * ```
 */
export function parsePageOwnerStacks(text: string, context: ParseContext): readonly PageOwnerStack[] {
  const stacks: PageOwnerStack[] = [];
  let frames: string[] = [];
  forEachLine(text, (line, number) => {
    const pages = parseCount(COUNT.exec(line)?.[1]);
    if (pages !== undefined) {
      stacks.push({ bytes: multiply(pages, context.facts.pageSizeBytes), frames, line: number });
      frames = [];
    } else if (line.startsWith(" ")) {
      const [func, module] = columns(line);
      const name = (func ?? "").replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+$/, "");
      frames.push(module === undefined ? name : `${name} ${module}`);
    } else frames = [];
  });
  if (stacks.length === 0) throw new ParseError("Cannot parse page_owner_stacks: no stack with its pages", { text });
  return stacks;
}

/** A snapshot's file, as {@linkcode parsePageOwnerStacks} reads it. */
export const pageOwnerStacks: Source<Parsed<readonly PageOwnerStack[]>> = defineArtifact({
  name: "page_owner_stacks",
  paths: ["sys/kernel/debug/page_owner_stacks/show_stacks"],
  howToCapture: "cat /sys/kernel/debug/page_owner_stacks/show_stacks",
  parse: parsePageOwnerStacks,
});
