import { lines, socketColumns, tableRow } from "./_queued_inodes.ts";

/** Smaller tables are kept as they are: about a thousand sockets, 10 KiB compressed. */
const WHOLE_BYTES = 128 * 1024;
/** A hundred of the fullest tell whose they are; more of them only say it again. */
const MOST_ROWS = 128;

/**
 * Cuts large tables of sockets down to the rows that tell something: the fullest, and those that were kept the time before, however empty they
 * are now. Without these, a queue that was read and filled again would look as if it had only grown.
 */
export class SocketRows {
  /** Inodes, by path below the sample's folder. */
  readonly #kept: Map<string, ReadonlySet<number>> = new Map();

  /** The table as it is to be kept, `bytes` itself when it is small or no table of sockets. */
  cut(path: string, bytes: Uint8Array): Uint8Array {
    const columns = socketColumns(path);
    if (columns === undefined || bytes.length <= WHOLE_BYTES) return bytes;
    const text = new TextDecoder("latin1").decode(bytes);
    const rows: { line: string; inode: number; queued: number }[] = [];
    const table = path.replace(/^history\/[^/]+\//, "");
    const before = this.#kept.get(table);
    // The last line may be cut by a limit.
    for (const line of lines(text.slice(0, text.lastIndexOf("\n") + 1))) {
      const row = tableRow(line, columns);
      if (row !== undefined && row.inode > 0 && (row.queued > 0 || before?.has(row.inode))) rows.push({ line, ...row });
    }
    rows.sort((a, b) => b.queued - a.queued);
    const fullest = rows.slice(0, MOST_ROWS).filter(({ queued }) => queued > 0);
    const others = rows.slice(fullest.length).filter(({ inode }) => before?.has(inode));
    this.#kept.set(table, new Set(fullest.map(({ inode }) => inode)));
    const header = text.slice(0, text.indexOf("\n"));
    return new TextEncoder().encode([header, ...[...fullest, ...others].map(({ line }) => line), ""].join("\n"));
  }
}
