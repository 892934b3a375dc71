import { type Collector, defineCollector } from "../src/core/collector.ts";

/**
 * Descriptors of memfds and of deleted files, as `ls`, `stat` and /proc/PID/maps print them: no mount shows these. Processes with
 * the fewest descriptors are looked at first, 16,384 in all, which costs the kernel 15 MB at most (0.9 KB each): of each all that there is room for, and else 256
 * evenly spread ones; nothing is looked at where there is too little shared memory to matter, and too few huge pages in use (which a memfd can be made of, too). Before Linux 6.2 the size of the
 * descriptor table stands in for the number, most of which may be empty: of those that were looked at each stands for as many as were passed over. Of sockets the kernel tells how many descriptors wait in messages to be received (Linux 5.10): who reads has
 * received them a second later. Of files that have a name and are on a tmpfs, of any mount namespace, it is told that they are open, which are in use: by their path, so that nothing is
 * waited for that lies on a server. A descriptor of a mount that its process does not have keeps a tmpfs that was unmounted (umount -l).
 */
const DESCRIPTORS = `exec 2>/dev/null
awk '/^Shmem:/ { print "# " $0; shmem = $2 }
  /^HugePages_Total:/ { huge += $2 }
  /^HugePages_Free:/ { huge -= $2 }
  END { exit shmem < 32768 && huge < 16 }' /proc/meminfo || exit 0
each() { for file in /proc/[0-9]*/"$1"; do echo "$file"; done; }
sizes=$(each fd | xargs -r stat -c '%s %n' | awk '$1 > 0' | sort -n)
slots=
[ -n "$sizes" ] || { slots=1; sizes=$(each status | xargs grep -H -E '^(FDSize|VmRSS):' | sed 's,/status:,/fd ,' | awk '
  $2 == "FDSize:" { size = $3 }
  $2 == "VmRSS:" { print size, $1 }' | sort -n); }
links=$(echo "$sizes" | awk -v left=16384 '
  (left -= ($1 > 256 ? 256 : $1)) >= 0 { count[++n] = $1; fd[n] = $2; spare = left }
  END { for (i = 1; i <= n; i++) print (count[i] > 256 && (spare -= count[i] - 256) < 0 ? "some" : "all"), count[i], fd[i] }
  ' | while read -r looked count fd; do
  if [ "$looked" = all ]; then step=1; else step=$((count / 256 + 1)); fi
  if [ "$step" = 1 ]; then ls -ln "$fd"/*; else seq 0 "$step" "$count" | sed "s,^,$fd/," | xargs ls -ln; fi |
    awk -v step="$step" -v slots="$slots" -v count="$count" -v fd="$fd" '
    / -> / { looked++ }
    / -> \\/memfd:|\\(deleted\\)$/ { print; found = 1; next }
    / -> socket:/ { print }
    match($0, / \\/proc\\/[0-9]+\\/fd\\/[0-9]+ -> \\//) { print "open " substr($0, RSTART + 1) }
    END { if (found) print "# looked", looked, "of", (slots || step == 1 ? looked * step : count), fd }'
done)
sockets=$(echo "$links" | sed -n 's,.* \\(/proc/[0-9]*\\)/fd/\\([0-9]*\\) -> socket:.*,\\1/fdinfo/\\2,p')
flight=$(echo "$sockets" | xargs -r grep -H '^scm_fds:.*[1-9]')
if [ -n "$flight" ]; then
  echo "$flight"
  sleep 1
  echo "$flight" | sed 's/:.*//' | xargs grep -H '^scm_fds:'
fi
open=$({ { echo /proc/self/ns/mnt; each ns/mnt; } | xargs stat -L -c '%i %n'; echo "$links" | sed -n 's/^open //p'; } | awk '
  $2 == "/proc/self/ns/mnt" { own = $1; next }
  $2 ~ /\\/ns\\/mnt$/ { split($2, part, "/"); space[part[3]] = $1; next }
  { at = index($0, " -> "); fd = substr($0, 1, at - 1); path = folder = substr($0, at + 4)
    split(fd, part, "/"); ns = space[part[3]]; file = "/proc/" (ns == own ? "self" : part[3]) "/mounts"
    if (!(ns in read)) { while ((getline row < file) > 0) { split(row, word, " "); gsub(/\\\\040/, " ", word[2]); type[ns, word[2]] = word[3]; read[ns] = 1 }; close(file) }
    while (sub(/\\/[^\\/]*$/, "", folder) && folder != "") if ((ns, folder) in type) { if (type[ns, folder] == "tmpfs") print "named", fd; next }
    if (path ~ /^\\/[^\\/]*$/) print "loose", fd }')
echo "$open" | sed -n 's/^named //p' | xargs -r timeout 3 stat -L -c '%F,%b %B %d %i %n' |
  awk -F, '$1 == "regular file" { print "# open", $2 }' | sort -k3,3rn | head -n 1024
echo "$open" | sed -n 's,^loose \\(/proc/[0-9]*\\)/fd/,\\1/fdinfo/,p' | xargs -r grep -H '^mnt_id:' | awk '
  { split($0, part, /[\\/:\\t ]+/); pid = part[3]; file = "/proc/" pid "/mountinfo"
    if (!(pid in seen)) { while ((getline row < file) > 0) { split(row, word, " "); here[pid, word[1]] = 1 }; close(file) }
    seen[pid] = 1
    if (!((pid, part[7]) in here)) print "/proc/" pid "/fd/" part[5] }' |
  xargs -r timeout 3 stat -L -f -c '%T %S %b %f %n' | awk '$1 == "tmpfs" { print $3 - $4, $2, $5 }' |
  while read -r blocks size fd; do
    device=$(stat -L -c %d "$fd")
    # A part of it may be mounted elsewhere (mount --bind). As makedev() packs the number.
    grep -q " 0:$((device % 256 + device / 1048576 * 256)) " /proc/self/mountinfo ||
      echo "# unmounted $blocks $size $device $fd"
  done | sort -k3,3rn | head -n 64
links=$(echo "$links" | grep -v -e ' -> socket:' -e '^open ')
[ -n "$links" ] || exit 0
echo "$links"
found=$(echo "$links" | sed -n 's,.* \\(/proc/[0-9]*/fd/[0-9]*\\) -> .*,\\1,p')
echo "$found" | xargs stat -L -c '%b %B %d %i %n'
echo "$found" | xargs stat -L -f -c '%T %n'
echo "$found" | sed 's,/fd/.*,/maps,' | sort -u | xargs grep -H -E '/memfd:|\\(deleted\\)$' | head -n 4096`;

