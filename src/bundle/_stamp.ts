/** A line that tells a time and nothing else, as `date` prints it or who records samples. */
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const CLOCK = String.raw`(?<hours>\d\d):(?<minutes>\d\d):(?<seconds>\d\d)(?:[.,]\d{1,9})?`;
const HALF_AND_ZONE = String.raw`(?: (?<half>[AP]M))?(?: (?<zone>[A-Z]{1,5}|[+-]\d\d(?:\d\d)?))?`;
/** date's forms: in the C locale, in that of newer and older Americans, and ISO 8601. */
const DATES: readonly string[] = [
  String.raw`[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) {1,2}(?<day>\d{1,2}) ${CLOCK}${HALF_AND_ZONE} (?<year>\d{4})`,
  String.raw`[A-Z][a-z]{2} (?<day>\d{1,2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) ${CLOCK}${HALF_AND_ZONE}`,
  String.raw`(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)[T_ -]${CLOCK} ?(?<zone>Z|UTC|[+-]\d\d:?\d\d)?`,
];
/** OSWatcher's, anybody's, and ExaWatcher's. */
const STAMPS: readonly RegExp[] = [
  ...DATES.map((date) =>
    new RegExp(String.raw`^(?:zzz \*\*\*|[-=#*> ]{0,40}(?:[A-Za-z]{1,20}: )?)${date}[-=#*: \r]{0,40}$`)
  ),
  new RegExp(String.raw`^zzz <(?<month>\d\d)/(?<day>\d\d)/(?<year>\d{4}) ${CLOCK}>(?: Count:\d{1,9})?[ \r]*$`),
];
/** Percona's pt-stalk, and collectl's raw files: the clock is nobody's. */
const EPOCH = /^(?:TS (\d{9,10})\.\d{1,9} \d{4}-\d\d-\d\d [\d:]{8}|>>> (\d{9,10})(?:\.\d{1,9})? <<<)$/;
const LONGEST_STAMP = 160;
const UTC = /^(?:UTC|GMT|Z|[+-]00:?(?:00)?)$/;

/** When a sample was taken. */
export interface Stamp {
  /** In milliseconds, of a zone that has but a name by the host's own clock. */
  readonly time: number;
  /** What tells of that zone; undefined where the time is UTC's. */
  readonly zone: string | undefined;
}

/** The time that a line tells, if it tells nothing else. */
export function parseStamp(line: string): Stamp | undefined {
  // Of a table hardly a line begins so.
  if (line.length > LONGEST_STAMP || !/^(?:[-=#*> ]{0,40}(?:[A-Z]|zzz|\d{4}-)|>>> \d)/.test(line)) return undefined;
  const epoch = EPOCH.exec(line);
  if (epoch !== null) return { time: 1000 * Number(epoch[1] ?? epoch[2]), zone: undefined };
  const groups = STAMPS.map((stamp) => stamp.exec(line)?.groups).find((found) => found !== undefined);
  if (groups === undefined) return undefined;
  const { year, month = "", day, hours, minutes, seconds, half, zone } = groups;
  const monthIndex = /^\d/.test(month) ? Number(month) - 1 : MONTHS.indexOf(month);
  const midnight = Date.UTC(Number(year), monthIndex, Number(day));
  // Of a day that its month has not, one of the next is made.
  if (monthIndex < 0 || new Date(midnight).getUTCDate() !== Number(day)) return undefined;
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (half === "PM" ? 12 : 0);
  const local = midnight + ((hour * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  const [, sign, hoursOff, minutesOff = "0"] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone ?? "") ?? [];
  if (sign === undefined) {
    return { time: local, zone: UTC.test(zone ?? "") ? undefined : zone ?? "its zone is not told" };
  }
  const offset = (Number(hoursOff) * 60 + Number(minutesOff)) * 60_000;
  return { time: sign === "+" ? local - offset : local + offset, zone: undefined };
}
