/** What the rows of large tables of sockets say, read by WebAssembly: .ci/socket_rows.ts. */
import { socketRowsWasm } from "./_socket_rows_wasm.ts";

/** Tables as the WebAssembly knows them: /proc/net, ss, netstat. */
export type TableKind = 0 | 1 | 2;

/** No row is as long: what is longer is no table. */
export const MAX_ROW_BYTES: number = 2 ** 20;
/** What is put behind the beginning of a row that came before. */
export const MAX_PIECE_BYTES: number = 2 ** 18;

/** Where what is read begins. It may look a little before that, and behind the end. */
const FROM = 1024;
const FOUND = FROM + MAX_ROW_BYTES + MAX_PIECE_BYTES + 64;
const FOUND_BYTES = 24;
const MOST = 4096;

const IS_ROW = 1;
const IS_EMPTY = 2;

type Rows = (kind: TableKind, from: number, end: number, found: number, most: number) => number;

const ascii = new TextDecoder("latin1");

/** Reads piece by piece: `fill`, then `next` as long as it finds rows, then `rest`. A row is told by its number among those that were found. */
export class SocketRows {
  readonly #rows: Rows;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  #from = FROM;
  #end = FROM;
  #start = FROM;

  constructor() {
    const binary = Uint8Array.from(atob(socketRowsWasm), (char) => char.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
    const { buffer } = exports.memory as WebAssembly.Memory;
    this.#rows = exports.rows as Rows;
    this.#memory = new Uint8Array(buffer);
    this.#view = new DataView(buffer, FOUND);
  }

  /** @param rest The beginning of a row, which `piece` continues. */
  fill(rest: Uint8Array, piece: Uint8Array): void {
    this.#memory.set(rest, FROM);
    this.#memory.set(piece, FROM + rest.length);
    this.#from = FROM;
    this.#end = FROM + rest.length + piece.length;
  }

  /** How many further rows are whole: what follows tells that they have no more lines. */
  next(kind: TableKind): number {
    const count = this.#rows(kind, this.#from, this.#end, FOUND, MOST);
    this.#start = this.#from;
    if (count > 0) this.#from = this.#endOf(count - 1);
    return count;
  }

  /** A copy of what is behind the rows. */
  rest(): Uint8Array {
    return this.#memory.slice(this.#from, this.#end);
  }

  #endOf(row: number): number {
    return this.#view.getUint32(row * FOUND_BYTES, true);
  }

  /** The whole row, valid until `fill`. */
  bytes(row: number): Uint8Array {
    return this.#memory.subarray(row === 0 ? this.#start : this.#endOf(row - 1), this.#endOf(row));
  }

  lines(row: number): number {
    return this.#view.getUint32(row * FOUND_BYTES + 4, true);
  }

  /** Whether it is one; otherwise the parser is to warn of it. */
  isRow(row: number): boolean {
    return (this.#view.getUint32(row * FOUND_BYTES + 8, true) & IS_ROW) !== 0;
  }

  isEmpty(row: number): boolean {
    return (this.#view.getUint32(row * FOUND_BYTES + 8, true) & IS_EMPTY) !== 0;
  }

  /** 0 where there is none. */
  inode(row: number): number {
    return this.#view.getUint32(row * FOUND_BYTES + 12, true);
  }

  /** Both addresses of a row of /proc/net: `0100007F:C968 0100007F:0050`. */
  ends(row: number): string {
    const local = this.#view.getUint32(row * FOUND_BYTES + 16, true);
    const queues = this.#view.getUint32(row * FOUND_BYTES + 20, true);
    return ascii.decode(this.#memory.subarray(local, queues - 4));
  }
}
