// What tools of containers print of each one's control group: docker and podman stats, crictl stats, kubectl top pods.
//
//   CONTAINER ID   NAME   CPU %     MEM USAGE / LIMIT     MEM %     NET I/O           BLOCK I/O        PIDS
//   a1b2c3d4e5f6   api    12.31%    510.9MiB / 512MiB     99.79%    1.2GB / 845MB     12.3MB / 0B      22
//
//   CONTAINER       NAME   CPU %   MEM       DISK     INODES      (crictl)
//   NAMESPACE   NAME                   CPU(cores)   MEMORY(bytes)
//   prod        web-6d5f7c9d8b-abcde   120m         1900Mi
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseAmount } from "./_numbers.ts";

/** One container, or pod. */
export interface ContainerStats {
  readonly name: string;
  /** What its control group is charged; docker, crictl and kubectl leave inactive page cache out, podman does not. */
  readonly usageBytes: number;
  /** Its limit, or the host's memory where it has none; undefined where the tool does not tell. */
  readonly limitBytes: number | undefined;
  readonly line: number;
}

const HEADER = /^(?:CONTAINER|ID|NAME(?:SPACE)?|POD)\b.*\b(?:MEM|MEM USAGE \/ LIMIT|MEMORY\(bytes\))(?= |$)/;
/** A node's, which is no control group. */
const OF_NODES = /MEMORY%/;
const AMOUNT = /(\d{1,12}(?:\.\d{1,6})?) ?([kKMGT]?)(?:(i)B?|B)/;
/** Behind the name: what it takes of the CPU, its memory and, of some tools, the limit. */
const USAGE = new RegExp(`^\\S+ ${AMOUNT.source}(?: / ${AMOUNT.source})?`);
const POWERS = ["", "K", "M", "G", "T"];

function bytesOf(digits: string | undefined, letter = "", binary?: string): number | undefined {
  const unit = binary === undefined ? 1000 : 1024;
  return parseAmount(digits, unit ** POWERS.indexOf(letter.toUpperCase()));
}

/**
 * Parses the tables that tools print of containers. Where it was printed again and again, the last row of each counts.
 *
 * @returns Those that run, the largest first.
 * @throws {ParseError} if it is no such table.
 *
 * @example
 * ```ts
 * import { parseContainerStats } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "NAME   CPU(cores)   MEMORY(bytes)\nweb    120m         1900Mi\n";
 * strictEqual(parseContainerStats(text, { facts: {}, warn() {} })[0]?.usageBytes, 1900 * 2 ** 20);
 * ```
 */
export function parseContainerStats(text: string, _context: ParseContext): readonly ContainerStats[] {
  const rows = new Map<string, ContainerStats>();
  let isTable = false;
  let nameAt: number | undefined;
  forEachLine(text, (whole, number) => {
    const line = whole.trim();
    if (HEADER.test(line)) {
      isTable = true;
      // Of the titles before the name this one alone has a blank in it.
      const titles = columns(line.replace("CONTAINER ID", "CONTAINER"));
      nameAt = OF_NODES.test(line) ? undefined : Math.max(0, titles.indexOf("NAME"));
      return;
    }
    if (nameAt === undefined) return;
    const cells = columns(line);
    const name = cells[nameAt];
    const [, usage, letter, binary, limit, limitLetter, limitBinary] = USAGE.exec(cells.slice(nameAt + 1).join(" ")) ??
      [];
    const usageBytes = bytesOf(usage, letter, binary);
    if (name === undefined || usageBytes === undefined) return;
    // Of one that has ended docker says 0B / 0B.
    if (usageBytes === 0) return;
    rows.set(cells.slice(0, nameAt + 1).join(" "), {
      name,
      usageBytes,
      limitBytes: bytesOf(limit, limitLetter, limitBinary),
      line: number,
    });
  });
  if (!isTable) throw new ParseError("Cannot parse the table of containers: its header is not there", { text });
  return [...rows.values()].sort((a, b) => b.usageBytes - a.usageBytes);
}

/** A snapshot's table, as {@linkcode parseContainerStats} reads it. */
export const containerStats: Source<Parsed<readonly ContainerStats[]>> = defineArtifact({
  name: "container_stats",
  paths: [
    "sos_commands/docker/docker_stats_--no-stream",
    "sos_commands/podman/podman_stats_--no-stream_--all",
    "sos_commands/crio/crictl_stats",
  ],
  howToCapture: "docker stats --no-stream",
  parse: parseContainerStats,
});
