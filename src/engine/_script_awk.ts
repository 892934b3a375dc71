import { MAX_HISTORY_BYTES, ONE_A_FILE_SECONDS, SPACING } from "./_recorded.ts";

/**
 * The awk programs of the shell collector. They run in mawk, gawk, busybox and the original awk: no NUL ever reaches them (`tr` makes
 * it \377 and back), no gsub with backslashes, no regular expression with braces, no apostrophe.
 */

/**
 * Writes the bundle: reads what the shell's functions send, whose own lines begin with a mark that nobody can guess, and keeps at most one
 * file in memory, up to `MEMORY` bytes. A longer one is counted to its end and then read again, for a tar header needs the size first.
 */
export const writerProgram: string = `
BEGIN {
  MEMORY = 2 * 1048576
  WHOLE_TABLE = 128 * 1024
  ORS = ""
  NUL = "\\377"
  QUOTE = sprintf("%c", 39)
  for (i = 1; i < 256; i++) byte[sprintf("%c", i)] = i
  byte[NUL] = 0
  for (zeros = NUL; length(zeros) < 512;) zeros = zeros zeros
  mark = ENVIRON["mark"] "\\t"
  recording = ENVIRON["recording"] != ""
  root = recording ? "nailhouse-ring" : "nailhouse"
  out = "tr " QUOTE "\\\\377" QUOTE " " QUOTE "\\\\000" QUOTE " | " ENVIRON["packer"]
  room = ENVIRON["max_total"] + 0
  recorded_room = int(room / 4)
  if (recorded_room > ${MAX_HISTORY_BYTES}) recorded_room = ${MAX_HISTORY_BYTES}
  denied = ENVIRON["euid"] == 0 ? "permission denied" : "permission denied: not root"
  split(ENVIRON["queued"], inet, " ")
  for (i in inet) had_queue[inet[i]] = 1
  # Where queues and inodes stand in files of /proc/net.
  split("udp udp6 udplite udplite6 tcp tcp6 raw raw6 icmp icmp6", inet, " ")
  for (i in inet) table[inet[i]] = "inet"
  table["netlink"] = "netlink"
  table["packet"] = "packet"
}

substr($0, 1, 1) == "\\001" && index($0, mark) == 1 { frame(substr($0, length(mark) + 1)); next }
path != "" { take($0); next }
naming && $0 != "" { names[++named] = $0 }

END { finish() }

# ---- what the shell says ----

function frame(text,    f, verb) {
  split(text, f, "\\t")
  verb = f[1]
  if (verb == "next") { next_file(); return }
  if (verb == "exit") { end_content(); code = f[2]; return }
  if (verb == "reader") { reader = f[2] + 0; return }
  if (verb == "hung") give_up()
  if (verb == "done" || verb == "hung") { if (path != "") { end_content(); keep(verb) }; reading = 0; return }
  if (verb == "output") { begin(f[2], f[3], f[4]) }
  else if (verb == "list") { naming = 1; named = at = retrying = 0; list_max = f[2]; split("", finished) }
  else if (verb == "read") { naming = 0; reading = 1; at = 0; begin("-", list_max, "") }
  else if (verb == "retry") { reading = retrying = 1; at = 0; named = 1; names[1] = f[2] "\\t" f[3]; begin("-", list_max, "") }
  else if (verb == "folder") { first = 0; prefix = f[2] }
  else if (verb == "sample") recorded_sample(f[2])
  else if (verb == "recorded") { if (packing) { recorded_room -= f[3]; begin(f[2], f[3], "") } }
  else if (verb == "drop") path = ""
  else if (verb == "passed") passed = 1
  else if (verb == "ring") { if (passed) problem(f[2], packed + 0 " samples were packed, the older they are the fewer") }
  else if (verb == "raw") raw(f[2], f[3], f[4] + 0)
  else if (verb == "owners") owners(f[2])
  else if (verb == "problem") problem(f[2], f[3])
  else if (verb == "collector") collector(f[2], f[3])
  else if (verb == "booked") { time_of[current] += (f[2] - started_at) * 10; current = "" }
  else if (verb == "name") root = f[2]
  else if (verb == "time") mtime = f[2]
  else if (verb == "snapshot") { times[++snapshots] = f[2]; taken[f[2]] = 1; prefix = f[3]; first = prefix == "" }
  else if (verb == "flush") flush()
  else if (verb == "stop") { if (stopped == "") stopped = f[2] }
  else if (verb == "end") { complete = 1; exit }
}

# The files of a recorded sample follow. One recorder may have ended, and the next one begun, in the same second.
function recorded_sample(time) {
  packing = recorded_room > 0 && !(time in taken)
  if (!packing) { passed = 1; return }
  taken[time] = 1
  packed++
  first = 0
  prefix = "history/" time "/"
}

# The shell knows only the last process of a pipe. A reader that is stuck in the kernel stays: the next sample is to know.
function give_up(    file) {
  if (!reading || !reader) return
  system("kill -s KILL " reader " 2>/dev/null")
  file = names[1]
  sub(/.*\\t/, "", file)
  if (recording && retrying) print "stuck " reader " " file "\\n" | "cat >&2"
  reader = 0
}

# One of the files that are read together ends here, and the next one begins.
function next_file(    stored) {
  if (!reading) return
  if (at == 0) frame_head = last
  else {
    if (substr(last, length(last) - length(frame_head) + 1) == frame_head)
      last = substr(last, 1, length(last) - length(frame_head))
    end_content()
    keep("read")
  }
  path = ""
  if (++at > named) return
  stored = names[at]
  sub(/\\t.*/, "", stored)
  begin(stored, list_max, "")
  inside = 1
}

# ---- content ----

function begin(stored, max, command) {
  path = stored
  limit = max + 0
  if (limit > int(room / 2)) limit = int(room / 2)
  again = command
  pieces = size = started = ended = cut = code = inside = 0
  chunk = last = before = ""
  watch = ""
  name = stored
  sub(/.*\\//, "", name)
  queues = recording && table[name] == "inet"
  if (first) {
    if (stored ~ /(^|\\/)proc\\/net\\/[a-z0-9]+$/ && name in table) watch = table[name]
    else if (name == "ss_-peaonmi") watch = "ss"
  }
}

# Whether the last line ends with a newline is known when the next one comes.
function take(line) {
  if (ended) return
  if (queues && passed_over(line)) return
  if (started) { before = last; add(last "\\n"); if (watch != "") note(last) }
  else if (inside && substr(line, 1, 1) == NUL) line = substr(line, 2)
  started = 1
  last = line
}

# Of a large table the recorder leaves out sockets with nothing in a queue now, nor the time before: that it was read meanwhile is to be seen.
function passed_over(line,    f) {
  split(line, f, " ")
  if (f[5] !~ /^[0-9A-F]+:[0-9A-F]+$/) return 0
  if (f[5] == "00000000:00000000") return size > WHOLE_TABLE && !(f[10] in had_queue)
  if (++queues_noted <= 1000) queued = queued f[10] " "
  return 0
}

function add(text) {
  if (size + length(text) > limit) { text = substr(text, 1, limit - size); cut = 1 }
  size += length(text)
  if (size > MEMORY) return
  chunk = chunk text
  if (length(chunk) > 2048) { piece[++pieces] = chunk; chunk = "" }
}

function end_content() {
  if (ended) return
  if (started) { add(last); if (watch != "") note(last) }
  ended = 1
}

# Stores what was read, or notes why there is nothing.
function keep(how,    stored, group, why) {
  stored = path
  path = ""
  if (stored == "-") {
    stored = names[1]
    sub(/\\t.*/, "", stored)
    # What it had printed until it was killed may not have come.
    if (how == "hung" && retrying && !(names[1] in finished)) problem(stored, "did not answer in time")
    if (before == "" || how == "hung") return
    problem(stored, "its reader could not start: " before)
    return
  }
  if (reading) {
    if (names[at] in finished) return
    finished[names[at]] = 1
    why = how == "done" ? "its reader ended too early" : complaint(stored)
    # Only of cat it is known that an empty file is one.
    if (why == "" && size == 0 && list_max != ENVIRON["max_file"]) return
  }
  group = stored
  sub(/^proc\\/[0-9]+\\//, "proc/*/", group)
  if (how == "hung" || code == 137) {
    if (size > 0) store(stored)
    problem(stored, "did not answer in time" (size > 0 ? ": what came until then is kept" : ""))
  } else if (why != "") {
    if (why ~ /^No such/) return
    # Root is denied only what ended meanwhile.
    if (ENVIRON["euid"] == 0 && group != stored && why == "Permission denied") return
    problem(group, why ~ /denied|not permitted/ ? denied : why)
  } else if (size == 0 && code == 127) {
  } else if (size == 0 && code > 0) problem(group, "exit status " code)
  else {
    store(stored)
    if (cut) problem(group, "longer than its limit: cut to its first bytes")
  }
}

# "cat: /proc/1/status: No such process" behind what was read, which is taken off again.
function complaint(stored,    name, why) {
  name = stored
  sub(/.*\\//, "", name)
  if (last != "" || index(before, "cat: ") != 1) return ""
  if (index(before, "/" name) == 0 && index(before, "cat: read error: ") != 1) return ""
  size -= length(before) + 1
  if (chunk == "" && pieces > 0) chunk = piece[pieces--]
  chunk = substr(chunk, 1, length(chunk) - length(before) - 1)
  why = before
  sub(/.*: /, "", why)
  return why
}

function store(stored,    i, command) {
  if (size > MEMORY) {
    command = again
    if (reading) {
      command = names[at]
      sub(/.*\\t/, "", command)
      command = ENVIRON["limit"] " cat " quoted(command)
    }
    if (command != "") { read_again(stored, command); return }
    if (chunk != "") piece[++pieces] = chunk
    chunk = ""
    for (i = size = 0; i < pieces; i++) size += length(piece[i + 1])
    cut = 1
  }
  if (chunk != "") { piece[++pieces] = chunk; chunk = "" }
  header(stored, size, "0")
  for (i = 1; i <= pieces; i++) print piece[i] | out
  pad(size)
  tally(size)
}

# Longer than memory: held to the size of the first reading, cut behind a whole line and filled with empty ones.
function read_again(stored, command,    left, line) {
  header(stored, size, "0")
  command = "exec 2>/dev/null; " command " | tr " QUOTE "\\\\000" QUOTE " " QUOTE "\\\\377" QUOTE
  left = size
  while (left > 0 && (command | getline line) > 0) {
    if (length(line) + 1 > left) break
    print line "\\n" | out
    left -= length(line) + 1
  }
  close(command)
  for (line = "\\n"; length(line) < 512;) line = line line
  for (; left >= 512; left -= 512) print line | out
  print substr(line, 1, left) | out
  pad(size)
  tally(size)
}

# A file of any bytes, of which exactly this many are taken.
function raw(stored, file, bytes,    command) {
  if (bytes > room / 2) { problem(stored, "no room left for it"); return }
  header(stored, bytes, "0")
  flush()
  file = quoted(file)
  command = "{ " ENVIRON["limit"] " head -c " bytes " " file "; head -c " bytes " /dev/zero; } 2>/dev/null | head -c " bytes
  if (system(command " | " ENVIRON["packer"]) != 0) { broken = 1; exit }
  pad(bytes)
  tally(bytes)
}

function quoted(text,    i, parts, joined, count) {
  count = split(text, parts, QUOTE)
  joined = QUOTE parts[1]
  for (i = 2; i <= count; i++) joined = joined QUOTE "\\\\" QUOTE QUOTE parts[i]
  return joined QUOTE
}

# ---- tar ----

function header(stored, bytes, type,    record, length_digits, octal, sum, start, full) {
  start = type == "x" ? "" : root "/" prefix
  full = start stored
  if (length(full) > 100) {
    record = " path=" full "\\n"
    length_digits = length(record) + length(length(record) "")
    if (length(length_digits "") > length(length(record) "")) length_digits = length(record) + length(length_digits "")
    record = length_digits record
    header("PaxHeader", length(record), "x")
    print record | out
    pad(length(record))
    full = substr(full, 1, 100)
    start = substr(start, 1, 100)
  }
  octal = sprintf("%o", bytes)
  # 600 and twice 0 in seven digits, and the zeros before the size; eight blanks for the sum itself; "ustar" and "00".
  sum = known(start) + ascii(substr(full, length(start) + 1)) + ascii(octal) + known(mtime)
  sum += (21 + 11 - length(octal)) * 48 + 6 + 256 + byte[type] + 559 + 96
  print full substr(zeros, 1, 100 - length(full)) "0000600" NUL "0000000" NUL "0000000" NUL \\
    sprintf("%011o", bytes) NUL mtime NUL sprintf("%06o", sum) NUL " " type substr(zeros, 1, 100) "ustar" NUL "00" substr(zeros, 1, 247) | out
}

# What all headers of a snapshot have in common is summed up once: character by character is slow.
function known(text) {
  if (!(text in sums)) sums[text] = ascii(text)
  return sums[text]
}

function ascii(text,    i, sum) {
  for (i = length(text); i > 0; i--) sum += byte[substr(text, i, 1)]
  return sum + 0
}

function pad(bytes) { if (bytes % 512) print substr(zeros, 1, 512 - bytes % 512) | out }

# Ends a gzip member: everything so far can be read back, even if nothing follows.
function flush() { if (close(out) > 0) { broken = 1; exit } }

# ---- sockets that hold memory, whose owners are looked up ----

function note(line,    f, n, i, queue) {
  if (watch == "ss") { note_ss(line); return }
  if (index(line, " 00000000:00000000 ")) return
  n = split(line, f, " ")
  # Of one that listens (0A) the queue counts connections that nobody has accepted: all that they hold is its own.
  if (watch == "inet") { if (split(f[5], queue, ":") == 2) want(f[10], f[4] == "0A" ? 1e9 : hex(queue[1]) + hex(queue[2])) }
  else if (watch == "netlink") want(f[10], f[5] + f[6])
  else want(f[9], f[7])
}

function note_ss(line,    f, n, i) {
  if (line ~ /^[ \\t]+ring_[rt]x\\(/) { if (ring > 0) want(ring, 1e9); return }
  if (multipath && line ~ /^[ \\t]+skmem:\\(r/) {
    split(line, f, /[(,]/)
    want(ring, substr(f[2], 2)); want(ring, substr(f[7], 2))
  }
  if (line ~ /^[ \\t]/) return
  ring = 0
  multipath = line ~ /^mptcp /
  if (index(line, "users:((")) return
  if (match(line, / ino:[0-9]+ /)) ring = substr(line, RSTART + 5, RLENGTH - 6) + 0
  if (line !~ /^u_/) return
  n = split(line, f, " ")
  for (i = 6; i <= n - 2; i++) if (f[i] ~ /^[0-9]+$/ && f[i + 2] ~ /^[0-9]+$/) {
    if (f[2] == "LISTEN") want(f[i], f[3] > 0 ? 1e9 : 0)
    else want(f[i], f[3] + 0 > f[4] + 0 ? f[3] : f[4])
    return
  }
}

function want(inode, bytes) {
  if (inode ~ /^[1-9][0-9]*$/ && bytes + 0 >= ENVIRON["min_queued"] + 0) wanted[inode] = 1
}

function hex(text,    i, value) {
  for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", tolower(substr(text, i, 1))) - 1
  return value + 0
}

# Descriptors are listed process by process until all are found: each costs the kernel 0.9 KB.
function owners(as,    command, line, f, n, file, pid, inode, missing, looked, owner) {
  begin(as, 1e9, "")
  for (inode in wanted) missing++
  command = ENVIRON["list_descriptors"]
  while (missing > 0 && (command | getline line) > 0) {
    looked++
    n = split(line, f, " ")
    if (substr(f[n], 1, 8) != "socket:[") continue
    inode = substr(f[n], 9, length(f[n]) - 9)
    if (!(inode in wanted)) continue
    file = f[n - 2]
    pid = file
    sub(/\\/.*/, "", pid)
    if (!(inode in owner)) { owner[inode] = pid; missing-- }
    if (owner[inode] == pid) add("/proc/" file " -> " f[n] "\\n")
  }
  if (looked > 0) close(command)
  add("# descriptors_read " looked + 0 "\\n# not_found " missing + 0 "\\n")
  ended = 1
  if (ENVIRON["euid"] != 0 && missing > 0) problem("proc/*/fd", denied)
  store(as)
  path = ""
}

# ---- the status ----

function collector(id, now) {
  current = id
  started_at = now
  if (!(id in files)) { ids[++collectors] = id; files[id] = bytes_of[id] = time_of[id] = 0 }
}

function tally(bytes) {
  room -= bytes
  if (current != "") { files[current]++; bytes_of[current] += bytes }
  if (room < 65536 && stopped == "") {
    stopped = "the size limit of " ENVIRON["max_total"] " bytes for the whole was reached"
    exit
  }
}

function problem(where, why,    key) {
  key = current SUBSEP where SUBSEP why
  if (!(key in times_of)) { problem_of[++problems] = key; where_of[key] = where; why_of[key] = why; by[key] = current }
  times_of[key]++
}

function json(text,    i, c, done) {
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    done = done (c == "\\"" || c == "\\\\" ? "\\\\" c : byte[c] < 32 || byte[c] > 126 ? "?" : c)
  }
  return "\\"" done "\\""
}

function finish(    i, j, id, text, comma, key, now) {
  # Nothing behind what could not be written: there would be a hole in between.
  if (broken) exit 1
  # A sample of the recorder, behind which others follow.
  if (recording) {
    if (close(out) > 0) exit 1
    if (queued != "") print queued | "cat >&2"
    exit 0
  }
  if (!complete && stopped == "") stopped = "the shell that captures was killed"
  prefix = path = ""
  "date -u +%Y-%m-%dT%H:%M:%SZ" | getline now
  text = "{\\n  \\"schemaVersion\\": 1,\\n  \\"finishedAt\\": \\"" now "\\",\\n  \\"snapshots\\": ["
  for (i = 1; i <= snapshots; i++) text = text (i > 1 ? ", " : "") "\\"" times[i] "\\""
  text = text "],\\n  \\"stopped\\": " (stopped == "" ? "null" : json(stopped)) ",\\n  \\"collectors\\": ["
  for (i = 1; i <= collectors; i++) {
    id = ids[i]
    text = text (i > 1 ? "," : "") "\\n    {\\"id\\": " json(id) ", \\"files\\": " files[id] ", \\"bytes\\": " bytes_of[id] \\
      ", \\"milliseconds\\": " time_of[id] ", \\"problems\\": ["
    comma = ""
    for (j = 1; j <= problems; j++) if (by[key = problem_of[j]] == id) {
      text = text comma "\\n      {\\"path\\": " json(where_of[key]) ", \\"reason\\": " \\
        json(why_of[key] (times_of[key] > 1 ? " (" times_of[key] " times)" : "")) "}"
      comma = ","
    }
    text = text "]}"
  }
  text = text "\\n  ]\\n}\\n"
  header("nailhouse-status.json", length(text), "0")
  print text | out
  pad(length(text))
  print zeros zeros | out
  if (close(out) > 0) exit 1
}
`;

