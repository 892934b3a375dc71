import { defineComputed, type Source } from "../core/source.ts";
import { defineProcessArtifacts, type ProcessFile } from "../parsers/_groups.ts";
import { parseProcessCmdline } from "../parsers/process_cmdline.ts";

/** What a program is likely written in, told by its interpreter; of compiled programs nothing is told. */
export type LikelyLanguage = "python" | "javascript" | "java";

const INTERPRETERS: readonly (readonly [LikelyLanguage, RegExp])[] = [
  ["python", /^(python|pypy)[\d.]*$/],
  ["javascript", /^(node|nodejs|deno|bun)$/],
  ["java", /^java$/],
];

/** By the first argument: a script's own first argument is its interpreter's. */
export function likelyLanguage([program = ""]: readonly string[]): LikelyLanguage | undefined {
  const name = program.slice(program.lastIndexOf("/") + 1);
  return INTERPRETERS.find(([, pattern]) => pattern.test(name))?.[0];
}

/** By pid. */
export type Languages = ReadonlyMap<number, LikelyLanguage>;

/** Not the command lines: of a hundred thousand processes they are tens of megabytes. */
const processLanguages: Source<readonly ProcessFile<LikelyLanguage | undefined>[]> = defineProcessArtifacts({
  name: "languages of processes",
  files: ["cmdline"],
  howToCapture: "grep -z . /proc/[0-9]*/cmdline",
  parse: (text) => likelyLanguage(parseProcessCmdline(text)),
});

/** Of the processes that run in an interpreter. */
export const languages: Source<Languages> = defineComputed({
  name: "languages",
  needs: { processLanguages },
  uses: {},
  compute({ processLanguages: files }) {
    const found = new Map<number, LikelyLanguage>();
    for (const { pid, value } of files) {
      if (value !== undefined) found.set(pid, value);
    }
    return found;
  },
});
