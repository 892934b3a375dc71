/**
 * A plug-in for an in-house daemon that counts what it holds: it writes `/run/cached/counters`, with `cache_bytes` and the `cache_limit_bytes`
 * it promises to keep. The collector captures the file, the analyzer judges it.
 *
 *   nailhouse collect --plugin cached.ts -o b.tgz && nailhouse analyze --plugin cached.ts b.tgz
 */
import {
  type Analyzer,
  type Collector,
  defineAnalyzer,
  defineArtifact,
  defineCollector,
  formatBytes,
  ParseError,
} from "nailhouse";

export const collector: Collector = defineCollector({
  id: "cached",
  title: "The counters of cached",
  why: "Its memory is a cache that it promises to bound.",
  priority: 50,
  captures: [{ kind: "file", path: "/run/cached/counters", changing: true }],
});

interface Counters {
  readonly pid: number;
  readonly cacheBytes: number;
  readonly limitBytes: number;
  /** Line of `cache_bytes`. */
  readonly line: number;
}

function parseCounters(text: string): Counters {
  const lines = text.split("\n");
  const count = (name: string): number => {
    const line = lines.find((each) => each.startsWith(`${name} `));
    const value = Number(line?.slice(name.length + 1));
    if (line === undefined || !Number.isSafeInteger(value) || value < 0) throw new ParseError(`${name} is no number`);
    return value;
  };
  return {
    pid: count("pid"),
    cacheBytes: count("cache_bytes"),
    limitBytes: count("cache_limit_bytes"),
    line: lines.findIndex((each) => each.startsWith("cache_bytes ")) + 1,
  };
}

const counters = defineArtifact({
  name: "counters of cached",
  paths: ["run/cached/counters"],
  howToCapture: "cat /run/cached/counters",
  parse: parseCounters,
});

export const analyzer: Analyzer = defineAnalyzer({
  id: "cached-over-limit",
  title: "The cache of cached is beyond its limit",
  mechanism: "cached drops entries when a client asks for more; when no client comes, expired entries stay.",
  lookAlikes: "user-leak: the same memory, seen from outside.",
  references: [],
  needs: { counters },
  uses: {},
  analyze({ counters: { path, value } }) {
    const { pid, cacheBytes, limitBytes, line } = value;
    if (cacheBytes <= limitBytes) {
      return { ruledOut: `its cache holds ${formatBytes(cacheBytes)} of ${formatBytes(limitBytes)}` };
    }
    const over = cacheBytes - limitBytes;
    return {
      findings: [{
        title: `cached: ${formatBytes(over)} beyond its limit`,
        confidence: "confirmed",
        material: true,
        claims: [{ account: "anon", bytes: { low: over, high: over } }],
        owners: [{ pid, comm: "cached", bytes: cacheBytes, count: 1, detail: "its cache" }],
        evidence: [{ path, line, because: `the limit is ${formatBytes(limitBytes)}` }],
        remedies: [{
          when: "now",
          text: "Let it drop what has expired.",
          commands: [`kill -USR1 ${pid}`],
          verify: "cache_bytes in /run/cached/counters falls below cache_limit_bytes",
        }],
      }],
    };
  },
});
