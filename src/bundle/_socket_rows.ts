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
const FOUND_BYTES = 32;
const MOST = 4096;
const INODES = FOUND + (MOST + 1) * FOUND_BYTES;
const PEERS = INODES + 2 ** 16;

const IS_ROW = 1;
const IS_EMPTY = 2;

type Rows = (
  kind: TableKind,
  from: number,
  end: number,
  found: number,
  most: number,
  inodes: number,
  peers: number,
) => number;

const ascii = new TextDecoder("latin1");

/**
 * Reads piece by piece: `fill`, then `next` until there are no more, then `rest`. Rows are told by their number among those that were found; those of
 * sockets that hold nothing, and that have nothing to do with one that held something before, are only counted.
 */
export class SocketRows {
  readonly #rows: Rows;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  #from = FROM;
  #end = FROM;
  /** Rows that were found by the last `next`. */
  #count = 0;

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

  /**
   * Finds further rows that are whole: what follows tells that they have no more lines.
   *
   * @param hasPeers Whether the other end of a connection may be in the same table.
   * @returns How many; {@linkcode isDone} tells whether there are no more.
   */
  next(kind: TableKind, hasPeers: boolean): number {
    const peers = hasPeers ? PEERS : 0;
    this.#count = this.#rows(kind, this.#from, this.#end, FOUND, MOST, INODES, peers);
    this.#from = this.#number(this.#count, 0);
    return this.#count;
  }

  get isDone(): boolean {
    return this.#count < MOST;
  }

  /** How many rows there were besides. */
  get idleRows(): number {
    return this.#number(this.#count, 1);
  }

  /** How many lines the idle rows before a row have. The number behind the last row tells of those that follow it. */
  idleLinesBefore(row: number): number {
    return this.#number(row, 7);
  }

  /** A copy of what is behind the rows. */
  rest(): Uint8Array {
    return this.#memory.slice(this.#from, this.#end);
  }

  #number(row: number, which: number): number {
    return this.#view.getUint32(row * FOUND_BYTES + 4 * which, true);
  }

  /** The whole row, valid until `fill`. */
  bytes(row: number): Uint8Array {
    return this.#memory.subarray(this.#number(row, 0), this.#number(row, 1));
  }

  lines(row: number): number {
    return this.#number(row, 2);
  }

  /** Whether it is one; otherwise the parser is to warn of it. */
  isRow(row: number): boolean {
    return (this.#number(row, 3) & IS_ROW) !== 0;
  }

  isEmpty(row: number): boolean {
    return (this.#number(row, 3) & IS_EMPTY) !== 0;
  }

  /** 0 where there is none. */
  inode(row: number): number {
    return this.#number(row, 4);
  }

  /** Both addresses of a row of /proc/net: `0100007F:C968 0100007F:0050`. */
  ends(row: number): string {
    return ascii.decode(this.#memory.subarray(this.#number(row, 5), this.#number(row, 6) - 4));
  }
}
