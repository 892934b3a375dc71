/** The parts of the shell collector that are the same whatever is captured. */
import { MANY_OPEN_FILES } from "../core/collector.ts";
import { shellWord } from "../core/shell.ts";
import { FIND_HELD, MAX_HELD_NAMESPACES } from "./_namespaces.ts";
import { censusProgram, namespacesProgram, ringProgram, writerProgram } from "./_script_awk.ts";

/** How it is used: the script's first comment, and what --help prints. */
export const usage: string = `
sh collect.sh [-o FILE] [--snapshots N] [--interval SEC] [--root DIR] [--only IDS] [--skip IDS]
              [--timeout SEC] [--max-size MB] [--history DIR|FILE]... [--quiet]
sh collect.sh --record DIR [--every SEC] [--keep DAYS] [--max-size MB] [--root DIR] [--quiet]
ssh HOST 'sh -s' < collect.sh > bundle.tgz
ssh HOST 'sh -s -- --snapshots 6' < collect.sh > bundle.tgz

Captures what tells where this host's memory is, into one .tgz file on standard output. Needs root for all of it; without,
it captures what it may. "nailhouse analyze bundle.tgz" reads it anywhere. It tells names, addresses and command lines: to take them
out before it is passed on, use "nailhouse redact bundle.tgz redacted.tgz" afterwards.

  -o, --output    write the bundle into this file instead
  --snapshots     how often to look (default 3): growth shows only over more than one
  --interval      seconds from one snapshot to the next (default 5)
  --root          where the host's root directory is mounted, if this runs in a container
  --only, --skip  collectors to run or to leave out, separated by commas
  --timeout       seconds for the whole (default 300)
  --max-size      MB of captured files for the whole, before compression (default 512)
  --history       what was recorded before: a folder that --record or "nailhouse record" wrote (/var/lib/nailhouse/ring is packed without
                  being asked for), or a file of sar, sadf, atop or a Prometheus range query
  --quiet         print nothing but errors
  --record        do not collect, but look at the small changing files again and again, and keep them in this folder as "nailhouse record"
                  does, until ended
  --every, --keep seconds from one look to the next (default 60), days after which a file is deleted (default 7); --max-size is that of the
                  folder then (default 256)

Each may come from the environment instead: NAILHOUSE_SNAPSHOTS=6, NAILHOUSE_MAX_SIZE=64, NAILHOUSE_QUIET=1, ...
The census of all pages is slow in sh, and taken only with --only page-flags or NAILHOUSE_CENSUS=1.
`.trim();

/** How it works, for whoever reads it before running it as root. */
export const explanation: string = `
It writes nothing but the bundle: no temporary file, neither on a disk, which may be full, nor on a tmpfs, which is memory. The
functions below send what they read, between lines that begin with a random mark, to one awk program, which writes the tar archive.
After a collector, and a second at least, a gzip member ends, so that a bundle which is cut off can be read up to there.
`.trim();

