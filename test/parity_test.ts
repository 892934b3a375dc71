/** Same bundle in, same bytes out: on Node and on Deno, in any locale and time zone. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const samples = readdirSync(join(root, "samples")).filter((name) => name.endsWith(".tgz") || name.endsWith(".tar.gz"))
  .sort();

const elsewhere = { TZ: "Asia/Kathmandu", LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8" };

function analyze(
  runtime: "node" | "deno",
  args: readonly string[],
  environment: { [name: string]: string } = {},
): string {
  const [program = "", ...start] = runtime === "node"
    ? ["node", "dist/cli.js", "analyze"]
    : [join(root, "node_modules/.bin/deno"), "task", "--quiet", "analyze"];
  const { status, stdout, stderr } = spawnSync(program, [...start, ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 28,
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

describe("analyze", () => {
  it("has samples to compare (npm run samples)", () => expect(samples).not.toEqual([]));

  it("prints the same bytes of every sample on Node and Deno, in any locale and time zone", () => {
    const args = [...samples.map((sample) => `samples/${sample}`), "-f", "ndjson"];
    const lines = (text: string) => text.trimEnd().split("\n");
    const onNode = lines(analyze("node", args));
    expect(onNode.map((line) => JSON.parse(line).path)).toEqual(samples.map((sample) => `samples/${sample}`));
    expect(onNode.map((line) => JSON.parse(line).schemaVersion)).toEqual(samples.map(() => 1));
    for (const printed of [analyze("node", args, elsewhere), analyze("deno", args, elsewhere)]) {
      // A line at a time: which sample it is, is in the first difference.
      for (const [i, line] of lines(printed).entries()) expect(line).toBe(onNode[i]);
      expect(lines(printed)).toHaveLength(onNode.length);
    }
  }, 180_000);

  it.each(["text", "json", "markdown", "html"])("prints the same %s on Node and Deno", (format) => {
    const args = ["samples/friend-push.tgz", "-f", format];
    expect(analyze("deno", args, elsewhere)).toBe(analyze("node", args));
  });
});
