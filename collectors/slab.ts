import { type Collector, defineCollector } from "../src/core/collector.ts";

/** What the kernel's own allocator holds, by cache. */
export const slab: Collector = defineCollector({
  id: "slab",
  title: "Kernel slab caches",
  why:
    "Which cache holds the slab memory. The links tell which caches of one size the kernel merged under another's name.",
  priority: 15,
  captures: [
    { kind: "file", path: "/proc/slabinfo", changing: true, recorded: true },
    { kind: "command", argv: ["ls", "-l", "/sys/kernel/slab"], as: "sos_commands/memory/ls_-l_.sys.kernel.slab" },
    // Only with slub_debug=U. The most frequent callers come first.
    { kind: "file", path: "/sys/kernel/debug/slab/*/alloc_traces", maxBytes: 64 * 1024 },
  ],
});