/**
 * Counts pages by flags and compound order, from `od -A d -t x8` of /proc/kpageflags: od leaves out lines that repeat the one before,
 * which their addresses tell.
 */
export const censusProgram: string = `
BEGIN {
  split("LOCKED ERROR REFERENCED UPTODATE DIRTY LRU ACTIVE SLAB WRITEBACK RECLAIM BUDDY MMAP ANON SWAPCACHE SWAPBACKED HEAD " \\
    "TAIL HUGE UNEVICTABLE HWPOISON NOPAGE KSM THP OFFLINE ZERO_PAGE IDLE PGTABLE BIT27 BIT28 BIT29 BIT30 BIT31 " \\
    "RESERVED MLOCKED OWNER_2 PRIVATE PRIVATE_2 OWNER_PRIVATE ARCH UNCACHED SOFTDIRTY ARCH_2 ARCH_3 BIT43 BIT44 BIT45 BIT46 BIT47", symbol, " ")
}
$1 == "*" { next }
{
  lines = ($1 - address) / 16 - 1
  if (NR > 1 && lines > 0) {
    if (first == second) add(first, 2 * lines)
    else for (; lines > 0; lines--) { add(first, 1); add(second, 1) }
  }
  address = $1 + 0
  first = $2
  second = $3
  if ($2 != "") add($2, 1)
  if ($3 != "") add($3, 1)
}
END {
  end_compound()
  print "# nailhouse page-flags census"
  print "# pages_total " (frames > read ? frames : read)
  print "# pages_read " read + 0
  print "# order flags pages symbols"
  for (key in count) {
    split(key, f, SUBSEP)
    print f[1], "0x" f[2], count[key], symbols(f[2]) | "sort -k3,3nr -k2,2 -k1,1n"
  }
}
# Of 16 hex digits the 13th holds HEAD (bit 15), the 12th TAIL (16), the 11th NOPAGE (20).
function add(flags, many) {
  read += many
  if (compound > 0) {
    if (index("13579bdf", substr(flags, 12, 1))) { compound += many; return }
    end_compound()
  }
  if (index("89abcdef", substr(flags, 13, 1))) {
    # Several heads in a row are pages of order 0.
    if (many > 1) count[0, flags] += many - 1
    head = flags
    compound = 1
  } else if (!index("13579bdf", substr(flags, 11, 1))) count[0, flags] += many
}
function end_compound(    order, left) {
  if (compound == 0) return
  for (left = compound; left >= 2; left = int(left / 2)) order++
  count[order + 0, head] += compound
  compound = 0
}
function symbols(flags,    i, digit, bit, names) {
  for (i = 16; i > 4; i--) {
    digit = index("0123456789abcdef", substr(flags, i, 1)) - 1
    for (bit = 1; bit <= 4; bit++) {
      if (digit % 2) names = names (names == "" ? "" : ",") symbol[(16 - i) * 4 + bit]
      digit = int(digit / 2)
    }
  }
  return names
}
`;

