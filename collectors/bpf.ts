import { type Collector, defineCollector } from "../src/core/collector.ts";

/** Maps of BPF programs. */
export const bpf: Collector = defineCollector({
  id: "bpf",
  title: "BPF maps",
  why:
    "Maps are kernel memory that stays as long as a program, a descriptor or a file in bpffs holds them, with no process at all.",
  priority: 47,
  captures: [
    { kind: "command", argv: ["bpftool", "-j", "map", "list"], as: "sos_commands/ebpf/bpftool_-j_map_list" },
    { kind: "command", argv: ["bpftool", "-j", "prog", "list"], as: "sos_commands/ebpf/bpftool_-j_prog_list" },
    {
      kind: "command",
      argv: ["find", "/sys/fs/bpf", "-xdev", "-maxdepth", "4", "-type", "f"],
      as: "sos_commands/ebpf/find_.sys.fs.bpf",
    },
  ],
});
