/** The report's schema: for reports that come from elsewhere, and for publishing as JSON Schema. */
import * as z from "zod";
import type { Outcome } from "../core/analyzer.ts";
import type { Report } from "../core/report.ts";

const text = z.string();
const bytes = z.number();
const range = z.object({ low: bytes, high: bytes });
const time = z.iso.datetime();
const line = z.number().int().positive();
const confidence = z.enum(["confirmed", "likely", "possible"]);
const evidence = z.array(z.object({ path: text, line, text, because: text }));
const account = z.enum([
  "free",
  "per-cpu-free-lists",
  "page-cache",
  "buffers",
  "swap-cache",
  "shmem",
  "anon",
  "pinned-lru",
  "slab-reclaimable",
  "slab-unreclaimable",
  "slab",
  "kernel-misc-reclaimable",
  "kernel-stacks",
  "page-tables",
  "vmalloc",
  "percpu",
  "hugetlb",
  "zspages",
  "bounce",
  "writeback-tmp",
  "balloon",
  "gpu",
  "hardware-corrupted",
  "unaccounted",
]);

const finding = z.object({
  cause: text,
  title: text,
  confidence,
  material: z.boolean(),
  bytes: range,
  claims: z.array(z.object({ account, bytes: range })),
  growthBytesPerSecond: range.nullable(),
  exhaustion: z.object({ atLow: time, atHigh: time.nullable(), limit: text.exactOptional() }).nullable(),
  symptomOf: text.nullable(),
  owners: z.array(
    z.object({ pid: z.number().int().nullable(), comm: text, bytes, count: z.number().int(), detail: text }),
  ),
  evidence,
  remedies: z.array(z.object({ when: z.enum(["now", "fix", "prevent"]), text, commands: z.array(text), verify: text })),
});

/** Made only for who reads reports: to analyze a small bundle takes hardly longer than to make all schemas. */
const reportSchema = (): z.ZodType<Report> =>
  z.object({
    schemaVersion: z.literal(1, {
      error: ({ input }) =>
        typeof input === "number" && input > 1
          ? "this nailhouse reads schemaVersion 1: a newer one may be needed"
          : "it is not 1, as analyze -f json writes: this is no report",
    }),
    host: z.object({
      hostname: text.nullable(),
      kernelRelease: text.nullable(),
      capturedAt: time.nullable(),
      totalBytes: bytes.nullable(),
      snapshots: z.number().int(),
    }),
    verdict: z.enum(["cause-found", "healthy", "unexplained", "insufficient-evidence"]),
    pressure: z.object({ level: z.enum(["none", "rising", "short", "exhausted"]), because: text, evidence }),
    ledger: z.object({
      totalBytes: bytes,
      accounts: z.array(
        z.object({ id: account, title: text, bytes, sources: z.array(z.object({ path: text, line, text })) }),
      ),
      missing: z.array(text),
    }).nullable(),
    findings: z.array(finding),
    ruledOut: z.array(z.object({ cause: text, because: text })),
    notAssessed: z.array(z.object({ cause: text, missing: z.array(text), howToCapture: z.array(text) })),
    // Reports of 0.1.0 do not tell.
    events: z.array(z.object({
      kind: z.enum(["global-oom", "memcg-oom", "allocation-failure", "daemon-kill"]),
      secondsSinceBoot: z.number().nullable(),
      title: text,
      path: text,
      line,
      text,
    })).default([]),
    timeline: z.array(z.object({ at: time, availableBytes: bytes.nullable(), accounts: z.record(z.string(), bytes) })),
    warnings: z.array(text),
  }) satisfies z.ZodType<Report>;

/** What an analyzer, of a third party too, may hand over. */
export const outcomeSchema: z.ZodType<Outcome> = z.union([
  z.object({ ruledOut: text }),
  z.object({ notAssessed: z.array(z.object({ path: text, howToCapture: text })) }),
  z.object({
    findings: z.array(
      finding.omit({ cause: true, bytes: true }).extend({
        growthBytesPerSecond: range.optional(),
        exhaustion: finding.shape.exhaustion.optional(),
        symptomOf: text.optional(),
        // The engine looks the text up itself.
        evidence: z.array(z.object({ path: text, line, because: text })),
      }),
    ),
  }),
]) as z.ZodType<Outcome>;

/**
 * Reads a report that `analyze -f json` wrote, of this version of nailhouse or of any before it: a field that came later has a default here,
 * and a new `schemaVersion` would come with a step from the one before it. What it does not know is left out.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, parseReport, renderJson } from "nailhouse";
 * import { deepEqual } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * deepEqual(parseReport(renderJson(report)), report);
 * ```
 *
 * @throws {SyntaxError} If it is not JSON.
 * @throws {TypeError} If it is JSON, but no report of a version that is known.
 */
export function parseReport(json: string): Report {
  const parsed = reportSchema().safeParse(JSON.parse(json));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length === 0 ? "" : `${issue?.path.join(".")}: `;
  throw new TypeError(`Cannot read the report: ${where}${issue?.message}`, { cause: parsed.error });
}

/**
 * The report's JSON Schema (draft 2020-12).
 *
 * @example
 * ```ts
 * import { reportJsonSchema } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(reportJsonSchema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
 * ```
 */
export function reportJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(reportSchema()) as Readonly<Record<string, unknown>>;
}
