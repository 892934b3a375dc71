import { type Collector, defineCollector } from "../src/core/collector.ts";

/**
 * The newest week of sysstat's binary files as JSON in UTC: on another machine they need the same version of sysstat. `-r ALL` has anonymous
 * memory and slab, and is an error before sysstat 11.1.
 */
const CONVERT = `command -v sadf >/dev/null || exit 127
for folder in /var/log/sa /var/log/sysstat; do
  [ ! -d "$folder" ] || ls -t "$folder" | grep -E '^sa[0-9]+$' | head -n 7 | sed "s,^,$folder/,"
done | xargs -r -I FILE sh -c 'sadf -j FILE -- -r ALL 2>/dev/null || sadf -j FILE -- -r' | grep . || exit 127`;

/** What other tools recorded before. */
export const history: Collector = defineCollector({
  id: "history",
  title: "History of memory",
  why: "Since when the memory went: what sysstat recorded over the last days, and free now.",
  priority: 90,
  captures: [
    { kind: "command", argv: ["free"], as: "sos_commands/memory/free", changing: true },
    // In this zone sar prints its times.
    { kind: "command", argv: ["date"], as: "sos_commands/date/date" },
    { kind: "command", argv: ["date", "-u"], as: "sos_commands/date/date_--utc" },
    { kind: "command", argv: ["sh", "-c", CONVERT], as: "sos_commands/sar/sadf_-j", maxBytes: 16 * 2 ** 20 },
    // Two weeks of a machine with a hundred disks and interfaces.
    { kind: "folder", path: "/var/log/sa", maxBytes: 32 * 2 ** 20 },
    { kind: "folder", path: "/var/log/sysstat", maxBytes: 32 * 2 ** 20 },
  ],
});
