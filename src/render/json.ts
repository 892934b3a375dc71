import type { Report } from "../core/report.ts";

/**
 * The report as indented JSON with a final newline.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderJson } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderJson(report), /"schemaVersion": 1/);
 * ```
 */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