/** Network namespaces but the first one, from `ls -l PID/ns/net`, mountinfo, and then find_held: name, file and up to three processes. */
export const namespacesProgram: string = `
function member(link, pid) {
  if (!(link in members)) order[++links] = link
  if (members[link]++ < 3) pids[link] = pids[link] (pids[link] == "" ? "" : " ") pid
}
NF == 2 && $1 ~ /^[0-9]+\\/fd\\/[0-9]+$/ {
  if ($NF == first || $NF in members) next
  if (++all > most) next
  order[++links] = $NF
  members[$NF] = 1
  held[$NF] = $1
  next
}
$NF ~ /^net:\\[[0-9]+\\]$/ && $(NF - 1) == "->" && $NF != first {
  pid = $(NF - 2)
  sub(/\\/.*/, "", pid)
  member($NF, pid)
}
$4 ~ /^net:\\[[0-9]+\\]$/ && / - nsfs / && $4 != first && !($4 in mount) {
  if (!($4 in members)) { order[++links] = $4; members[$4] = 0 }
  mount[$4] = $5
}
END {
  for (i = 1; i <= links; i++) {
    link = order[i]
    number = link
    gsub(/[^0-9]/, "", number)
    name = "net-" number
    file = root "/proc/" pids[link] "/ns/net"
    sub(/ [^\\/]*/, "", file)
    if (link in held) file = root "/proc/" held[link]
    if (link in mount) {
      # An escaped blank, \\040 in mountinfo, is the only one to be expected in such a path.
      file = mount[link]
      while (at = index(file, "\\\\040")) file = substr(file, 1, at - 1) " " substr(file, at + 4)
      file = root file
      plain = file
      sub(/.*\\//, "", plain)
      gsub(/[^A-Za-z0-9_.-]/, "_", plain)
      if (!(plain in used)) name = plain
    }
    used[name] = 1
    print name "\\t" file "\\t" pids[link]
  }
  if (all > most) print "more"
}
`;

