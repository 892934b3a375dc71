import { HostError } from "../core/errors.ts";
import { type Command, UsageError } from "./_command.ts";
import { answers } from "./_help.ts";
import { perhaps } from "./_nearest.ts";
import { allIsSaid, print, ReaderGoneError, say } from "./_say.ts";

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

/** The exit code of an error that the user can do something about; anything else is a defect of nailhouse and is shown whole. */
function exitCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof UsageError || String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS")) return 2;
  // NotCapable is Deno's: a permission was not given.
  if (error instanceof HostError || error.name === "NotCapable") return 3;
  return undefined;
}

async function main(args: readonly string[]): Promise<number> {
  // `help analyze` is `analyze --help`.
  const [name, ...rest] = args[0] === "help" && args[1] !== undefined ? [args[1], "--help"] : args;
  const answer = name === undefined ? undefined : answers.get(name);
  if (answer !== undefined) {
    await print(answer);
    return 0;
  }
  const load = name === undefined ? undefined : commands.get(name);
  if (load === undefined) {
    const what = name === undefined ? "a command is missing" : `there is no command "${name}"`;
    const names = [...commands.keys()];
    const meant = name !== undefined && /[./]/.test(name) ? `; perhaps analyze ${name}` : perhaps(name ?? "", names);
    throw new UsageError(
      `${what}${meant ?? `; the commands are ${names.join(", ")}`} (see --help)`,
    );
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    await print(command.help);
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

/** By itself Node would first wait for V8 to optimize functions that nobody calls any more, which takes a tenth of a small bundle's time. */
const endsAtOnce = !("deno" in process.versions || "bun" in process.versions);

async function runCommandLine(): Promise<void> {
  process.exitCode = NEVER_DONE;
  try {
    process.exitCode = await main(process.argv.slice(2));
    if (!endsAtOnce) return;
    await allIsSaid();
    process.exit();
  } catch (error) {
    if (error instanceof ReaderGoneError) return process.exit(ReaderGoneError.exitCode);
    const code = exitCode(error);
    if (code === undefined) throw error;
    say(`nailhouse: ${(error as Error).message}`);
    process.exitCode = code;
  }
}

/** A thread is started without arguments: with some, nobody needs what threads are made of, and it takes milliseconds to load. */
async function start(): Promise<void> {
  const isThread = process.argv.length === 2 && await (await import("./_thread.ts")).serveThread();
  if (!isThread) await runCommandLine();
}

// Not awaited: see .ci/cli_start.js. What is thrown ends the program all the same.
void start();
