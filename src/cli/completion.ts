/** Scripts for the Tab key, made from what the commands themselves declare. */
import { parseArgs } from "node:util";
import { type Command, UsageError, type Words } from "./_command.ts";
import { oneOf } from "./_input.ts";
import { print } from "./_say.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

const help = `nailhouse completion bash|zsh|fish

Prints what lets the Tab key complete commands, options, causes, collectors and formats.

With Deno: no permission.

  mkdir -p ~/.local/share/bash-completion/completions && nailhouse completion bash > ~/.local/share/bash-completion/completions/nailhouse
  mkdir -p ~/.zfunc && nailhouse completion zsh > ~/.zfunc/_nailhouse      # with fpath+=~/.zfunc before compinit in ~/.zshrc
  mkdir -p ~/.config/fish/completions && nailhouse completion fish > ~/.config/fish/completions/nailhouse.fish
`;

interface Option {
  readonly name: string;
  readonly short: string | undefined;
  /** Undefined for an option without a value. */
  readonly words: Words | undefined;
}

/** A command as the shells' scripts need it. */
interface Completion {
  readonly name: string;
  readonly options: readonly Option[];
  readonly words: Words;
}

function completionOf(name: string, { options, optionWords, words }: Command): Completion {
  const help = { name: "help", short: "h", words: undefined };
  const own = Object.entries(options).map(([option, { type, short }]): Option => ({
    name: option,
    short,
    words: type === "string" ? optionWords?.[option] ?? [] : undefined,
  }));
  return { name, options: [...own, help], words };
}

function spellings({ name, short }: Option): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

/** bash's compgen, for what is being typed. */
function compgen(words: Words): string {
  return words === "paths" ? "compgen -f --" : `compgen -W "${words.join(" ")}" --`;
}

function bash(commands: readonly Completion[]): string {
  const cases = commands.flatMap(({ name, options, words }) => [
    ...options.flatMap((option) => {
      const patterns = spellings(option).map((spelling) => `"${name} ${spelling}"`).join(" | ");
      return option.words === undefined ? [] : [`    ${patterns}) list=$(${compgen(option.words)} "$word") ;;`];
    }),
    `    "${name} "*) if [[ $word == -* ]]; then list=$(${
      compgen(options.map((option) => `--${option.name}`))
    } "$word"); else list=$(${compgen(words)} "$word"); fi ;;`,
  ]);
  return `# nailhouse completion bash
_nailhouse() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} list=
  # bash takes --limit NAME=VALUE for three words.
  if ((COMP_CWORD == 1)); then list=$(${compgen([...commands.map(({ name }) => name), "--help", "--version"])} "$word")
  else case "\${COMP_WORDS[1]} $before" in
${cases.join("\n")}
  esac; fi
  local IFS=$'\n'
  COMPREPLY=($list)
  if [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -o filenames -F _nailhouse nailhouse
`;
}

function zsh(commands: readonly Completion[]): string {
  const action = (words: Words): string => words === "paths" ? "_files" : `(${words.join(" ")})`;
  const cases = commands.map(({ name, options, words }) => {
    const specs = options.map((option) => {
      const value = option.words === undefined ? "" : `:value:${action(option.words)}`;
      const [long, short] = spellings(option);
      return short === undefined ? `'*${long}${value}'` : `'*'{${long},${short}}'${value}'`;
    });
    return `    ${name}) _arguments ${[...specs, `'*:what:${action(words)}'`].join(" ")} ;;`;
  });
  return `#compdef nailhouse
_nailhouse() {
  if ((CURRENT == 2)); then compadd -- ${commands.map(({ name }) => name).join(" ")} --help --version; return; fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join("\n")}
  esac
}
# As a function of fpath it is called; sourced, it is only declared.
if [[ $funcstack[1] == _nailhouse ]]; then _nailhouse "$@"; else compdef _nailhouse nailhouse; fi
`;
}

function fish(commands: readonly Completion[]): string {
  const argumentsOf = (words: Words): string => words === "paths" ? "-r -F" : `-x -a '${words.join(" ")}'`;
  return [
    "# nailhouse completion fish",
    "complete -c nailhouse -f",
    `complete -c nailhouse -n __fish_use_subcommand -a '${commands.map(({ name }) => name).join(" ")}'`,
    "complete -c nailhouse -n __fish_use_subcommand -l help -s h",
    "complete -c nailhouse -n __fish_use_subcommand -l version",
    ...commands.flatMap(({ name, options, words }) => {
      const when = `complete -c nailhouse -n '__fish_seen_subcommand_from ${name}'`;
      return [
        ...(words.length === 0 ? [] : [`${when} ${words === "paths" ? "-F" : `-a '${words.join(" ")}'`}`]),
        ...options.map((option) =>
          [when, `-l ${option.name}`, ...(option.short === undefined ? [] : [`-s ${option.short}`])]
            .concat(option.words === undefined ? [] : argumentsOf(option.words)).join(" ")
        ),
      ];
    }),
    "",
  ].join("\n");
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Completion[]) => string>> = { bash, zsh, fish };

/** Of all commands of the command line, this one included. */
export function completionCommand(commands: ReadonlyMap<string, () => Promise<Command>>): Command {
  async function run(args: string[]): Promise<number> {
    const { positionals: [shell, ...more] } = parseArgs({ args, allowPositionals: true, options: {} });
    if (shell === undefined || more.length > 0) throw new UsageError("completion needs one word: bash, zsh or fish");
    const script = SCRIPTS[oneOf("the shell", shell, SHELLS)];
    const all = await Promise.all([...commands].map(async ([name, load]) => completionOf(name, await load())));
    await print(script(all));
    return 0;
  }
  return { run, help, options: {}, words: SHELLS };
}
