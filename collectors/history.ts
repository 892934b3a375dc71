import { type Collector, defineCollector } from "../src/core/collector.ts";

/** What other tools recorded before. */
export const history: Collector = defineCollector({
  id: "history",
  title: "History of memory",
  why: "Since when the memory went: what sysstat recorded over the last days, and free now.",
  priority: 90,
  captures: [
    { kind: "command", argv: ["free"], as: "sos_commands/memory/free", changing: true },
    // Two weeks of a machine with a hundred disks and interfaces.
    { kind: "folder", path: "/var/log/sa", maxBytes: 32 * 2 ** 20 },
    { kind: "folder", path: "/var/log/sysstat", maxBytes: 32 * 2 ** 20 },
  ],
});
