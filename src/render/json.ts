import type { Report } from "../core/report.ts";

/** The report as indented JSON with a final newline. */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