/** Settings, limits and the functions that captures are written in. */
export const functions: string = `
# No here-document anywhere: some shells put them into a temporary file.
usage() {
  printf '%s\\n' ${shellWord(usage)}
}

newline='
'
tab=$(printf '\\t')
export LC_ALL=C
PATH=\${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# A file of the kernel answers within a millisecond, or its lock is held by something stuck. Several are read at once.
file_seconds=10
# Longer files and outputs are cut here.
max_file=33554432
# A week of samples takes seconds.
ring_seconds=60

# ---- settings ----

wrong() {
  echo "nailhouse: $1 (see --help)" >&2
  exit 2
}

settings() {
  output=\${NAILHOUSE_OUTPUT:-}
  snapshots=\${NAILHOUSE_SNAPSHOTS:-3}
  interval=\${NAILHOUSE_INTERVAL:-5}
  root=\${NAILHOUSE_ROOT:-/}
  only=\${NAILHOUSE_ONLY:-}
  skip=\${NAILHOUSE_SKIP:-}
  timeout=\${NAILHOUSE_TIMEOUT:-300}
  max_size=\${NAILHOUSE_MAX_SIZE:-}
  record=\${NAILHOUSE_RECORD:-}
  history=\${NAILHOUSE_HISTORY:-}
  every=\${NAILHOUSE_EVERY:-60}
  keep=\${NAILHOUSE_KEEP:-7}
  quiet=\${NAILHOUSE_QUIET:-}
  census=\${NAILHOUSE_CENSUS:-}
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --quiet) quiet=1; shift; continue ;;
      --*=*)
        given=$1
        shift
        set -- "\${given%%=*}" "\${given#*=}" "$@"
        ;;
    esac
    [ $# -gt 1 ] || wrong "there is no option $1, or its value is missing"
    case $1 in
      -o | --output) output=$2 ;;
      --snapshots) snapshots=$2 ;;
      --interval) interval=$2 ;;
      --root) root=$2 ;;
      --only) only=$2 ;;
      --skip) skip=$2 ;;
      --timeout) timeout=$2 ;;
      --max-size) max_size=$2 ;;
      --record) record=$2 ;;
      --history) history="\${history:+$history$newline}$2" ;;
      --every) every=$2 ;;
      --keep) keep=$2 ;;
      *) wrong "there is no option $1" ;;
    esac
    shift 2
  done
  whole_number --snapshots "$snapshots"
  whole_number --timeout "$timeout"
  if [ -n "$record" ]; then max_size=\${max_size:-256}; else max_size=\${max_size:-512}; fi
  whole_number --max-size "$max_size"
  whole_number --every "$every"
  whole_number --keep "$keep"
  max_total=$((max_size * 1048576))
  case $interval in
    '' | . | *[!0-9.]* | *.*.*) wrong "--interval is a number of seconds, not \\"$interval\\"" ;;
    *.*) fraction=\${interval#*.}00 ;;
    *) fraction=00 ;;
  esac
  # In hundredths of a second, as /proc/uptime counts.
  wait_between=\${interval%%.*}$(printf '%.2s' "$fraction")
  # With zeros in front it would be octal.
  while [ "\${wait_between#0}" != "$wait_between" ]; do wait_between=\${wait_between#0}; done
  wait_between=\${wait_between:-0}
  [ -d "$root" ] || wrong "--root is a directory, and there is none at \\"$root\\""
  root=$(cd "$root" && pwd) || exit 2
  root=\${root%/}
  choose_collectors
}

whole_number() {
  case $2 in '' | 0* | *[!0-9]*) wrong "$1 is a whole number above 0, not \\"$2\\"" ;; esac
}

choose_collectors() {
  if [ -n "$only$skip" ]; then
    only=$(printf '%s' "$only" | tr -d ' ')
    skip=$(printf '%s' "$skip" | tr -d ' ')
    for id in $(printf '%s,%s' "$only" "$skip" | tr ',' ' '); do
      case " $collectors " in
        *" $id "*) ;;
        *) wrong "there is no collector \\"$id\\"; there are $collectors" ;;
      esac
    done
  fi
  chosen=
  for id in $collectors; do
    case ",\${only:-$id}," in *",$id,"*) ;; *) continue ;; esac
    case ",$skip," in *",$id,"*) continue ;; esac
    chosen="$chosen$id$newline"
  done
  [ -n "$chosen" ] || wrong "--only and --skip leave no collector to run"
  case ",$only," in *,page-flags,*) census=1 ;; esac
}

# Without these there is no bundle.
need_programs() {
  for program in awk cat date env head tr; do
    command -v "$program" >/dev/null || { echo "nailhouse: Cannot look at this host: it has no $program" >&2; exit 3; }
  done
}

# What else captures are made of: small images of containers lack some.
note_missing_programs() {
  lacking=
  for program in cut find grep ls readlink sed sleep sort stat wc xargs; do
    command -v "$program" >/dev/null || lacking="\${lacking:+$lacking, }$program"
  done
  [ -z "$lacking" ] || problem "$lacking" "not installed: what takes them is missing, such as sizes of processes and owners of sockets"
}

tell() {
  [ -n "$quiet" ] || echo "nailhouse: $1" >&2
}

# ---- the machine ----

# Makes this shell the first that the kernel kills and the last that it runs: the host is in trouble already.
yield_to_the_host() {
  { echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
  renice -n 19 -p $$ >/dev/null 2>&1
  ionice -c 3 -p $$ >/dev/null 2>&1
}

# What numbers in files of the kernel mean, without any program where that can be.
find_facts() {
  read -r hostname </proc/sys/kernel/hostname
  read -r release </proc/sys/kernel/osrelease
  machine=$(uname -m)
  # Whatever IFS the caller has.
  while IFS=$tab read -r key _ value _; do
    case $key in Uid:) euid=$value; break ;; esac
  done </proc/self/status
  # The first mapping is of this shell's program. Kernels without CONFIG_PROC_PAGE_MONITOR have no such file.
  page_size=
  while IFS=' ' read -r key value _; do
    case $key in KernelPageSize:) page_size=$((value * 1024)); break ;; esac
  done 2>/dev/null </proc/self/smaps
  [ -n "$page_size" ] || page_size=$(getconf PAGESIZE 2>/dev/null)
  # USER_HZ.
  case $machine in alpha | ia64) user_hz=1024 ;; *) user_hz=100 ;; esac
  cpus=0
  { read -r online <"$root/sys/devices/system/cpu/online"; } 2>/dev/null || online=
  while [ -n "$online" ]; do
    range=\${online%%,*}
    online=\${online#"$range"}
    online=\${online#,}
    cpus=$((cpus + \${range#*-} - \${range%-*} + 1))
  done
  [ "$cpus" -gt 0 ] || cpus=$(grep -c '^processor' /proc/cpuinfo)
  own_namespace=$(readlink /proc/self/ns/net)
  # Some containers deny it.
  first_namespace=$(readlink "$root/proc/1/ns/net") || first_namespace=$own_namespace
  time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  read -r mark </proc/sys/kernel/random/uuid
  mark=$(printf '\\001')$mark
  # As awk will start it: this shell may have a gzip of its own.
  # Level 3 takes half the time of the default for 5 % more bytes.
  packer='gzip -3'
  { true | /bin/sh -c "$packer"; } >/dev/null 2>&1 || packer='cat'
  # mawk would wait for a whole block before it looks at any of it: too late for what is to be on the disk.
  case $(awk -W version 2>&1 </dev/null) in
    mawk*) at_once=-W\${newline}interactive ;;
    *) at_once= ;;
  esac
  # busybox before 1.30 wants -t.
  if timeout -s KILL 5 true 2>/dev/null; then timeout_program=now
  elif timeout -t 5 -s KILL true 2>/dev/null; then timeout_program=old
  else timeout_program=; fi
}

# As in the names of files.
compact_time() {
  IFS=:-
  set -f
  # shellcheck disable=SC2086
  printf '%s' $time
}

name_bundle() {
  # In a container, the system's own name is the container's.
  if [ -n "$root" ] && answers head -n 1 "$root/etc/hostname"; then hostname=$(head -n 1 "$root/etc/hostname"); fi
  [ -z "$recording" ] || return 0
  short=$(printf '%.64s' "$hostname")
  # No process for what most hosts are called.
  case $short in *[!A-Za-z0-9_.-]*) short=$(printf '%s' "$short" | tr -c 'A-Za-z0-9_.-' '_') ;; esac
  name=nailhouse-$short-$(compact_time)
  send name "$name"
}

# What the file of these values says, as JSON.
json() {
  # No process for what most hosts are called.
  case $1 in *[!A-Za-z0-9_.+-]*) ;; *) printf '%s' "$1"; return ;; esac
  printf '%s' "$1" | tr -d '\\000-\\037\\177' | sed 's/[\\\\"]/\\\\&/g'
}

manifest() {
  send output nailhouse.json "$max_file"
  printf '{\\n  "schemaVersion": 1,\\n  "tool": { "name": "nailhouse", "version": "%s" },\\n  "host": {\\n' "$version"
  printf '    "hostname": "%s",\\n    "kernelRelease": "%s",\\n    "machine": "%s",\\n' \\
    "$(json "$hostname")" "$(json "$release")" "$(json "$machine")"
  printf '    "pageSizeBytes": %s,\\n    "userHz": %s,\\n    "cpus": %s\\n  },\\n' "$page_size" "$user_hz" "$cpus"
  printf '  "capturedAt": "%s",\\n  "privileged": %s,\\n  "snapshots": %s,\\n' \\
    "$time" "$(if [ "$euid" -eq 0 ]; then echo true; else echo false; fi)" "$snapshots"
  ids=
  for id in $chosen; do ids="\${ids:+$ids, }\\"$id\\""; done
  printf '  "intervalSeconds": %s.%s,\\n  "collectors": [%s]\\n}\\n' "$((wait_between / 100))" "$(two_digits $((wait_between % 100)))" "$ids"
  # The last newline is that of the line which follows.
  send 'done'
}

# ---- time ----

# Hundredths of a second since the host started.
look_at_clock() {
  IFS=' .' read -r seconds_up hundredths _ </proc/uptime
  now=$seconds_up$hundredths
}

# One process sends a signal every second, which ends any wait of this shell: so it can give up on a process that not even SIGKILL ends.
# At the very end it closes the bundle itself, in case this shell is stuck.
beat() {
  while sleep 1 >/dev/null 2>&1; do
    kill -s USR1 "$self" 2>/dev/null || return 0
    # The first shell was killed: so ends the bundle.
    kill -0 $$ 2>/dev/null || kill -s TERM "$self"
    count_seconds
    if [ "$seconds" -gt $((timeout + 30)) ]; then
      send stop "stuck beyond the time limit of $timeout s"
      send end
      kill -s KILL "$self"
      return 0
    fi
  done
}

# By the clock: on a host that thrashes, a sleep of one second may take many.
count_seconds() {
  IFS=. read -r seconds _ </proc/uptime
  seconds=$((seconds - first_second))
}

count_second() {
  count_seconds
  [ -n "$stopped" ] || [ "$seconds" -lt "$timeout" ] || stopped="the time limit of $timeout s for the whole was reached"
}

# What is written until now can be read, whatever happens.
flush() {
  send flush
  flush_due=$((now + 100))
}

# Waits for a process; leaves it alone, killed or not, when it takes longer. PID SECONDS
# Nowhere else is the signal heard: bash (seen with 5.2.15) parses a trap as part of a command substitution that it is about to parse,
# and ends with "trap: line 2: unexpected EOF while looking for matching \`)'".
await() {
  count_seconds
  give_up=$((seconds + $2 + 1))
  while :; do
    trap : USR1
    wait "$1"
    status=$?
    trap '' USR1
    count_second
    kill -0 "$1" 2>/dev/null || return 0
    if [ -n "$stopped" ] || [ "$seconds" -ge "$give_up" ]; then
      kill -s KILL "$1" 2>/dev/null
      return 1
    fi
  done
}

# Whether a program ends well and soon. A process that waits for a disk may be beyond any signal, so this shell must not. WORD...
answers() {
  for _ in 1 2; do
    "$@" >/dev/null 2>&1 &
    await $! 3 || { status=hung; return 1; }
    # Else the signal came just when it ended, and its own status is lost.
    [ "$status" -gt 128 ] || break
  done
  [ "$status" -eq 0 ]
}

# Runs a program that is killed with all it started where "timeout" exists; else "await" is all there is. SECONDS WORD...
limited() {
  limit=$1
  shift
  case $timeout_program in
    now) exec timeout -s KILL "$limit" "$@" ;;
    old) exec timeout -t "$limit" -s KILL "$@" ;;
    *) exec "$@" ;;
  esac
}

wait_until() {
  look_at_clock
  left=$(($1 - now))
  [ "$left" -gt 0 ] || return 0
  # Not every sleep knows fractions.
  { sleep "$((left / 100)).$(two_digits $((left % 100)))" || sleep $((left / 100 + 1)); } >/dev/null 2>&1 &
  await $! $((left / 100 + 5))
}

# After a slow snapshot, of a host that hardly runs, the rest keep their distance: it is what tells growth.
wait_for_next() {
  look_at_clock
  next_due=$((next_due + wait_between))
  [ "$next_due" -ge "$now" ] || next_due=$now
  wait_until "$next_due"
}

two_digits() {
  printf '%.2d' "$1"
}

# ---- what is sent to the writer ----

send() {
  printf '\\n%s\\t%s\\t%s\\t%s\\t%s\\n' "$mark" "$1" "\${2-}" "\${3-}" "\${4-}" || exit 1
}

problem() {
  send problem "$1" "$2"
}

# The options of a capture, up to --; how many words they are is left in "words".
options() {
  changing='' recorded='' network='' largest='' may_hang='' having='' by='' depth='' folders=''
  max=$max_file limit_seconds=20 words=0
  for option; do
    words=$((words + 1))
    case $option in
      --) break ;;
      changing) changing=1 ;;
      changing=*) changing=\${option#*=} ;;
      recorded) recorded=1 ;;
      recorded=*) recorded=\${option#*=} ;;
      max=*) max=\${option#*=} ;;
      seconds=*) limit_seconds=\${option#*=} ;;
      network) network=1 ;;
      largest=*) largest=\${option#*=} ;;
      may-hang) may_hang=1 ;;
      by=*) by=\${option#*=} ;;
      having=*) having=\${option#*=} ;;
      depth=*) depth=\${option#*=} ;;
      folders=*) folders=\${option#*=} ;;
    esac
  done
}

# Whether the capture with these options is taken in this snapshot.
due() {
  [ -z "$stopped" ] || return 1
  if [ -n "$recording" ]; then [ -n "$recorded" ]; return; fi
  [ "$snapshot" -eq 1 ] || [ -n "$changing" ]
}

# Files are read by one cat for many, a program for each would be slow. Its own environment, which holds the mark and which nobody else
# can read, stands between them. STORED-PATH PATH
add() {
  case $2 in *"$tab"* | *"$newline"*) return 0 ;; esac
  case $newline$stuck in *" $2$newline"*) return 0 ;; esac
  if [ "$count" -gt 0 ] && [ "$batch_max" != "$max" ]; then read_batch; fi
  batch_max=$max
  # A shell copies what it appends to, so these are joined now and then.
  last_of_list="$last_of_list$1$tab$2$newline"
  last_arguments="$last_arguments/proc/self/environ$newline$2$newline"
  count=$((count + 1))
  case $count in *0) join_lists ;; esac
  if [ "$count" -ge 256 ] || { [ -n "$may_hang" ] && [ "$count" -ge 128 ]; }; then read_batch; fi
}

join_lists() {
  list=$list$last_of_list arguments=$arguments$last_arguments
  last_of_list='' last_arguments=''
}

read_batch() {
  [ "$count" -gt 0 ] || return 0
  join_lists
  send list "$batch_max"
  printf '%s' "$list"
  send read
  if read_files "$file_seconds" "$arguments"; then send 'done'
  else
    send hung
    read_one_by_one
  fi
  forget_batch
}

forget_batch() {
  list='' arguments='' last_of_list='' last_arguments='' count=0
}

# One of them did not answer: what came before is stored, and passed over here.
read_one_by_one() {
  hung=0
  for entry in $list; do
    [ -z "$stopped" ] || return 0
    send retry "\${entry%%"$tab"*}" "\${entry#*"$tab"}"
    if read_files 2 "/proc/self/environ$newline\${entry#*"$tab"}"; then send 'done'
    else
      send hung
      hung=$((hung + 1))
      [ "$hung" -lt 5 ] || { problem "\${entry%%"$tab"*}" "several files before it did not answer: the rest was not tried"; return 0; }
    fi
  done
}

# SECONDS FILES: one a line. Words are split at line ends only, and "via" and "reader" are such lists, too.
read_files() {
  reader='cat'
  [ "$batch_max" = "$max_file" ] || reader="head$newline-q$newline-c$newline$batch_max"
  set -f
  {
    {
      IFS=' ' read -r reader_pid _ </proc/self/stat
      # Past tr, which would keep it.
      printf '%s\\treader\\t%s\\n' "$mark" "$reader_pid" >&5
      exec 5>&-
      # cat says in its place which file it could not read; the output of head comes later than what it says.
      [ "$reader" = cat ] || exec 2>/dev/null
      exec env -i "PATH=$PATH" "LC_ALL=C" "NAILHOUSE_MARK=$newline$mark\${tab}next$newline" $via $reader $2 /proc/self/environ
    } 2>&1 | tr '\\000' '\\377' 5>&- &
  } 5>&1
  set +f
  await $! "$1"
}

# Sends what a program prints: text, without the bytes that awk does not take. STORED-PATH WORD...
send_output() {
  stored=$1
  shift
  # Words that the writer can use if it has to run the program again.
  IFS=' '
  again="$*"
  IFS=$newline
  case $again in *[!A-Za-z0-9_./=:,\\ -]*) again= ;; esac
  send output "$stored" "$max" "$again"
  {
    (limited "$limit_seconds" "$@" 2>/dev/null)
    printf '\\n%s\\texit\\t%s\\n' "$mark" $?
  } | head -c $((max + 100)) &
  if await $! $((limit_seconds + 2)); then send 'done'; else send hung; fi
}

# ---- captures, as the collectors declare them ----

# A file of the host. PATH OPTION...
file() {
  pattern=$1
  shift
  options "$@"
  due || return 0
  case $pattern in
    proc/* | sys/*) ;;
    *)
      # With a pattern, the folder; the shell itself touches it only then.
      case $pattern in
        *\\**) answers ls "$root/\${pattern%/*}" ;;
        *) answers head -c 1 "$root/$pattern" ;;
      esac
      if [ "$status" = hung ]; then problem "$pattern" "did not answer in time"; return 0; fi
      ;;
  esac
  for path in $root/$pattern; do
    if [ -f "$path" ]; then add "\${path#"$root"/}" "$path"
    elif [ -e "$path" ]; then problem "\${path#"$root"/}" "not a regular file: not opened"; fi
  done
}

# What a program prints; one that is not installed is passed over. STORED-PATH OPTION... -- WORD...
output() {
  as=$1
  shift
  options "$@"
  shift "$words"
  due || return 0
  find_program "$1" || return 0
  set -- $enter "$@"
  read_batch
  if [ -n "$network" ] && [ "$own_namespace" != "$first_namespace" ]; then
    set -- nsenter "--net=$root/proc/1/ns/net" "$@"
  fi
  send_output "$as" "$@"
}

# In a container the host's own program is run, if there is one: it sees the host's files and processes. PROGRAM
find_program() {
  enter=
  if [ -n "$in_root" ] && answers $in_root sh -c 'command -v "$1"' sh "$1"; then
    enter=$in_root
    return 0
  fi
  command -v "$1" >/dev/null
}

# Whether the system has more open files than this.
open_files_above() {
  { IFS="$tab " read -r open_files _ <"$root/proc/sys/fs/file-nr"; } 2>/dev/null && [ "$open_files" -gt "$1" ]
}

# Descriptors that keep a network namespace, as lines of "PID/fd/FD net:[INODE]": what the first snapshot found.
find_held() {
  [ "$snapshot" -eq 1 ] && [ -z "$recording" ] || return 0
  held_namespaces=
  open_files_above ${MANY_OPEN_FILES} || held_namespaces=$(
    cd "$root/proc" && printf '%s/fd\\n' $pids | ${FIND_HELD} 2>/dev/null
  )
}

# All network namespaces but the first one, as lines of name, file and processes; once a snapshot.
find_namespaces() {
  [ -z "$namespaces_known" ] || return 0
  namespaces_known=1
  find_held
  namespace_list=$(
    {
      cd "$root/proc" && printf '%s/ns/net\\n' $pids | xargs ls -l 2>/dev/null
      cat "$root/proc/1/mountinfo" 2>/dev/null
      [ -z "$held_namespaces" ] || printf '%s\\n' "$held_namespaces"
    } | awk -v first="$first_namespace" -v root="$root" -v most=${MAX_HELD_NAMESPACES} '${namespacesProgram}'
  )
  case $namespace_list in *"$newline"more)
    namespace_list=\${namespace_list%"$newline"more}
    problem sos_commands/networking/namespaces "only ${MAX_HELD_NAMESPACES} namespaces that descriptors hold were read"
    ;;
  esac
  [ -n "$held_namespaces" ] || return 0
  found_namespaces=$namespace_list
  namespace_list=
  for namespace in $found_namespaces; do
    ! is_lost "$namespace" || continue
    namespace_list=$namespace_list\${namespace_list:+$newline}$namespace
  done
}

# Whether it is a descriptor of something else by now: nsenter would open that, be it a FIFO or a device. NAMESPACE
is_lost() {
  kept=\${1#*"$tab"}
  kept=\${kept%"$tab"*}
  kept_name=\${1%%"$tab"*}
  case $kept in "$root"/proc/*/fd/*) [ "$(readlink "$kept")" != "net:[\${kept_name#net-}]" ] ;; *) return 1 ;; esac
}

# Calls a function for each of them, with its folder in the bundle and its file. FUNCTION
each_namespace() {
  find_namespaces
  number=0
  for namespace in $namespace_list; do
    [ -z "$stopped" ] || return 0
    number=$((number + 1))
    if [ "$number" -gt "$max_namespaces" ]; then
      problem sos_commands/networking/namespaces "only $max_namespaces namespaces were read"
      return 0
    fi
    namespace_folder=sos_commands/networking/namespaces/\${namespace%%"$tab"*}
    namespace=\${namespace#*"$tab"}
    namespace_file=\${namespace%%"$tab"*}
    namespace_pids=\${namespace##*"$tab"}
    "$@"
  done
}

# Files of every network namespace. NAMESPACES OPTION... -- NAME...
namespaces() {
  max_namespaces=$1
  shift
  options "$@"
  shift "$words"
  due || return 0
  [ -z "$recording" ] || max_namespaces=64
  own=1
  [ -r "$root/proc/1/net/dev" ] || own=self
  for name; do
    [ ! -f "$root/proc/$own/net/$name" ] || add "proc/net/$name" "$root/proc/$own/net/$name"
  done
  each_namespace namespace_files "$@"
}

# From one of its processes, or through nsenter when it has none.
namespace_files() {
  for pid in $(printf '%s' "$namespace_pids" | tr ' ' '\\n'); do
    [ -r "$root/proc/$pid/net/dev" ] || continue
    for name; do
      [ ! -f "$root/proc/$pid/net/$name" ] || add "$namespace_folder/proc/net/$name" "$root/proc/$pid/net/$name"
    done
    return 0
  done
  read_batch
  via="nsenter$newline--net=$namespace_file"
  for name; do add "$namespace_folder/proc/net/$name" "/proc/net/$name"; done
  read_batch
  via=
}

# What a program prints in every namespace but the first. NAMESPACES STORED-NAME OPTION... -- WORD...
namespaces_output() {
  max_namespaces=$1
  as=$2
  shift 2
  options "$@"
  shift "$words"
  due || return 0
  find_program "$1" || return 0
  read_batch
  each_namespace namespace_output $enter "$@"
}

namespace_output() {
  send_output "$namespace_folder/$as" nsenter "--net=$namespace_file" "$@"
}

# Others have processes, too: process 2 starts the kernel's threads, and is in no PID namespace but the first one. hidepid hides it as well.
note_hidden() {
  second=
  { read -r second <"$root/proc/2/comm"; } 2>/dev/null
  [ "$second" = kthreadd ] ||
    problem proc "not all processes can be seen: this is a container (see --root), or hidepid of /proc hides those of others"
}

# Files of processes. OPTION... -- NAME...
process() {
  options "$@"
  shift "$words"
  due || return 0
  [ "$snapshot" -eq 1 ] || largest=$changing
  [ -z "$recording" ] || largest=$recorded
  which=$pids
  case "$snapshot$recording $* " in '1 status '*) note_hidden ;; esac
  if [ -n "$largest$may_hang" ]; then
    find_sizes
    which=$sizes
    [ -z "$largest" ] || which=$(printf '%s\\n' "$sizes" | head -n "$largest")
  fi
  for pid in $which; do
    [ -z "$stopped" ] || return 0
    for name; do add "proc/$pid/$name" "$root/proc/$pid/$name"; done
  done
  [ -n "$recording" ] || read_batch
}

# All processes with memory of their own, which kernel threads have not: the largest first, once a snapshot.
find_sizes() {
  [ -z "$sizes" ] || return 0
  sizes=$(
    cd "$root/proc" && printf '%s/status\\n' $pids | xargs cat 2>/dev/null | awk '
      /^Pid:/ { pid = $2 }
      /^(VmRSS|VmSwap|HugetlbPages):/ { size[pid] += $2 }
      END { for (pid in size) print size[pid], pid }' | sort -k1,1nr -k2,2n | sed 's/.* //'
  )
}

# The same few files in a folder and in those below it, the largest by one of the files first. FOLDER OPTION... -- NAME...
tree() {
  top=$1
  shift
  options "$@"
  shift "$words"
  due || return 0
  [ -f "$root/$top/$having" ] || return 0
  below=$(
    echo .
    cd "$root/$top" && (limited 20 find . -mindepth 2 -maxdepth $((depth + 1)) -name "$by" -exec grep -H '' {} + 2>/dev/null) |
      sed -n 's,^\\(.*\\)/[^/]*:\\([0-9][0-9]*\\)$,\\2 \\1,p' | sort -k 1,1nr -k 2 | cut -d ' ' -f 2- | head -n "$folders"
  )
  number=0
  for path in $below; do
    number=$((number + 1))
    if [ "$number" -gt "$folders" ]; then problem "$top" "has more than $folders folders: the smallest were not read"; break; fi
    path=$top\${path#.}
    for name; do
      [ ! -f "$root/$path/$name" ] || add "$path/$name" "$root/$path/$name"
    done
  done
}

# The files in a folder, the newest first, up to a total size. FOLDER OPTION...
folder() {
  top=$1
  shift
  options "$@"
  due || return 0
  read_batch
  answers ls -lnt "$root/$top"
  if [ "$status" = hung ]; then problem "$top" "did not answer in time"; return 0; fi
  for name in $(ls -lnt "$root/$top" 2>/dev/null | sed -n 's/^-[^ ]* *[0-9]* *[^ ]* *[^ ]* *\\([0-9]*\\) *[^ ]* *[^ ]* *[^ ]* \\(.*\\)/\\1 \\2/p'); do
    size=\${name%% *}
    name=\${name#* }
    if ! answers head -c 1 "$root/$top/$name"; then problem "$top/$name" "did not answer in time"; continue; fi
    max=$((max - size))
    if [ "$max" -lt 0 ]; then problem "$top" "too large: only its newest files were taken"; return 0; fi
    send raw "$top/$name" "$root/$top/$name" "$size"
  done
}

# Which processes hold the sockets that hold memory. STORED-PATH
socket_owners() {
  options
  due || return 0
  read_batch
  send owners "$1"
}

# All pages by flags and compound order. STORED-PATH PAGES
page_flags() {
  options
  due || return 0
  if [ -z "$census" ]; then
    problem "$1" "not taken: it is slow in sh; --only page-flags or NAILHOUSE_CENSUS=1 asks for it"
    return 0
  fi
  if [ ! -r "$root/proc/kpageflags" ]; then problem proc/kpageflags "permission denied"; return 0; fi
  read_batch
  limit_seconds=120
  send output "$1" "$max_file"
  take_census "$2" | tr '\\000' '\\377' &
  if await $! "$limit_seconds"; then send 'done'; else send hung; fi
}

# On a larger host evenly spread blocks of 32768 pages are read.
take_census() {
  frames=$(awk '$1 == "spanned" { spanned = $2 } $1 == "start_pfn:" && $2 + spanned > end { end = $2 + spanned } END { print end + 0 }' \\
    "$root/proc/zoneinfo")
  blocks=$(((frames + 32767) / 32768))
  wanted_blocks=$(($1 / 32768))
  if [ "$blocks" -le "$wanted_blocks" ]; then cat "$root/proc/kpageflags"
  else
    block=0
    while [ "$block" -lt "$wanted_blocks" ]; do
      dd if="$root/proc/kpageflags" bs=262144 skip=$((block * blocks / wanted_blocks)) count=1 2>/dev/null
      block=$((block + 1))
    done
  fi | od -A d -t x8 | awk -v frames="$frames" '${censusProgram}'
}
`;

