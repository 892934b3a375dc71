/** What a report on a guest says that it should not; nothing here touches a machine. */
import type { Report } from "../../../src/core/report.ts";
import { accusations, brokenPromises, wrongAnswers } from "../../_expect.ts";
import type { GuestFault } from "./expect.ts";

/** After the fact: it must be told, and of those who are there now nobody accused. */
function wrongEvent(report: Report, event: string): string[] {
  const found = report.findings.find(({ cause }) => cause === event);
  return [
    ...(found?.confidence === "confirmed" && found.material ? [] : [`is not sure of ${event}`]),
    ...accusations(report).map(({ cause, confidence }) => `accuses ${cause} (${confidence})`),
  ];
}

/** Of the bundle that was captured inside. */
export function wrongOfGuest(report: Report, { event, expect, cites }: GuestFault): string[] {
  const wrong = event ? wrongEvent(report, expect.cause) : wrongAnswers(report, expect, "growing");
  const cited = report.findings.flatMap(({ evidence }) => evidence).map(({ path }) => path);
  const missing = cites === undefined || cited.some((path) => cites.test(path))
    ? []
    : [`does not cite ${cites.source}`];
  return [...wrong, ...missing, ...brokenPromises(report)];
}

/** Of what the serial console showed. */
export function wrongOfConsole({ findings, pressure }: Report, { console, expect }: GuestFault): string[] {
  const titles = findings.map(({ title }) => title);
  const short = pressure.level === "exhausted" || expect.also?.includes("memcg-oom");
  return [
    ...(console !== undefined && titles.some((title) => console.test(title))
      ? []
      : [`of the console: ${titles.join("; ") || "nothing"}`]),
    ...(short ? [] : [`of the console: pressure ${pressure.level}`]),
  ];
}
