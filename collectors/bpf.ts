import { type Collector, defineCollector } from "../src/core/collector.ts";

/**
 * What `bpftool -j map list` tells, on a host that lacks it: BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, and for the name
 * BPF_OBJ_GET_INFO_BY_FD (bpf(2), Linux 4.15). The descriptor's fdinfo tells the rest.
 */
const MAPS = `use strict; use warnings; use POSIX ();
my $machine = (POSIX::uname())[4];
my %number = (x86_64 => 321, aarch64 => 280, riscv64 => 280, loongarch64 => 280, s390x => 351, ppc64le => 361, ppc64 => 361);
my $bpf = $number{$machine} or die "no number of bpf(2) for $machine\\n";
my ($id, $left, $comma) = (0, 4096, ""); print "[";
while ($left-- > 0) {
  my $next = pack "L4", $id, 0, 0, 0; last if syscall($bpf, 12, $next, 16) < 0; $id = (unpack "L4", $next)[1];
  my $by_id = pack "L4", $id, 0, 0, 0; my $fd = syscall($bpf, 14, $by_id, 16); next if $fd < 0;
  my $info = "\\0" x 80; my $get = pack "L2 Q", $fd, 80, unpack "Q", pack "P", $info; syscall($bpf, 15, $get, 16);
  my %f; if (open my $file, "<", "/proc/self/fdinfo/$fd") { while (<$file>) { $f{$1} = $2 if /^(\\w+):\\s+(\\d+)$/ } }
  my ($name) = unpack "x24 Z16", $info; $name =~ s/[^\\w.]//g; POSIX::close($fd);
  printf qq(%s{"id":%d,"type":%d,"name":"%s","bytes_key":%d,"bytes_value":%d,"max_entries":%d,"bytes_memlock":%s}\\n), $comma, $id,
    $f{map_type} // 0, $name, $f{key_size} // 0, $f{value_size} // 0, $f{max_entries} // 0, $f{memlock} // "null"; $comma = ",";
}
print "]\\n";`;

/** Maps of BPF programs. */
export const bpf: Collector = defineCollector({
  id: "bpf",
  title: "BPF maps",
  why:
    "Maps are kernel memory that stays as long as a program, a descriptor or a file in bpffs holds them, with no process at all.",
  priority: 46,
  captures: [
    { kind: "command", argv: ["bpftool", "-j", "map", "list"], as: "sos_commands/ebpf/bpftool_-j_map_list" },
    { kind: "command", argv: ["perl", "-e", MAPS], as: "sos_commands/ebpf/maps" },
    {
      kind: "command",
      argv: ["find", "/sys/fs/bpf", "-xdev", "-maxdepth", "4", "-type", "f"],
      as: "sos_commands/ebpf/find_.sys.fs.bpf",
    },
  ],
});
