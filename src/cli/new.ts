import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { collectors, preset } from "../preset.ts";
import { type Command, UsageError } from "./_command.ts";
import { oneOf } from "./_input.ts";
import { newAnalyzer, newCollector } from "./_templates.ts";
import { print, say } from "./_say.ts";

const help = `nailhouse new analyzer|collector NAME

Writes a plug-in that works, to be changed: its file, its test and, of an analyzer, a sample in which it finds something.
In a checkout of nailhouse they are put where they belong, and the lists and pages are generated anew; elsewhere, into this directory, for --plugin.

  NAME            of small letters and -; of a cause a noun for what is wrong: socket-backlog, not check-sockets

With Deno: --allow-read --allow-write; and -A in a checkout.

  nailhouse new analyzer my-cause
  nailhouse new collector my-files
`;

const KINDS = ["analyzer", "collector"] as const;

/** Whether this directory is a checkout of nailhouse itself. */
function isCheckout(): boolean {
  if (!existsSync("package.json") || !existsSync("analyzers/mod.ts")) return false;
  return (JSON.parse(readFileSync("package.json", "utf8")) as { name?: string }).name === "nailhouse";
}

/** What to do next. */
function nextSteps(kind: "analyzer" | "collector", id: string, inside: boolean): string {
  if (inside) return "next: npm test";
  const tries = kind === "analyzer"
    ? `nailhouse analyze samples/${id} --plugin ${id}.ts`
    : `nailhouse collect --only ${id} --plugin ${id}.ts`;
  return `next: ${tries}; node --test ${id}_test.ts (Node 22.18 or newer, with nailhouse installed)`;
}

/** Carries out `nailhouse new`; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const [what, id] = positionals;
  if (what === undefined || id === undefined || positionals.length > 2) {
    throw new UsageError("new needs two words: analyzer or collector, and a NAME");
  }
  const kind = oneOf("what new makes", what, KINDS);
  if (!/^[a-z]+(-[a-z]+)*$/.test(id)) throw new UsageError(`NAME is of small letters and -, not "${id}"`);
  const shipped = kind === "analyzer" ? preset.analyzers : collectors;
  if (id === "mod" || shipped.some((each) => each.id === id)) {
    throw new UsageError(`the name "${id}" is taken by a shipped ${kind}`);
  }
  const inside = isCheckout();
  const files = kind === "analyzer"
    ? newAnalyzer(id, inside)
    // After all others: no two have the same one.
    : newCollector(id, inside, Math.max(...collectors.map(({ priority }) => priority)) + 1);
  const existing = files.find(({ path }) => existsSync(path));
  if (existing !== undefined) throw new UsageError(`there is a file ${existing.path} already`);
  for (const { path, text } of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
    await print(`${path}\n`);
  }
  if (inside) {
    const { status } = spawnSync("npm", ["run", "--silent", "gen"], {
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    if (status !== 0) {
      say("nailhouse: the lists could not be generated: npm run gen");
      return 1;
    }
  }
  say(nextSteps(kind, id, inside));
  return 0;
}

export const newCommand: Command = { run, help, options: {}, words: KINDS };
