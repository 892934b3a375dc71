/**
 * nailhouse as a library: opens a bundle, accounts for every byte of the host's memory, and ranks what holds it. Everything here runs on Node, on
 * Deno and in a browser; collecting is in `nailhouse/host`, the parsers alone are in `nailhouse/parsers`.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderMarkdown } from "nailhouse";
 * import { match } from "node:assert";
 * import { readFile } from "node:fs/promises";
 *
 * const bytes = await readFile("samples/friend-push.tgz");
 * match(renderMarkdown(analyze(await openBundle(bytes))), /UDP sockets/);
 * ```
 *
 * @module
 */
export type { BundleFiles } from "./bundle/files.ts";
export { type BundleLimits, defaultLimits } from "./bundle/limits.ts";
export * from "./bundle/open.ts";
export * from "./bundle/redact.ts";
export * from "./bundle/tar_write.ts";
export * from "./computed/ledger.ts";
export * from "./computed/load.ts";
export * from "./computed/trend.ts";
export * from "./core/analyzer.ts";
export * from "./core/bundle.ts";
export * from "./core/comparison.ts";
export * from "./core/collector.ts";
export * from "./core/errors.ts";
export * from "./core/format.ts";
export * from "./core/ledger.ts";
export * from "./core/manifest.ts";
export * from "./core/remedy.ts";
export * from "./core/remedy_marks.ts";
export * from "./core/remedy_programs.ts";
export * from "./core/report.ts";
export * from "./core/source.ts";
export * from "./core/summary.ts";
export * from "./core/version.ts";
export type { LimitDraft } from "./engine/_exhaustion.ts";
export { type EventDraft, type Preset, presetSources, type PressureDraft } from "./engine/analyze.ts";
export * from "./engine/compare.ts";
export { type Plugin, PluginError } from "./engine/plugins.ts";
export * from "./preset.ts";
export { renderComparisonHtml } from "./render/compare_html.ts";
export { renderComparisonMarkdown } from "./render/compare_markdown.ts";
export { renderComparisonText } from "./render/compare_text.ts";
export * from "./render/html.ts";
export * from "./render/json.ts";
export * from "./render/markdown.ts";
export { renderSummaryHtml } from "./render/summary_html.ts";
export { renderSummaryMarkdown } from "./render/summary_markdown.ts";
export { renderSummaryText } from "./render/summary_text.ts";
export * from "./render/text.ts";
export { parseReport, reportJsonSchema } from "./engine/report_schema.ts";
export * from "./engine/summarize.ts";
export {
  analyze,
  type AnalyzeOptions,
  type BundleInput,
  observe,
  openBundle,
  type OpenBundleOptions,
  type PresetBundle,
} from "./sdk.ts";
