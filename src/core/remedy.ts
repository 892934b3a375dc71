import { formatBytes } from "./format.ts";

/** What the lab saw a remedy do to a real fault, on a real kernel. */
export interface RemedyTrial {
  readonly cause: string;
  /** The release it was tried on. */
  readonly kernel: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  /** What was held without the remedy. */
  readonly beforeBytes: number;
  /** Of that after it; undefined where it is only of use from the start. */
  readonly afterBytes?: number;
  /** Once the same load had come again. */
  readonly refilledBytes?: number;
  /** Under the same load where it was in place from the start; undefined for what only works on what is held. */
  readonly fromStartBytes?: number;
}

/** A remedy of the reports, as the lab knows it: what its command did to the fault, what was seen where that is not bytes, or why it was not tried. */
export type RemedyMark =
  & {
    readonly cause: string;
    /** In a few words: `end the owner`. */
    readonly remedy: string;
  }
  & (
    | { readonly untried: string }
    | { readonly kernel: string; readonly date: string; readonly observed: string }
    | Omit<RemedyTrial, "cause">
  );

/** Languages that the programs are in. */
export type RemedyLanguage = "c" | "python" | "javascript" | "java" | "rust" | "shell";

/** A program of samples/remedies. */
export interface RemedyProgram {
  /** `udp-filter`: the same in all languages. */
  readonly remedy: string;
  readonly language: RemedyLanguage;
  readonly file: string;
  /** Ids of the causes that it is a remedy of. */
  readonly causes: readonly string[];
  readonly text: string;
  /** Of this very text. */
  readonly trials: readonly RemedyTrial[];
}

/** Less than this of it gone: the remedy did nothing to what was held. */
const UNCHANGED_SHARE = 0.98;

/**
 * Whether what is held was no less with it, put in place first or later: it is no remedy, however much it looks like one.
 *
 * @example
 * ```ts
 * import { didNothing } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const trial = { cause: "socket-backlog-udp", kernel: "6.18.44", date: "2026-11-23", beforeBytes: 4096 };
 * equal(didNothing({ ...trial, afterBytes: 4096 }), true);
 * equal(didNothing({ ...trial, afterBytes: 0 }), false);
 * ```
 */
export function didNothing({ beforeBytes, afterBytes = Infinity, fromStartBytes = Infinity }: RemedyTrial): boolean {
  return Math.min(afterBytes, fromStartBytes) > beforeBytes * UNCHANGED_SHARE;
}

function measuredOn(verb: string, { kernel, date }: { readonly kernel: string; readonly date: string }): string {
  return `${verb} on Linux ${/^[\d.]*\d/.exec(kernel)?.[0] ?? kernel}, ${date}`;
}

/**
 * What a report says of a remedy beside what it does.
 *
 * @example
 * ```ts
 * import { describeMark } from "nailhouse";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(
 *   describeMark({ cause: "balloon", remedy: "ask for it back", untried: "it has no hypervisor" }),
 *   "Not verified by nailhouse's lab: it has no hypervisor.",
 * );
 * ```
 */
export function describeMark(mark: RemedyMark): string {
  if ("untried" in mark) return `Not verified by nailhouse's lab: ${mark.untried}.`;
  if ("observed" in mark) return `${measuredOn("Tried", mark)}: ${mark.observed}.`;
  return describeTrial(mark);
}

/**
 * A trial in a sentence.
 *
 * @example
 * ```ts
 * import { describeTrial } from "nailhouse";
 * import { strictEqual } from "node:assert";
 *
 * const trial = { cause: "user-leak", kernel: "6.18.44-a", date: "2026-11-23", beforeBytes: 2 ** 20, fromStartBytes: 0 };
 * strictEqual(describeTrial(trial), "Measured on Linux 6.18.44, 2026-11-23: 1.00 MiB without it, 0 B where it was in place first.");
 * ```
 */
export function describeTrial(trial: Omit<RemedyTrial, "cause">): string {
  const { beforeBytes, afterBytes, refilledBytes, fromStartBytes } = trial;
  const parts: string[] = [];
  if (fromStartBytes !== undefined) {
    parts.push(`${formatBytes(beforeBytes)} without it, ${formatBytes(fromStartBytes)} where it was in place first`);
  }
  if (afterBytes !== undefined && afterBytes > beforeBytes * UNCHANGED_SHARE) {
    parts.push(`of ${formatBytes(beforeBytes)} that were held already, all stayed`);
  } else if (afterBytes !== undefined) {
    const again = refilledBytes === undefined
      ? ""
      : `, and were ${formatBytes(refilledBytes)} after the same load again`;
    parts.push(`${formatBytes(beforeBytes)} that were held became ${formatBytes(afterBytes)}${again}`);
  }
  return `${measuredOn("Measured", trial)}: ${parts.join("; ")}.`;
}
