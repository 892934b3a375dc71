// What other programs recorded of a host's memory before the capture: sysstat (Debian /var/log/sysstat, Red Hat /var/log/sa; sosreport
// turns it into text in sos_commands/sar), and files that were given to `nailhouse collect --history`. Which format a file has is told by
// its content, not by its name.
//
//   sos_commands/sar/sar23       Linux 6.1.0 (vm) 	11/23/26 	_x86_64_	(2 CPU)
//   sos_commands/sar/sa23.xml    <sysstat ...>
//   var/log/sa/sa23              binary: read by no other version of sysstat than the one that wrote it
import { ParseError } from "../core/errors.ts";
import type { Captured, ParseContext, Parsed, Reader, Source } from "../core/source.ts";
import type { RecordedMemory } from "./_recorded_memory.ts";
import { parseAtopMemory } from "./atop_memory.ts";
import { parsePrometheusMemory } from "./prometheus_memory.ts";
import { parseSadfJson } from "./sadf_json.ts";
import { parseSadfTable } from "./sadf_table.ts";
import { parseSadfXml } from "./sadf_xml.ts";
import { parseSar } from "./sar.ts";

/** Formats tell themselves within this many characters. */
const HEAD_CHARACTERS = 4096;

/** As sysstat names its binary files: of a day of the month or a date, perhaps compressed. */
const BINARY_NAME = /\/sa(\d+)(?:\.(?:gz|bz2|xz|zst))?$/;
/** Text of such a file, whoever made it: sar23, sa23.xml, sa23.json. */
const TEXT_NAME = /\/(?:sar(\d+)|sa(\d+)\.(?:xml|json))$/;
/** Where nailhouse's own collector stores the newest files as text. */
const CONVERTED = "sos_commands/sar/sadf_-j";
const FOLDERS = ["history_imported", "sos_commands/sar", "var/log/sa", "var/log/sysstat"];
const NAMED = 3;

/**
 * Parses a file in which sysstat, atop or Prometheus recorded a host's memory.
 *
 * @throws {ParseError} if it is none of these, is binary, or has no memory in it.
 *
 * @example
 * ```ts
 * import { parseMemoryHistory } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "RESET\nMEM vm 1795427256 2026/11/23 09:47:36 600 4096 100 50 10 5 8 0 6 0 2\nSEP\n";
 * strictEqual(parseMemoryHistory(text, { facts: {}, warn() {} }).recorder, "atop");
 * ```
 */
export function parseMemoryHistory(text: string, context: ParseContext): RecordedMemory {
  const head = text.slice(0, HEAD_CHARACTERS).trimStart();
  if (head.includes("\0")) {
    throw new ParseError(
      "A binary file, which only the program that wrote it reads; sysstat's: sadf -j FILE -- -A > FILE.json; " +
        "atop's: atop -r FILE -P MEM > FILE.txt; then give that to nailhouse",
    );
  }
  if (head.startsWith("{")) {
    return head.includes('"sysstat"') ? parseSadfJson(text, context) : parsePrometheusMemory(text, context);
  }
  if (head.startsWith("<")) return parseSadfXml(text, context);
  if (head.startsWith("# hostname;")) return parseSadfTable(text, context);
  if (head.startsWith("Linux ")) return parseSar(text, context);
  if (/^(?:RESET|SEP|[A-Z]{3,4} \S+ \d+ \d{4}\/\d\d\/\d\d )/.test(head)) return parseAtopMemory(text, context);
  throw new ParseError(
    "Not a history of memory: neither of sar -r, sadf -j, -x or -d, atop -P MEM, nor a range query of Prometheus",
    { text: head },
  );
}

/** Days of which there is only a binary file: said once for all of them. */
function warnOfBinaries(binaries: readonly string[], texts: readonly string[], reader: Reader): void {
  if (texts.includes(CONVERTED)) return;
  const days = new Set(texts.map((path) => TEXT_NAME.exec(path)).map((match) => match?.[1] ?? match?.[2]));
  const unread = binaries.filter((path) => !days.has(BINARY_NAME.exec(path)?.[1]));
  const [first] = unread;
  if (first === undefined) return;
  const names = unread.slice(0, NAMED).join(", ") + (unread.length > NAMED ? `, ... (${unread.length} files)` : "");
  reader.parse(first, (_text, { warn }) => {
    warn(1, `sysstat's history is binary and was not used (${names}); on the host: sadf -j FILE -- -A > FILE.json`);
  });
}

function read(reader: Reader): Captured<readonly Parsed<RecordedMemory>[]> {
  const paths = memoryHistory.patterns.flatMap((pattern) => reader.paths(pattern));
  const texts = paths.filter((path) => !BINARY_NAME.test(path) || path.startsWith("history_imported/"));
  warnOfBinaries(paths.filter((path) => !texts.includes(path)), texts, reader);
  const captured = texts.map((path) => reader.parse(path, parseMemoryHistory));
  return { status: "ok", value: captured.flatMap((each) => (each.status === "ok" ? [each.value] : [])) };
}

/** All that was recorded, in the order of the paths; empty when there is nothing. */
export const memoryHistory: Source<readonly Parsed<RecordedMemory>[]> = {
  name: "memory history",
  patterns: FOLDERS.map((folder) => `${folder}/*`),
  read,
};
