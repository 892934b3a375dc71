/** No remedy without a mark, and no mark without a remedy: also of causes that no sample has. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { remedyMark } from "../../src/computed/remedy_mark.ts";
import { remedyMarks } from "../../src/core/remedy_marks.ts";

const folder = fileURLToPath(new URL("../../analyzers/", import.meta.url));
const sources = readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "mod.ts").map((file) => {
  const text = readFileSync(`${folder}${file}`, "utf8");
  const id = /^const ID = "([^"]+)";/m.exec(text)?.[1];
  const calls = [...text.matchAll(/remedyMark\(\s*("[^"]+"|ID),\s*"([^"]+)"/g)];
  return {
    file,
    text,
    marks: calls.map(([, cause, remedy]) => `${cause === "ID" ? id : cause?.slice(1, -1)}: ${remedy}`),
  };
});

describe("remedyMark()", () => {
  it.each(sources.map(({ file, text }) => [file, text] as const))(
    "%s: each remedy says what the lab saw of it, or why it was not tried",
    (_file, text) => {
      // A program quotes its own trials; oom-policy gives the text as `fix`.
      const unmarked = text.split(/(?=\bwhen: ")/).slice(1)
        .filter((remedy) => !/remedyMark\(|\.said\b|text: fix,/.test(remedy.split("commands")[0] as string));
      expect(unmarked).toEqual([]);
    },
  );

  it("is said of each remedy of samples/remedies/commands.json, by the analyzer of that cause", () => {
    const said = sources.flatMap(({ marks }) => marks);
    const known = remedyMarks.map(({ cause, remedy }) => `${cause}: ${remedy}`);
    expect([...new Set(said)].sort()).toEqual([...known].sort());
    for (const { file, marks } of sources) {
      expect(marks.filter((mark) => !mark.startsWith(`${file.replace(".ts", "")}: `))).toEqual([]);
    }
  });

  it("refuses a remedy that is not there", () =>
    expect(() => remedyMark("user-leak", "none")).toThrow(`commands.json has no "none" of user-leak`));
});
