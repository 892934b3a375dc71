// A range query of node_exporter's memory series, as Prometheus (and what speaks its API) answers it:
//
//   curl 'http://PROMETHEUS:9090/api/v1/query_range' --data-urlencode 'query={__name__=~"node_memory_.*_bytes",instance="HOST:9100"}' ...
//
// https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries; collector/meminfo.go of node_exporter
//
//   {"status":"success","data":{"resultType":"matrix","result":[
//     {"metric":{"__name__":"node_memory_MemFree_bytes","instance":"vm:9100","job":"node"},"values":[[1795427346,"387448832"],...]},...]}}
import en from "zod/v4/locales/en.js";
import * as z from "zod/mini";
import { ParseError } from "../core/errors.ts";
import { append } from "../core/group_by.ts";
import type { ParseContext } from "../core/source.ts";
import { quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import { lineCounter, plausibleTime, type RecordedMemory, type RecordedPoint } from "./_recorded_memory.ts";

/** Made only for a bundle that has such an answer. */
function responseSchema() {
  return z.object({
    data: z.object({
      resultType: z.literal("matrix"),
      result: z.array(z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])),
      })),
    }),
  });
}

type Series = z.infer<ReturnType<typeof responseSchema>>["data"]["result"][number];

/** Before node_exporter 0.16 without the unit. */
const NAME = /^node_memory_(\w+?)(?:_bytes)?$/;
/** Numbers of huge pages, and address space, which may be above 2^53. */
const NO_BYTES = /^(?:HugePages_|VmallocTotal$)/;
const EXPECTED = "Cannot parse Prometheus' answer: not that of /api/v1/query_range";

/**
 * Parses the answer to a range query. Of several hosts the one with the bundle's host name is taken; a single one is taken whatever its name.
 *
 * @throws {ParseError} if it is no such answer, or has no memory series of this host.
 *
 * @example
 * ```ts
 * import { parsePrometheusMemory } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"node_memory_Slab_bytes","instance":"vm:9100"},' +
 *   '"values":[[1795427346,"8192"]]}]}}';
 * const [point] = parsePrometheusMemory(text, { facts: {}, warn() {} }).points;
 * strictEqual(point?.bytes.get("Slab"), 8192);
 * ```
 */
export function parsePrometheusMemory(text: string, context: ParseContext): RecordedMemory {
  const { name, series } = ofHost(readSeries(text), context);
  const byTime = new Map<number, { time: number; line: number; bytes: Map<string, number> }>();
  const lineAt = lineCounter(text);
  for (const { field, values } of series) {
    const line = lineAt(text.indexOf(`"node_memory_${field}`));
    for (const [seconds, amount] of values) {
      const time = plausibleTime(Math.round(seconds * 1000));
      const bytes = parseCount(amount);
      if (time === undefined || bytes === undefined) {
        context.warn(line, `not a time and bytes of ${field}: ${quote(`${seconds} ${amount}`)}`);
        continue;
      }
      const point = byTime.get(time) ?? { time, line, bytes: new Map() };
      // Two jobs may scrape the same host: the first series counts.
      if (!point.bytes.has(field)) point.bytes.set(field, bytes);
      byTime.set(time, point);
    }
  }
  const points: RecordedPoint[] = [...byTime.values()].sort((a, b) => a.time - b.time);
  if (points.length === 0) throw new ParseError(`${EXPECTED} with values of node_memory_*_bytes`, { text });
  return { recorder: "prometheus", hostname: name, clock: "utc", points, restarts: [] };
}

function readSeries(text: string): readonly Series[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ParseError(`${EXPECTED}: ${error instanceof Error ? error.message : String(error)}`, { text });
  }
  const parsed = responseSchema().safeParse(json, { error: en().localeError });
  if (parsed.success) return parsed.data.data.result;
  const [issue] = parsed.error.issues;
  throw new ParseError(`${EXPECTED}: ${issue?.path.join(".")}: ${issue?.message}`, { text });
}

interface MemorySeries extends Series {
  readonly field: string;
}

/** Which series are of the bundle's host. */
function ofHost(
  all: readonly Series[],
  { facts: { hostname }, warn }: ParseContext,
): { readonly name: string | undefined; readonly series: readonly MemorySeries[] } {
  const byInstance = new Map<string, MemorySeries[]>();
  for (const series of all) {
    const field = NAME.exec(series.metric["__name__"] ?? "")?.[1];
    if (field === undefined) warn(1, `not a memory series of node_exporter: ${quote(JSON.stringify(series.metric))}`);
    else if (!NO_BYTES.test(field)) append(byInstance, series.metric["instance"] ?? "", { ...series, field });
  }
  const [only, ...others] = byInstance;
  if (only === undefined) throw new ParseError(`${EXPECTED} of series named node_memory_*_bytes`);
  if (others.length === 0) return { name: undefined, series: only[1] };
  const wanted = shortName(hostname ?? "");
  const match = [...byInstance.values()].find(([series]) =>
    Object.values((series as MemorySeries).metric).some((label) => wanted !== "" && shortName(label) === wanted)
  );
  if (match !== undefined) return { name: hostname, series: match };
  throw new ParseError(
    `Cannot tell which series are of ${hostname ?? "this host"}: none of the ${byInstance.size} instances (${
      [...byInstance.keys()].slice(0, 5).join(", ")
    }, ...) has its name; query one instance only`,
  );
}

/** `web1` of `web1.example.com:9100`; an address stays whole. */
function shortName(label: string): string {
  const host = label.replace(/:\d+$/, "").toLowerCase();
  return /^[\d.]+$/.test(host) ? host : host.split(".")[0] as string;
}
