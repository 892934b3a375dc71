import { type Collector, defineCollector } from "../src/core/collector.ts";

/** What the kernel said. */
export const kernelLog: Collector = defineCollector({
  id: "kernel-log",
  title: "Kernel log",
  why: "Out-of-memory reports with their memory map and task table, failed allocations, limits that were hit.",
  priority: 50,
  captures: [
    { kind: "command", argv: ["dmesg"], as: "sos_commands/kernel/dmesg" },
  ],
});
