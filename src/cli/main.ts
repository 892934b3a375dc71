import { isMainThread, workerData } from "node:worker_threads";
import { HostError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { type Command, UsageError } from "./_command.ts";
import { perhaps } from "./_nearest.ts";

/** Each command is loaded only when it is used: a dying host should not pay for the analyzers, nor a laptop for the collectors. */
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["collect", async () => (await import("./collect.ts")).collectCommand],
  ["record", async () => (await import("./record.ts")).recordCommand],
  ["analyze", async () => (await import("./analyze.ts")).analyzeCommand],
  ["compare", async () => (await import("./compare.ts")).compareCommand],
  ["redact", async () => (await import("./redact.ts")).redactCommand],
  ["explain", async () => (await import("./explain.ts")).explainCommand],
  ["completion", async () => (await import("./completion.ts")).completionCommand(commands)],
  ["new", async () => (await import("./new.ts")).newCommand],
]);

const help = `nailhouse ${version}: finds the memory that will not move out

  nailhouse collect       capture a bundle of this host, before it is rebooted
  nailhouse record        sample this host every minute, so that a later bundle tells its last days
  nailhouse analyze PATH  who held the memory, how much, since when, and what to do
  nailhouse compare A B   whether a fix worked: what changed from one bundle to the other
  nailhouse redact IN OUT the same bundle without names, addresses and arguments, to be passed on
  nailhouse explain       the causes it knows
  nailhouse completion    what the Tab key completes, for bash, zsh and fish
  nailhouse new           an analyzer or a collector of your own, to start from

nailhouse COMMAND --help tells more; nailhouse --version tells the version.

  nailhouse collect -o bundle.tgz && nailhouse analyze bundle.tgz
  ssh host 'sh -s' < collect.sh > bundle.tgz      # without a runtime there: nailhouse collect --emit-script > collect.sh
  nailhouse analyze / --fail-on likely            # this host, now
`;

/** The exit code of an error that the user can do something about; anything else is a defect of nailhouse and is shown whole. */
function exitCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof UsageError || String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS")) return 2;
  // NotCapable is Deno's: a permission was not given.
  if (error instanceof HostError || error.name === "NotCapable") return 3;
  return undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version") {
    console.log(version);
    return 0;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help);
    return 0;
  }
  const load = name === undefined ? undefined : commands.get(name);
  if (load === undefined) {
    const what = name === undefined ? "a command is missing" : `there is no command "${name}"`;
    const names = [...commands.keys()];
    throw new UsageError(
      `${what}${perhaps(name ?? "", names) ?? `; the commands are ${names.join(", ")}`} (see --help)`,
    );
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(command.help);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    throw withHint(error, command);
  }
}

/** A mistyped option, with the one that was meant. */
function withHint(error: unknown, { options }: Command): unknown {
  const [, option] = /^Unknown option '(-[^']*)'/.exec(error instanceof Error ? error.message : "") ?? [];
  if (option === undefined || (error as { code?: unknown }).code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") return error;
  const known = Object.keys(options).map((name) => `--${name}`);
  const all = known.length === 0 ? "; this command has none" : `; the options are ${known.join(", ")}`;
  return new UsageError(`there is no option ${option}${perhaps(option, known) ?? all} (see --help)`, { cause: error });
}

/** Node's own code for what is still waited for when nothing can come any more. */
const NEVER_DONE = 13;

async function runCommandLine(): Promise<void> {
  process.exitCode = NEVER_DONE;
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const code = exitCode(error);
    if (code === undefined) throw error;
    console.error(`nailhouse: ${(error as Error).message}`);
    process.exitCode = code;
  }
}

/** A thread that analyzes one of several bundles runs this same file, and one that runs plug-ins. */
async function runThread(): Promise<void> {
  if (isMainThread) return await runCommandLine();
  if (workerData === null || workerData === undefined) return (await import("./_fleet.ts")).serveAnalyses();
  await (await import("./_plugin_thread.ts")).servePlugins();
}

// Not awaited: see .ci/cli_start.js. What is thrown ends the program all the same.
void runThread();