/** Whether there is enough shared memory to matter. */
const ENOUGH = "awk '/^Shmem:/ { exit $2 < 32768 }' /proc/meminfo";

/**
 * The largest files of each tmpfs, hugetlbfs and ramfs that is mounted here. Their dentries and inodes are in memory anyway, so looking at them costs
 * none. What a ramfs holds in all stands as its own folder, because df shows 0 of it; and so does a tmpfs of another mount namespace (a
 * container's), of which df shows nothing: it is looked at through a process of that namespace, where there is enough shared memory to matter
 * (200 such namespaces took 0.2 s), and files are listed of the 16 fullest.
 * The last mount of a path is the one that is seen: below the others find would walk a disk. The system itself is not looked at where it
 * runs from memory. Blanks in paths are escaped by the kernel; printf's %b would take a digit behind one for part of its number. Line breaks and
 * tabs are too odd to undo.
 */
const FILES = `exec 2>/dev/null
unescape() { sed 's/\\\\040/ /g; s/\\\\043/#/g; s/\\\\134/\\\\/g'; }
each() { tr '\\n' '\\0' | xargs -0 -r "$@"; }
files() { find "$1" -xdev -type f -size +1024k ! -path '*[[:cntrl:]]*' -exec stat -c '%b %B %d %i %Y %n' {} +; }
here() {
  awk '{ type[$2] = $3 }
    END { for (path in type) if (type[path] ~ /^(dev)?tmpfs$|^hugetlbfs$/ || type[path] == "ramfs" && path != "/") print type[path], path
  }' /proc/mounts | unescape | while read -r type mount; do
    [ "$type" != ramfs ] || stat -c "$(du -skx "$mount" | awk '{ print 2 * $1; exit }') 512 %d %i %Y %n" "$mount"
    files "$mount"
  done
}
elsewhere() {
  ${ENOUGH} || return 0
  mounts=$(for ns in /proc/[0-9]*/ns/mnt; do echo "$ns"; done | xargs ls -ln |
    awk '/ -> / && !seen[$NF]++ { sub("ns/mnt", "mountinfo", $(NF - 2)); print $(NF - 2) }' |
    xargs grep -H -F ' - tmpfs ' /proc/self/mountinfo | awk '
      { split($1, part, "/"); if (part[3] == "self") here[$3] = 1; else device["/proc/" part[3] "/root" $5] = $3 }
      END { for (path in device) if (!(device[path] in here) && path !~ /\\\\01[12]/ && !seen[device[path]]++) print path }' |
    unescape | each stat -f -c '%T %S %b %f %n' | awk '$1 == "tmpfs" && (size = $2 * ($3 - $4)) > 1048576 {
      sub(/^[^ ]* [^ ]* [^ ]* [^ ]* /, ""); print size / 512, $0 }' |
    sort -rn | head -n 256)
  [ -n "$mounts" ] || return 0
  { printf '%s\\n' "$mounts"; printf '%s\\n' "$mounts" | cut -d' ' -f2- | each stat -c '. %d %i %Y %n'; } | awk '
    $1 != "." { size = $1; sub(/^[^ ]* /, ""); blocks[$0] = size; next }
    { found = substr($0, 3); sub(/^. [^ ]* [^ ]* [^ ]* /, ""); print blocks[$0], 512, found }'
  printf '%s\\n' "$mounts" | head -n 16 | while read -r blocks mount; do files "$mount"; done | sort -rn | head -n 64
}
{ here | sort -rn | head -n 64; elsewhere; } | sort -rn`;

