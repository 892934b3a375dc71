import type { Report } from "../../src/core/report.ts";
import { analyzeFiles, meminfoText, udpText } from "../analyzers/_bundle.ts";

const MIB = 2 ** 20;

/** A host on which one program's queues are full, looked at three times while they fill. */
export async function friendPush(hostname = "test"): Promise<Report> {
  const at = (bytes: number): { readonly [path: string]: string } => ({
    "proc/meminfo": meminfoText({ SUnreclaim: 20 * MIB + bytes }),
    "proc/net/udp": udpText(Array.from({ length: 100 }, () => ({ bytes: bytes / 100, drops: 5 }))),
  });
  const later = (time: string, bytes: number): { readonly [path: string]: string } =>
    Object.fromEntries(Object.entries(at(bytes)).map(([path, text]) => [`history/${time}/${path}`, text]));
  const report = await analyzeFiles({
    ...at(400 * MIB),
    ...later("2026-01-01T00:00:30.000Z", 500 * MIB),
    ...later("2026-01-01T00:01:00.000Z", 600 * MIB),
    "proc/500/status": "Name:\tfriend_push\nRssAnon:\t 100 kB\n",
    "sos_commands/process/socket_owners": Array.from(
      { length: 100 },
      (_, i) => `/proc/500/fd/3 -> socket:[${1001 + i}]\n`,
    ).join(""),
  });
  return { ...report, host: { ...report.host, hostname } };
}

/** Strings that are not text from a bundle: ids, levels, times. */
const FIXED = /^(?:[a-z]+(?:-[a-z0-9]+)*|\d{4}-\d\d-\d\dT[\d:.]+Z)$/;

/** The same report with `text` in place of every text that may come from a bundle. */
export function withEveryText(report: Report, text: string): Report {
  return JSON.parse(
    JSON.stringify(report),
    (_, value) => typeof value === "string" && !FIXED.test(value) ? text : value,
  ) as Report;
}
