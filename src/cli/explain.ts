import { parseArgs } from "node:util";
import { collectors, preset } from "../preset.ts";
import { explainCause, listCauses } from "../render/catalogue.ts";
import { type Command, UsageError } from "./_command.ts";
import { pluginFiles, pluginHelp, pluginOptions, withPlugins } from "./_plugins.ts";

const help = `nailhouse explain [CAUSE] [--plugin FILE]...

Says how a cause comes about, what it is taken for and what it is read from; without CAUSE, lists them all.

${pluginHelp}

  nailhouse explain socket-backlog-udp
`;

/** The least number of letters to add, drop or change (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(
        Math.min((row[j] as number) + Number(letter !== other), (row[j + 1] as number) + 1, (next[j] as number) + 1),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Ids that a mistyped one may have meant. */
function nearest(id: string, ids: readonly string[]): string[] {
  const close = ids.filter((known) => known.includes(id) || distance(id, known) <= Math.max(2, known.length / 4));
  return close.length > 0 ? close : [...ids];
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: pluginOptions });
  if (positionals.length > 1) throw new UsageError("explain takes one CAUSE");
  const [id] = positionals;
  const { analyzers } = await withPlugins(pluginFiles(values), { analyzers: preset.analyzers, collectors });
  const width = process.stdout.columns ?? 80;
  if (id === undefined) {
    process.stdout.write(listCauses(analyzers, width));
    return 0;
  }
  const analyzer = analyzers.find((each) => each.id === id);
  if (analyzer === undefined) {
    const ids = analyzers.map((each) => each.id);
    throw new UsageError(`there is no cause "${id}"; perhaps ${nearest(id, ids).join(", ")}`);
  }
  process.stdout.write(explainCause(analyzer, width));
  return 0;
}

export const explainCommand: Command = { run, help };
