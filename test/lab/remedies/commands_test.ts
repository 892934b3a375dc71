/** What the reports say of their remedies' commands holds on this kernel, too; `npm run remedies` writes it down. */
import { afterAll, describe, expect, it } from "vitest";
import { remedyMarks } from "../../../src/core/remedy_marks.ts";
import type { RemedyMark } from "../../../src/core/remedy.ts";
import { labAvailable, releaseAll } from "../lab.ts";
import { type CommandEffect, commandTrials, hasNeeds, tryCommand } from "./commands.ts";

const available = await labAvailable();

/** Which part of it was left: held already, or where the remedy was in place first. */
function leftShare(effect: RemedyMark | CommandEffect): number {
  if (!("beforeBytes" in effect)) throw new TypeError("not in bytes");
  const left = "afterBytes" in effect ? effect.afterBytes : (effect as { fromStartBytes?: number }).fromStartBytes;
  return (left ?? NaN) / effect.beforeBytes;
}

afterAll(releaseAll);

describe.skipIf(!available)(
  "commands of the reports (needs Linux, root, gcc, flock, python3)",
  () => {
    for (const trial of commandTrials) {
      const { cause, remedy, needs } = trial;
      const reason = needs === undefined ? "" : ` (needs ${needs})`;
      it.skipIf(!hasNeeds(trial))(`${cause}, ${remedy}: as it is written down${reason}`, async () => {
        const mark = remedyMarks.find((each) => each.cause === cause && each.remedy === remedy) as RemedyMark;
        const effect = await tryCommand(trial);
        if ("observed" in effect) return expect(mark).toMatchObject(effect);
        // A sixth: others work on this machine, too.
        expect(Math.abs(leftShare(effect) - leftShare(mark))).toBeLessThan(1 / 6);
      });
    }
  },
);
