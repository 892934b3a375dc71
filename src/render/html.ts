import type { Report } from "../core/report.ts";
import { markup } from "./_html.ts";
import { reportPage } from "./_html_page.ts";
import { reportMarkup } from "./_html_report.ts";
import { answerOf } from "./_summary.ts";

/** A report for a page that has {@linkcode REPORT_STYLE} and {@linkcode REPORT_SCRIPT}. */
export interface HtmlParts {
  /** The answer as plain text. */
  readonly headline: string;
  /** One `article`. */
  readonly body: string;
}

/**
 * The report as a part of another page.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderHtmlParts } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const { body } = renderHtmlParts(analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" })));
 * match(body, /<article/);
 * ```
 *
 * @param report From `analyze`.
 */
export function renderHtmlParts(report: Report): HtmlParts {
  return { headline: answerOf(report).headline, body: reportMarkup(report, "").text };
}

/**
 * The report as one self-contained page: no request to anywhere, light and dark, printable.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderHtml } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderHtml(report), /<html/);
 * ```
 *
 * @param report From `analyze`.
 */
export function renderHtml(report: Report): string {
  const title = `${report.host.hostname ?? "host"}: ${answerOf(report).headline}`;
  return reportPage(
    title,
    markup`<main>
${reportMarkup(report, "")}</main>`,
  );
}
