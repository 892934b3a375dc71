import { describeMark } from "../core/remedy.ts";
import { remedyMarks } from "../core/remedy_marks.ts";

/**
 * What the lab saw of a remedy's command, or why it has not tried it: a sentence for the remedy's text.
 *
 * @throws {RangeError} if samples/remedies/commands.json has no such remedy of the cause.
 */
export function remedyMark(cause: string, remedy: string): string {
  const mark = remedyMarks.find((each) => each.cause === cause && each.remedy === remedy);
  if (mark === undefined) throw new RangeError(`samples/remedies/commands.json has no "${remedy}" of ${cause}`);
  return describeMark(mark);
}
