import { describe, expect, it } from "vitest";
import { describeMark, describeTrial, didNothing } from "../../src/core/remedy.ts";

const trial = { cause: "x", kernel: "6.18.44-abc", date: "2026-11-23", beforeBytes: 40 * 2 ** 20 };
const START = "Measured on Linux 6.18.44, 2026-11-23: ";

describe("describeTrial()", () => {
  it.each([
    [{ fromStartBytes: 0 }, "40.0 MiB without it, 0 B where it was in place first."],
    [
      { afterBytes: 0, refilledBytes: 40 * 2 ** 20 },
      "40.0 MiB that were held became 0 B, and were 40.0 MiB after the same load again.",
    ],
    [{ afterBytes: 2 ** 20 }, "40.0 MiB that were held became 1.00 MiB."],
    [
      { afterBytes: trial.beforeBytes, refilledBytes: trial.beforeBytes, fromStartBytes: 0 },
      "40.0 MiB without it, 0 B where it was in place first; of 40.0 MiB that were held already, all stayed.",
    ],
  ])("%j", (bytes, words) => expect(describeTrial({ ...trial, ...bytes })).toBe(START + words));
});

describe("didNothing()", () => {
  const [all, none] = [trial.beforeBytes, 0];
  it.each([
    [{ afterBytes: all, fromStartBytes: none }, false],
    [{ afterBytes: none }, false],
    [{ afterBytes: all, fromStartBytes: all * 0.99 }, true],
    [{ afterBytes: all }, true],
  ])("%j: %s", (bytes, nothing) => expect(didNothing({ ...trial, ...bytes })).toBe(nothing));
});

describe("describeMark()", () => {
  const of = { cause: "x", remedy: "end the owner" };
  it.each([
    [{ ...of, untried: "it has no hypervisor" }, "Not verified by nailhouse's lab: it has no hypervisor."],
    [
      { ...of, kernel: "6.18.44-abc", date: "2026-11-23", observed: "open() failed with EMFILE" },
      "Tried on Linux 6.18.44, 2026-11-23: open() failed with EMFILE.",
    ],
    [{ ...of, ...trial, afterBytes: 0 }, `${START}40.0 MiB that were held became 0 B.`],
  ])("%j", (mark, words) => expect(describeMark(mark)).toBe(words));
});
