import { expect, it } from "vitest";
import { reportOf } from "../../src/computed/oom_dump.ts";
import { parseKernelLog } from "../../src/parsers/kernel_log.ts";
import { parseOomReports } from "../../src/parsers/oom_report.ts";

const KILL = `[    1.0] a invoked oom-killer: gfp_mask=0x1, order=0
[    1.0] memory: usage 4kB, limit 4kB, failcnt 1
[    1.0] Memory cgroup out of memory: Killed process 7 (a) total-vm:1kB, anon-rss:1kB
`;

it("reportOf() finds each event's dump in time in proportion to the log's length", () => {
  const context = { facts: { pageSizeBytes: 4096 }, warn() {} };
  const text = KILL.repeat(60_000);
  const events = parseKernelLog(text, context);
  const reports = parseOomReports(text, context);
  const started = performance.now();
  expect(events.every((event, i) => reportOf(event, events, reports) === reports[i])).toBe(true);
  // 3.6 billion steps if each search began at the first one.
  expect(performance.now() - started).toBeLessThan(3000);
  expect(reportOf({ ...events[0] as typeof events[number], line: 180_001 }, events, reports)).toBeUndefined();
}, 60_000);
