import { describeTrial } from "../core/remedy.ts";
import { remedyPrograms } from "../core/remedy_programs.ts";
import type { Languages, LikelyLanguage } from "./languages.ts";

const NAMES = {
  c: "C",
  python: "Python",
  javascript: "JavaScript",
  java: "Java",
  rust: "Rust",
  shell: "shell",
} as const;

/** A program of samples/remedies for a report. */
export interface QuotedProgram {
  /** In which language and why, where it is in full, and what it did when it was tried. */
  readonly said: string;
  readonly text: string;
}

/**
 * The program of a remedy in the language that the owner is likely written in, or else in C.
 *
 * @param cause Whose trial is quoted.
 * @throws {RangeError} if samples/remedies has no such remedy.
 */
export function quoteProgram(
  remedy: string,
  cause: string,
  { pids }: { readonly pids: readonly number[] } = { pids: [] },
  languages?: Languages,
): QuotedProgram {
  const likely = languages?.get(pids[0] ?? -1);
  const programs = remedyPrograms.filter((program) => program.remedy === remedy);
  const program = programs.find(({ language }) => language === likely) ??
    programs.find(({ language }) => language === "c" || language === "shell");
  if (program === undefined) throw new RangeError(`samples/remedies has no ${remedy} in C or for the shell`);
  const trial = program.trials.find((each) => each.cause === cause);
  const effect = trial === undefined ? "Not proven by nailhouse's lab." : describeTrial(trial);
  return { said: `${place(program, likely)} ${effect}`, text: withoutHeader(program.text) };
}

/** The first comment tells what the remedy's own words tell. Terminals and pages disagree about tabs. */
function withoutHeader(text: string): string {
  return text.replace(/^(\/\*[^]*?\*\/\n|((#|\/\/).*\n)+)/, "").replaceAll("\t", "    ").trim();
}

function place(
  { language, file }: { readonly language: keyof typeof NAMES; readonly file: string },
  likely: LikelyLanguage | undefined,
): string {
  if (likely === undefined || language === "shell") return `${file}:`;
  if (language === likely) return `Likely it is a ${NAMES[likely]} program: ${file}.`;
  return `Likely it is a ${NAMES[likely]} program, for which there is no such program here; in ${
    NAMES[language]
  }: ${file}.`;
}
