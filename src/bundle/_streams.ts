/** Contents that come in pieces, and whose size is not known before. */
import { CONDENSE_FROM_BYTES, type Condenser, type Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";

async function* prepend(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** Takes at least `size` bytes from the front, or all there are, without losing them. */
export async function peek(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const rest = chunks[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let got = 0;
  while (got < size) {
    const next = await rest.next();
    if (next.done === true) break;
    taken.push(next.value);
    got += next.value.length;
  }
  const head = concatBytes(taken);
  return { head, chunks: prepend([head], rest) };
}

/** What a condenser keeps of a content, at most `maxBytes` of it. */
export async function readCondensed(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  condenser: Condenser,
): ReturnType<Entry["read"]> {
  const parts: Uint8Array[] = [];
  let room = maxBytes;
  const add = (part: Uint8Array): void => {
    if (part.length > 0) parts.push(part.subarray(0, room));
    room -= part.length;
  };
  for await (const chunk of chunks) {
    add(condenser.push(chunk));
    if (room < 0) break;
  }
  if (room >= 0) add(condenser.end());
  return { bytes: concatBytes(parts), truncated: room < 0 };
}

/** At most `maxBytes` of a content; what is longer than is kept as it is goes through the condenser. */
export async function readStream(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  condenser?: Condenser,
): ReturnType<Entry["read"]> {
  const most = condenser === undefined ? maxBytes : Math.min(CONDENSE_FROM_BYTES, maxBytes);
  const { head, chunks: all } = await peek(chunks, most + 1);
  if (head.length <= most) return { bytes: head, truncated: false };
  if (condenser !== undefined) return await readCondensed(all, maxBytes, condenser);
  return { bytes: head.slice(0, maxBytes), truncated: true };
}