/**
 * SysV segments of other IPC namespaces (a container's): /proc/sysvipc/shm shows those of whoever reads it. Only where there is enough shared memory to
 * matter, and of 64 namespaces at most: each takes a program to be started.
 */
const SEGMENTS = `exec 2>/dev/null
${ENOUGH} || exit 0
for ns in /proc/[0-9]*/ns/ipc; do echo "$ns"; done | xargs ls -ln | awk -v own="$(readlink /proc/self/ns/ipc)" '
  / -> / && $NF != own && !seen[$NF]++ { sub("/ns/ipc", "", $(NF - 2)); print $(NF - 2) }' | head -n 64 |
while read -r process; do
  echo "# $process"
  nsenter --ipc="$process/ns/ipc" cat /proc/sysvipc/shm
done`;

/** Memory that lies in a file which is on no disk: it belongs to no process until one maps it. */
export const sharedMemory: Collector = defineCollector({
  id: "shared-memory",
  title: "Shared memory, tmpfs, hugetlbfs and ramfs",
  why:
    "Which file, descriptor or segment holds shared memory that no process maps, and what is in a ramfs or a container's tmpfs, which df does not tell. Mounts and SysV segments are captured with the machine and its memory.",
  priority: 46,
  captures: [
    {
      kind: "command",
      argv: ["sh", "-c", DESCRIPTORS],
      as: "sos_commands/process/shared_memory_descriptors",
      maxBytes: 4 * 2 ** 20,
    },
    { kind: "command", argv: ["sh", "-c", FILES], as: "sos_commands/filesys/tmpfs_files" },
    { kind: "command", argv: ["sh", "-c", SEGMENTS], as: "sos_commands/process/sysvipc_shm_elsewhere" },
  ],
});