/** Packs what was recorded before. */
export const historyPart: string = `
# ---- what was recorded before ----

not_packed() {
  problem "$1" "$2"
  tell "not packed: $1: $2"
}

# What --history names, and the usual ring when that is no other ring.
recorded_history() {
  look_at_clock
  send collector recorded "$now"
  ring=
  for each in $history; do
    [ -z "$stopped" ] || return 0
    answers ls "$each"
    if [ "$status" = hung ]; then not_packed "$each" "did not answer in time"
    elif [ -d "$each" ]; then
      ring=$each
      if [ "$status" = 0 ]; then pack_ring; else not_packed "$each" "cannot be read"; fi
    elif [ -f "$each" ]; then import_file "$each"
    else not_packed "$each" "there is no such file or folder"; fi
  done
  if [ -z "$ring" ]; then
    ring=$root/var/lib/nailhouse/ring
    if answers ls "$ring"; then pack_ring
    elif [ "$status" = hung ]; then not_packed "$ring" "did not answer in time"
    elif [ -d "$ring" ]; then not_packed "$ring" "cannot be read"; fi
  fi
  look_at_clock
  send booked "$now"
  send flush
}

# A file of another recorder, as it is. PATH
import_file() {
  answers head -c 1 "$1"
  if [ "$status" != 0 ]; then not_packed "$1" "cannot be read"; return 0; fi
  size=$(($(size_of "$1")))
  if [ "$size" -gt "$max_file" ]; then
    not_packed "$1" "larger than $max_file bytes: not packed; a longer step or a shorter time has fewer points"
    return 0
  fi
  send folder history_imported/
  send raw "$(printf '%s' "\${1##*/}" | tr -c 'A-Za-z0-9_.-' '_')" "$1" "$size"
}

pack_ring() {
  ring_names=$(ls -r "$ring" | sed -n '/^ring-[0-9]\\{8\\}T[0-9]\\{6\\}Z\\(-[0-9]*\\)\\{0,1\\}[.]tar[.]gz$/p')
  if [ -z "$ring_names" ]; then
    not_packed "$ring" "nothing is recorded there: it has no ring-*.tar.gz of nailhouse record"
    return 0
  fi
  command -v gzip >/dev/null || { not_packed "$ring" "cannot be read without gzip"; return 0; }
  tell "packing what was recorded before"
  last_second=$((seconds + ring_seconds))
  for name in $ring_names; do
    [ -z "$stopped" ] || return 0
    if [ "$seconds" -ge "$last_second" ]; then
      problem "$ring" "none of its files from $name on was packed: the newer ones took $ring_seconds s"
      break
    fi
    # A FIFO of that name would not end.
    [ -f "$ring/$name" ] || continue
    unpack "$ring/$name" | tr '\\000' '\\377' |
      env "mark=$mark" "file=$ring/$name" "now=$(date +%s)" awk '${ringProgram}' &
    if ! await $! "$file_seconds"; then
      send drop
      problem "$ring/$name" "did not answer in time"
    fi
    send flush
  done
  send ring "$ring"
}

unpack() {
  { gzip -dc <"$1" || printf '\\n%s\\tbroken\\n' "$mark"; } 2>/dev/null
}
`;

