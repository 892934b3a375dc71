import { type Collector, defineCollector } from "../src/core/collector.ts";

/** Number of bpf(2), and how its next id is asked for and opened. */
const BPF = `use strict; use warnings; use POSIX ();
my $machine = (POSIX::uname())[4];
my %number = (x86_64 => 321, aarch64 => 280, riscv64 => 280, loongarch64 => 280, s390x => 351, ppc64le => 361, ppc64 => 361);
my $bpf = $number{$machine} or die "no number of bpf(2) for $machine\\n";
my ($id, $left, $comma) = (0, 4096, "");
sub following { my ($command) = @_; return 0 if $left-- <= 0;
  my $next = pack "L4", $id, 0, 0, 0; return 0 if syscall($bpf, $command, $next, 16) < 0; $id = (unpack "L4", $next)[1] }
sub opened { my ($command) = @_; my $by_id = pack "L4", $id, 0, 0, 0; syscall($bpf, $command, $by_id, 16) }
sub address { unpack "Q", pack "P", $_[0] }
`;

/**
 * What `bpftool -j map list` tells, on a host that lacks it: BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, and for the name
 * BPF_OBJ_GET_INFO_BY_FD (bpf(2), Linux 4.15). The descriptor's fdinfo tells the rest.
 */
const MAPS = `${BPF}print "[";
while (following(12)) {
  my $fd = opened(14); next if $fd < 0;
  my $info = "\\0" x 80; my $get = pack "L2 Q", $fd, 80, address($info); syscall($bpf, 15, $get, 16);
  my %f; if (open my $file, "<", "/proc/self/fdinfo/$fd") { while (<$file>) { $f{$1} = $2 if /^(\\w+):\\s+(\\d+)$/ } }
  my ($name) = unpack "x24 Z16", $info; $name =~ s/[^\\w.]//g; POSIX::close($fd);
  printf qq(%s{"id":%d,"type":%d,"name":"%s","bytes_key":%d,"bytes_value":%d,"max_entries":%d,"bytes_memlock":%s}\\n), $comma, $id,
    $f{map_type} // 0, $name, $f{key_size} // 0, $f{value_size} // 0, $f{max_entries} // 0, $f{memlock} // "null"; $comma = ",";
}
print "]\\n";`;

/** Which maps the loaded programs use, of `bpftool -j prog list`: the same calls for programs, up to 256 maps each. */
const PROGRAMS = `${BPF}print "[";
while (following(11)) {
  my $fd = opened(13); next if $fd < 0;
  my $ids = "\\0" x 1024; my $info = pack "x52 L Q x16", 256, address($ids); my $get = pack "L2 Q", $fd, 80, address($info);
  my $failed = syscall($bpf, 15, $get, 16) < 0; POSIX::close($fd); next if $failed;
  my ($number) = unpack "x52 L", $info; my ($name) = unpack "x64 Z16", $info; $name =~ s/[^\\w.]//g;
  my @maps = unpack "L" . ($number < 256 ? $number : 256), $ids;
  printf qq(%s{"id":%d,"name":"%s","map_ids":[%s]}\\n), $comma, $id, $name, join ",", @maps; $comma = ",";
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
    { kind: "command", argv: ["bpftool", "-j", "prog", "list"], as: "sos_commands/ebpf/bpftool_-j_prog_list" },
    { kind: "command", argv: ["perl", "-e", MAPS], as: "sos_commands/ebpf/maps" },
    { kind: "command", argv: ["perl", "-e", PROGRAMS], as: "sos_commands/ebpf/programs" },
    {
      kind: "command",
      argv: ["find", "/sys/fs/bpf", "-xdev", "-maxdepth", "4", "-type", "f"],
      as: "sos_commands/ebpf/find_.sys.fs.bpf",
    },
  ],
});
