/**
 * Analyzing bundles as large as they get, against the least that can be done with them: decompress, and look at every line. And small ones
 * against the start of the runtime.
 */
import { fileURLToPath } from "node:url";
import { formatBytes } from "../../src/core/format.ts";
import {
  type Command,
  type Cost,
  type Family,
  limited,
  measureByTurns,
  ratios,
  type Row,
  type Settings,
} from "./_measure.ts";
import { cached, type Kind, kinds } from "./bundles/mod.ts";

const MAX_PEAK_BYTES = 250 * 2 ** 20;
/** A size by the one before it is 2. */
const SIZES = 4;
const MAX_EXPONENT = 1.1;
/** Runs of tens of milliseconds are measured so many times as often. */
const SHORT = 5;

const decompress = fileURLToPath(new URL("_decompress.js", import.meta.url));
const analyze = (bundle: string): Command => () => ["node", "dist/cli.js", "analyze", "-f", "json", bundle];

/** The slope of a line through the logarithms: time grows as size to this power. */
export function exponent(sizes: readonly number[], times: readonly number[]): number {
  const [x, y] = [sizes.map(Math.log), times.map(Math.log)];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [middleX, middleY] = [mean(x), mean(y)];
  const covariance = x.reduce((sum, value, i) => sum + (value - middleX) * ((y[i] as number) - middleY), 0);
  return covariance / x.reduce((sum, value) => sum + (value - middleX) ** 2, 0);
}

async function rowsOf(name: string, kind: Kind, { runs: fewest, divisor }: Settings): Promise<Row[]> {
  const { largest, unit, often = 1 } = kind;
  const runs = fewest * often;
  const sizes = Array.from({ length: SIZES }, (_, i) => Math.round(largest / divisor / 2 ** (SIZES - 1 - i)));
  const bundles: string[] = [];
  for (const size of sizes) bundles.push(await cached(name, size));
  const bundle = bundles.at(-1) as string;
  const [ours, lines, gzip] = measureByTurns([
    analyze(bundle),
    () => ["node", decompress, bundle],
    () => ["sh", "-c", 'gzip -dc "$0" | wc -l', bundle],
  ], runs) as [Cost, Cost, Cost];
  const smaller = measureByTurns(bundles.slice(0, -1).map(analyze), runs);
  const times = [...smaller, ours].map((cost) => cost.wallSeconds);
  const title = `analyze ${sizes.at(-1)} ${unit}`;
  return [
    ...ratios(`${title} : decompress, count lines`, ours, lines, { wall: 2 }).slice(0, 2),
    ...ratios(`${title} : gzip -dc | wc -l`, ours, gzip, { wall: 6 }).slice(0, 1),
    limited(
      { name: title, measure: "peak memory", figures: "resident" },
      ours.processPeakBytes,
      MAX_PEAK_BYTES,
      formatBytes,
    ),
    limited(
      { name: title, measure: "exponent", figures: times.map((time) => `${time.toFixed(1)} s`).join(", ") },
      exponent(sizes, times),
      MAX_EXPONENT,
    ),
  ];
}

export const family: Family = {
  needs: {},
  about:
    "`decompress, count lines` is test/bench/_decompress.js: it calls one native function a line, of a stream that is decompressed on another core meanwhile. What bounds " +
    "the rows: a small bundle, and 20,000 slab caches in 5 MB, the start of the runtime and code that runs for the first time (what V8 made of it is kept beside " +
    "dist/cli.js, so it is not compiled again); a million sockets (376 MB), the decompression, and that the 20,000 rows that matter are parsed and judged by code that V8 has not optimized yet; 50,000 processes, " +
    "that they are 350,000 files, each with a header to be verified, a name, a place to be kept and a text to be parsed, some 8 microseconds together; 10,000 " +
    "snapshots (1.6 GB in 650,000 files) and 2 GB of sosreport, the decompression itself.",
  async *rows(settings) {
    const node: Command = () => ["node", "-e", "0"];
    const [start, small, help, version] = measureByTurns([
      node,
      analyze("samples/friend-push.tgz"),
      () => ["node", "dist/cli.js", "--help"],
      () => ["node", "dist/cli.js", "--version"],
    ], settings.runs * SHORT) as [Cost, Cost, Cost, Cost];
    yield* ratios("analyze samples/friend-push.tgz : node -e 0", small, start, { wall: 3 });
    yield* ratios("nailhouse --help : node -e 0", help, start, {}).slice(0, 1);
    yield* ratios("nailhouse --version : node -e 0", version, start, {}).slice(0, 1);
    for (const [name, kind] of Object.entries(kinds)) yield* await rowsOf(name, kind, settings);
  },
};