/** Runs what was declared. */
export const mainPart: string = `
# ---- from the first to the last ----

start_snapshot() {
  folder=
  if [ "$snapshot" -gt 1 ]; then
    last_time=$time
    time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    # Each has a folder of its own.
    [ "$time" != "$last_time" ] || { sleep 1; time=$(date -u +%Y-%m-%dT%H:%M:%SZ); }
    folder=history/$time/
  fi
  [ -z "$recording" ] || folder=history/$time/
  tell "snapshot $snapshot of $snapshots"
  send time "$(printf '%011o' "$(date +%s)")"
  send snapshot "$time" "$folder"
  pids=$(cd "$root/proc" 2>/dev/null && printf '%s\\n' [0-9]* | sort -n)
  namespaces_known='' sizes=''
}

# Writes what the writer reads.
produce() {
  IFS=$newline
  IFS=' ' read -r self _ </proc/self/stat
  first_second=0
  count_seconds
  first_second=$seconds seconds=0 stopped='' via='' programs_noted=''
  forget_batch
  trap '' USR1
  trap 'stopped=interrupted' INT TERM HUP
  beat &
  beat=$!
  in_root=
  if [ -n "$root" ] && answers chroot "$root" sh -c :; then in_root=chroot$newline$root; fi
  look_at_clock
  next_due=$now
  snapshot=1
  if [ -z "$recording" ] || [ ! -s "$ring_file" ]; then
    name_bundle
    send time "$(printf '%011o' "$(date +%s)")"
    manifest
    flush
  fi
  while [ "$snapshot" -le "$snapshots" ] && [ -z "$stopped" ]; do
    if [ "$snapshot" -gt 1 ]; then
      flush
      wait_for_next
    fi
    [ -z "$stopped" ] || break
    start_snapshot
    for id in $chosen; do
      [ -z "$stopped" ] || break
      look_at_clock
      send collector "$id" "$now"
      [ -n "$programs_noted$recording" ] || note_missing_programs
      programs_noted=1
      captures "$id"
      # A sample is one flush, and reads what it can at once: processes cost more than the files.
      [ -z "$recording" ] || continue
      read_batch
      look_at_clock
      send booked "$now"
      # Each time three processes, which take as long as a small collector.
      [ "$now" -lt "$flush_due" ] || flush
    done
    read_batch
    snapshot=$((snapshot + 1))
  done
  if [ -z "$recording" ] && [ -z "$stopped" ]; then recorded_history; fi
  send stop "$stopped"
  send end
  kill "$beat" 2>/dev/null
}

# Writes the archive. Descriptors of process 1 come last: systemd has what it passed on to services. Where the first thread has ended, and others have
# not, they are with any of these.
write_bundle() {
  IFS=$newline
  trap '' INT TERM HUP
  list_descriptors='cd "$root/proc" && exec 2>/dev/null
    { ls | grep -x "[0-9]*" | sort -n | grep -vx 1 | sed "s,$,/fd,"
      ls | grep -x "[0-9]*" | sed "s,$,/stat," | xargs grep -s -l ") Z " | cut -d/ -f1 | while read -r pid; do
        for fd in "$pid"/task/*/fd; do [ "$fd" = "$pid/task/$pid/fd" ] || { echo "$fd"; break; }; done
      done
      echo 1/fd; } | xargs -n 100 sh -c "exec find \\"\\$@\\" -maxdepth 1 -type l" sh | head -n "$max_descriptors" | xargs ls -l'
  # How the writer runs what it has to run itself.
  case $timeout_program in
    now) limit='timeout -s KILL 20' ;;
    old) limit='timeout -t 20 -s KILL' ;;
    *) limit='' ;;
  esac
  export limit root recording queued max_descriptors mark packer euid max_total max_file min_queued list_descriptors
  exec awk $at_once '${writerProgram}'
}

# ---- recording ----

# Process, its start in clock ticks since boot, and the boot: no other process ever has all three. PID
identify() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -r boot </proc/sys/kernel/random/boot_id
  IFS=' '
  set -- "$1" \${stat##*) }
  IFS=$newline
  identity="$1 \${21} $boot"
}

# A symbolic link to nowhere: made in one step, with its content, even on a full disk.
lock_ring() {
  identify "$$" || exit 3
  own_identity=$identity
  until ln -s "$own_identity" "$record/lock" 2>/dev/null; do
    holder=$(readlink "$record/lock") || { echo "nailhouse: Cannot write into $record" >&2; exit 2; }
    if identify "\${holder%% *}" && [ "$identity" = "$holder" ]; then
      echo "nailhouse: Cannot record into $record: process \${holder%% *} does already; give each recorder a folder of its own" >&2
      exit 3
    fi
    # That one was killed.
    rm -f "$record/lock"
  done
}

# The oldest first.
ring_files() {
  for each in "$record"/ring-[0-9]*.tar.gz; do [ ! -f "$each" ] || printf '%s\\n' "$each"; done
}

# Some print blanks before it.
size_of() {
  wc -c <"$1"
}

# Deletes the oldest file, but never the one that is being written.
delete_oldest() {
  oldest=$(ring_files | head -n 1)
  [ -n "$oldest" ] && [ "$oldest" != "$ring_file" ] || return 1
  used=$((used - $(size_of "$oldest")))
  rm -f "$oldest"
}

# Makes room for so many bytes. BYTES
make_room() {
  while [ $((used + $1)) -gt "$ring_max" ] && delete_oldest; do :; done
}

# A new file an hour, and for an eighth of the ring, so that deleting one leaves most of it. Never behind what another recorder left.
choose_file() {
  hour=\${time%%:*}
  if [ "$hour" = "$ring_hour" ] && [ $((bytes * 8)) -lt "$ring_max" ]; then return 0; fi
  find "$record" -name 'ring-[0-9]*.tar.gz' -type f -mtime "+$((keep - 1))" -exec rm -f {} + 2>/dev/null
  used=0
  for each in $(ring_files); do used=$((used + $(size_of "$each"))); done
  name_of_file=$record/ring-$(compact_time)
  ring_hour=$hour ring_file=$name_of_file.tar.gz copy=2 bytes=0
  while [ -e "$ring_file" ]; do ring_file=$name_of_file-$copy.tar.gz copy=$((copy + 1)); done
}

# Files whose readers never came back are passed over while these are there: each sample would leave more of them behind.
look_for_stuck_readers() {
  still=
  for line in $stuck$queued; do
    case $line in "stuck "*) ;; *) continue ;; esac
    reader_pid=\${line#stuck }
    ! kill -0 "\${reader_pid%% *}" 2>/dev/null || still=$still$line$newline
  done
  stuck=$still
}

# All of a sample, or nothing: what stands behind half of one could not be read.
take_sample() {
  if [ "$(readlink "$record/lock")" != "$own_identity" ]; then echo "nailhouse: Another recorder took $record over" >&2; exit 3; fi
  look_for_stuck_readers
  time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  choose_file
  make_room $((sample_bytes * 2))
  # The writer says which sockets have something in a queue, and which readers it gave up.
  if queued=$(produce 2>&3 | write_bundle 2>&1 >>"$ring_file") && [ -z "$interrupted" ] &&
    dd if=/dev/null of="$ring_file" bs=1 conv=notrunc,fsync 2>/dev/null
  then
    told='' sample_bytes=$bytes bytes=$(($(size_of "$ring_file")))
    sample_bytes=$((bytes - sample_bytes)) used=$((used + sample_bytes))
    make_room 0
    return 0
  fi
  dd if=/dev/null of="$ring_file" bs=1 seek="$bytes" 2>/dev/null
  [ "$bytes" -gt 0 ] || { rm -f "$ring_file"; ring_hour=''; }
  [ -z "$interrupted" ] || return 0
  # What the programs said instead.
  [ -n "$told" ] || echo "nailhouse: Cannot keep a sample in $record: $(printf '%s' "$queued" | tr -s '\\n' ' ')" >&2
  told=1 queued=
  # Others may have filled the disk: the oldest samples are worth less than the next one.
  if [ "$(df -P "$record" | awk 'END { print $4 + 0 }')" -lt 1024 ]; then delete_oldest; fi
}

record_ring() {
  mkdir -p "$record" && record=$(cd "$record" && pwd) || exit 2
  IFS=$newline
  lock_ring
  yield_to_the_host
  find_facts
  if [ "$packer" = cat ]; then echo "nailhouse: Cannot record without gzip: the ring is to stay small" >&2; exit 3; fi
  recording=1 snapshots=1 wait_between=$((every * 100)) quiet=1
  ring_max=$max_total ring_file='' ring_hour='' bytes=0 sample_bytes=65536 used=0 queued='' told=''
  # Of one sample.
  max_total=16777216 max_file=1048576 timeout=30
  exec 3>&2
  trap 'interrupted=1' INT TERM HUP
  look_at_clock
  next=$now
  while :; do
    take_sample
    look_at_clock
    # After a suspension, or a host that stood still, nothing is made up for.
    next=$((next + every * 100))
    [ "$next" -gt "$now" ] || next=$((now + 100))
    [ -z "$interrupted" ] || break
    sleep $(((next - now + 99) / 100)) >/dev/null 2>&1 3>&- &
    # Some shells say what ended it.
    wait $! 2>/dev/null
    [ -z "$interrupted" ] || break
  done
  kill $! 2>/dev/null
  rm -f "$record/lock"
  exit 0
}

main() {
  umask 077
  settings "$@"
  need_programs
  [ -r /proc/meminfo ] || { echo "nailhouse: Cannot look at this host: is this Linux, with /proc mounted?" >&2; exit 3; }
  interrupted='' recording='' stuck=''
  [ -z "$record" ] || record_ring
  [ "$output" != - ] || output=
  if [ -n "$output" ]; then
    { true >"$output"; } 2>/dev/null || { echo "nailhouse: Cannot write the bundle $output: no such folder, no rights, or no file" >&2; exit 2; }
    exec >"$output"
    [ ! -f "$output" ] || chmod 600 "$output"
  elif [ -t 1 ]; then
    wrong "the bundle would go to the terminal: -o FILE, or > FILE"
  fi
  yield_to_the_host
  find_facts
  trap interrupt INT TERM HUP
  produce | write_bundle &
  writer=$!
  while :; do
    wait "$writer"
    code=$?
    kill -0 "$writer" 2>/dev/null || break
  done
  if [ "$code" -ne 0 ] && [ -z "$interrupted" ]; then
    echo "nailhouse: Cannot write the bundle\${output:+ $output}: it ends early; nailhouse analyze reads what there is" >&2
    exit 2
  fi
  tell "\${output:-the bundle is on standard output}; next: nailhouse analyze \${output:-FILE}"
  exit "\${interrupted:-0}"
}

# What was captured until now is a complete bundle: the other shell ends it, the writer does not listen.
interrupt() {
  interrupted=130
  # It ends this pipeline, too, and the shell would say so.
  { grep -l "^PPid:$tab$$\$" /proc/[0-9]*/status | tr -dc '0-9\\n' | xargs kill -s TERM; } 2>/dev/null
}

main "$@" </dev/null
`;
