// sys/kernel/debug/kmemleak: objects of the kernel that nothing points to any more. With CONFIG_DEBUG_KMEMLEAK and kmemleak=on; an
// empty file says that the last scan found none.
// https://docs.kernel.org/dev-tools/kmemleak.html
//
//   unreferenced object 0xffff888102a1c400 (size 256):
//     comm "modprobe", pid 812, jiffies 4294901234 (age 120.500s)
//     backtrace:
//       [<ffffffff8133a6c5>] foo_init+0x25/0x1000 [foo]
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One lost object. */
export interface LostObject {
  readonly bytes: number;
  /** Functions of the backtrace, the innermost first, each without the offset. */
  readonly frames: readonly string[];
  readonly line: number;
}

const OBJECT = /^unreferenced object 0x[0-9a-f]+ \(size (\d+)\):/;

/**
 * Parses kmemleak.
 *
 * @throws {ParseError} if there is text, and none of it is an object.
 *
 * @example
 * ```ts
 * import { parseKmemleak } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const text = "unreferenced object 0xffff888102a1c400 (size 256):\n  backtrace:\n    [<00>] foo_init+0x25/0x1000 [foo]\n";
 * deepStrictEqual(parseKmemleak(text, { facts: {}, warn() {} }), [{ bytes: 256, frames: ["foo_init [foo]"], line: 1 }]);
 * ```
 */
export function parseKmemleak(text: string, _context: ParseContext): readonly LostObject[] {
  const objects: { bytes: number; frames: string[]; line: number }[] = [];
  forEachLine(text, (line, number) => {
    const bytes = parseCount(OBJECT.exec(line)?.[1]);
    if (bytes !== undefined) {
      objects.push({ bytes, frames: [], line: number });
      return;
    }
    // Only a frame has an offset; before 6.2 its address stands before it.
    const words = columns(line);
    const at = words.findIndex((word) => /\+0x[0-9a-f]+\/0x[0-9a-f]+$/.test(word));
    const object = objects.at(-1);
    if (at === -1 || object === undefined) return;
    const func = (words[at] as string).replace(/\+0x.*/, "");
    object.frames.push([func, ...words.slice(at + 1)].join(" "));
  });
  if (objects.length === 0 && text.trim() !== "") {
    throw new ParseError("Cannot parse kmemleak: no line is an unreferenced object", { text });
  }
  return objects;
}

/** A snapshot's file, as {@linkcode parseKmemleak} reads it. */
export const kmemleak: Source<Parsed<readonly LostObject[]>> = defineArtifact({
  name: "kmemleak",
  paths: ["sys/kernel/debug/kmemleak"],
  howToCapture: "echo scan > /sys/kernel/debug/kmemleak; cat /sys/kernel/debug/kmemleak",
  parse: parseKmemleak,
});