/**
 * Reads a file of a recorder's ring, unpacked, and passes the samples on that are worth packing: those that `nailhouse collect` chooses. A line
 * of the shell that begins with the mark says that it is damaged.
 */
export const ringProgram: string = `
BEGIN {
  NUL = "\\377"
  ORS = ""
  mark = ENVIRON["mark"] "\\t"
}
index($0, mark) == 1 { say("problem\\t" ENVIRON["file"] "\\tthe compressed data is damaged or cut off: what stands before that is packed"); exit }
left > length($0) && pax == "" { if (copying) print $0 "\\n"; left -= length($0) + 1; if (!left) end_of_file(); next }
{ take($0 "\\n") }
END { if (left && copying) say("drop") }

function say(text) { print "\\n" mark text "\\n" }

# Takes a tar archive apart: the content of a file, what fills its last block, the header of the next one.
function take(bytes,    part) {
  while (bytes != "") {
    if (left) {
      part = substr(bytes, 1, left)
      left -= length(part)
      if (copying) print part
      else if (pax != "") pax = pax part
      if (!left) end_of_file()
    } else if (padding) {
      part = substr(bytes, 1, padding)
      padding -= length(part)
    } else {
      part = substr(bytes, 1, 512 - length(head))
      head = head part
      if (length(head) == 512) { begin(); head = "" }
    }
    bytes = substr(bytes, length(part) + 1)
  }
}

function field(from, size,    text) {
  text = substr(head, from, size)
  if (index(text, NUL)) text = substr(text, 1, index(text, NUL) - 1)
  return text
}

# A header, or the blocks at the end of an archive.
function begin(    type, digits, i, name) {
  if (substr(head, 258, 5) != "ustar") exit
  digits = field(125, 12)
  for (i = 1; i <= length(digits); i++) left = left * 8 + index("01234567", substr(digits, i, 1)) - 1
  padding = (512 - left % 512) % 512
  type = substr(head, 157, 1)
  name = long == "" ? field(1, 100) : long
  long = ""
  if (type == "x") pax = " "
  else if (type == "0") copying = chosen(name)
  if (!left) end_of_file()
}

# Of a name that did not fit there is a record: LENGTH path=NAME.
function end_of_file(    at) {
  if (copying) say("done")
  copying = 0
  if ((at = index(pax, " path="))) long = substr(pax, at + 6, length(pax) - at - 6)
  pax = ""
}

# Whether a file is of a sample that is packed; the writer is told then.
function chosen(name,    time) {
  sub(/^[^\\/]+\\//, "", name)
  if (name !~ /^history\\/[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?Z\\/[A-Za-z0-9_.,:=+@ \\/-]+$/) return 0
  if (index(name, "..")) return 0
  sub(/^history\\//, "", name)
  time = substr(name, 1, index(name, "/") - 1)
  if (time != last_time) {
    # A file is of an hour at most: it has no younger ones.
    if (last_time != "" && age >= ${ONE_A_FILE_SECONDS + 3600}) { say("passed"); exit }
    last_time = time
    slot = slot_of(time)
    packing = slot != last_slot
    last_slot = slot
    say(packing ? "sample\\t" time : "passed")
  }
  if (packing) say("recorded\\t" substr(name, length(time) + 2) "\\t" left)
  return packing
}

# Of all samples that have it in common one is enough.
function slot_of(time,    seconds, every) {
  seconds = seconds_of(time)
  age = ENVIRON["now"] - seconds
  if (age >= ${ONE_A_FILE_SECONDS}) return "old"
  every = ${
  SPACING.reduceRight((rest, { upToSeconds, everySeconds }) =>
    rest === "" ? `${everySeconds}` : `age < ${upToSeconds} ? ${everySeconds} : ${rest}`, "")
}
  return every " " int(seconds / every)
}

# Since 1970. Years begin in March here, so that a day more is at their end.
function seconds_of(time,    year, month, days) {
  year = substr(time, 1, 4) + 0
  month = substr(time, 6, 2) + 0
  if (month < 3) { year--; month += 12 }
  days = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * month - 457) / 5) + substr(time, 9, 2) - 719469
  return ((days * 24 + substr(time, 12, 2)) * 60 + substr(time, 15, 2)) * 60 + substr(time, 18)
}
`;
