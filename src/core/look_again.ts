/** When to look again at what may be no leak, which only more time tells. */

/** What the usual second look takes: five times 30 s. */
const LOOK_SECONDS = 150;

/** A host that lasts no longer than twice the look may be gone before anybody has read what it told. */
export function isEndNear(lastsSeconds: number | undefined): boolean {
  return lastsSeconds !== undefined && lastsSeconds < 2 * LOOK_SECONDS;
}

/** @param isNear Whether the host's memory is used up before the usual look would tell more. */
export function lookAgainCommand(isNear: boolean): string {
  return `nailhouse collect --snapshots 6 --interval ${isNear ? 2 : 30}`;
}

/** "Look again in a few minutes" */
export function lookAgainWhen(isNear: boolean): string {
  return `Look again ${isNear ? "at once" : "in a few minutes"}`;
}
