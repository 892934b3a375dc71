import { type Collector, defineCollector } from "../src/core/collector.ts";

/**
 * How much of transparent huge pages is in use, which no file tells: of each of the eight processes with the most of them, up to 32
 * evenly spread ones are looked at, and their pages counted that are all zero, as the kernel itself does to find huge pages that are hardly
 * used (thp_underused(), Linux 6.12). Nothing of what is in them is kept or shown. Nothing is looked at where there is too little of
 * them to matter; at most 512 MiB are read.
 */
const CONTENTS = `use strict; use warnings; no warnings "portable";
sub first { open my $file, "<", shift or return ""; my $line = <$file>; $line // "" }
sub field { my ($path, $name) = @_; open my $file, "<", $path or return 0;
  while (my $line = <$file>) { return $1 * 1024 if $line =~ /^$name:\\s+(\\d+) kB/ } 0 }
my $all = field("/proc/meminfo", "AnonHugePages");
print "# AnonHugePages $all bytes\\n";
exit if $all < 32 * 1048576;
my $huge = first("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size") + 0 or exit;
my $small = qx(getconf PAGE_SIZE) + 0 or exit;
my ($step, $zeros) = ($huge / 512, "\\0" x $small);
opendir my $proc, "/proc" or die;
my %anon = map { $_ => field("/proc/$_/status", "RssAnon") || field("/proc/$_/status", "VmRSS") } grep { /^\\d+$/ } readdir $proc;
my @largest = grep { $anon{$_} >= 32 * 1048576 } sort { $anon{$b} <=> $anon{$a} || $a <=> $b } keys %anon;
splice @largest, 32 if @largest > 32;
my %has = map { $_ => field("/proc/$_/smaps_rollup", "AnonHugePages") } @largest;
my @most = grep { $has{$_} >= 32 * 1048576 } sort { $has{$b} <=> $has{$a} || $a <=> $b } keys %has;
splice @most, 8 if @most > 8;
open my $flags, "<:raw", "/proc/kpageflags" or exit;
print "# pid bytes_in_huge_pages looked_at all_zero pages_of_the_others zero_pages_of_the_others\\n";
for my $pid (@most) {
  open my $smaps, "<", "/proc/$pid/smaps" or next;
  my ($from, $to, @slots) = (0, 0);
  while (<$smaps>) {
    ($from, $to) = (hex $1, hex $2) if /^([0-9a-f]+)-([0-9a-f]+) /;
    next unless /^AnonHugePages:\\s+(\\d+) kB/ && $1;
    my $at = $huge * int(($from + $huge - 1) / $huge);
    push @slots, [$at, int(($to - $at) / $huge)] if $at + $huge <= $to;
  }
  my $count = 0; $count += $_->[1] for @slots;
  open my $map, "<:raw", "/proc/$pid/pagemap" or next;
  open my $memory, "<:raw", "/proc/$pid/mem" or next;
  my ($looked, $empty, $pages, $zero) = (0, 0, 0, 0);
  # A range need not be all huge: twice as many places are tried as are looked at.
  my $tries = $count < 64 ? $count : 64;
  for my $try (0 .. $tries - 1) {
    last if $looked == 32;
    my $index = int(($try + 0.5) * $count / $tries); my $address;
    for (@slots) { if ($index < $_->[1]) { $address = $_->[0] + $index * $huge; last } $index -= $_->[1] }
    sysseek $map, $address / $small * 8, 0 and 8 == (sysread($map, my $entry, 8) // 0) or next;
    my $frame = unpack("Q", $entry); next unless $frame >> 63; $frame &= (1 << 55) - 1;
    sysseek $flags, $frame * 8, 0 and 8 == (sysread($flags, my $kind, 8) // 0) or next;
    next unless unpack("Q", $kind) >> 22 & 1;
    my ($bad, $here) = (0, 0);
    for my $page (0 .. 511) {
      sysseek $memory, $address + $page * $step, 0 and $small == (sysread($memory, my $bytes, $small) // 0) or $bad = 1, last;
      $here++ if $bytes eq $zeros;
    }
    next if $bad;
    $looked++;
    if ($here == 512) { $empty++ } else { $pages += 512; $zero += $here }
  }
  print "$pid $has{$pid} $looked $empty $pages $zero\\n" if $looked;
}`;

/** What a huge page takes and what of it is used. */
export const hugePages: Collector = defineCollector({
  id: "huge-pages",
  title: "Use of transparent huge pages",
  why: "A huge page is resident as a whole, however little of it was ever written: only its contents tell a large working set from a bloated small one.",
  priority: 95,
  captures: [
    { kind: "command", argv: ["perl", "-e", CONTENTS], as: "sos_commands/process/huge_page_contents" },
  ],
});
