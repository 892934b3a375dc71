import { parseArgs } from "node:util";
import { collectors, preset } from "../preset.ts";
import { explainCause, listCauses } from "../render/catalogue.ts";
import { type Command, UsageError } from "./_command.ts";
import { perhaps } from "./_nearest.ts";
import { pluginFiles, pluginHelp, pluginOptions, withPlugins } from "./_plugins.ts";
import { columnsOf, print } from "./_say.ts";

const help = `nailhouse explain [CAUSE] [--plugin FILE]...

Says how a cause comes about, what it is taken for and what it is read from, with its remedies, what the lab measured of
each or why it has not tried it, and programs of them; without CAUSE, lists them all.

${pluginHelp}

With Deno: --allow-read

  nailhouse explain
  nailhouse explain socket-backlog-udp
`;

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: pluginOptions });
  if (positionals.length > 1) throw new UsageError("explain takes one CAUSE");
  const [id] = positionals;
  const { analyzers } = await withPlugins(pluginFiles(values), { analyzers: preset.analyzers, collectors });
  const width = columnsOf(false);
  if (id === undefined) {
    await print(listCauses(analyzers, width));
    return 0;
  }
  const analyzer = analyzers.find((each) => each.id === id);
  if (analyzer === undefined) {
    const ids = analyzers.map((each) => each.id);
    throw new UsageError(`there is no cause "${id}"${perhaps(id, ids) ?? `; there are ${ids.join(", ")}`}`);
  }
  await print(explainCause(analyzer, width));
  return 0;
}

export const explainCommand: Command = {
  run,
  help,
  options: pluginOptions,
  optionWords: { plugin: "paths" },
  words: preset.analyzers.map(({ id }) => id),
};
