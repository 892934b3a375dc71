// proc/key-users: how many keys of the kernel's keyrings each user has: uid, references, keys and those in use, against the user's quota, bytes against it.
// https://docs.kernel.org/security/keys/core.html
//
//     0:     9 8/8 3/1000000 65576/25000000
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";

/** One user. */
export interface KeyUser {
  readonly uid: number;
  readonly keys: number;
  readonly line: number;
}

const USER = /^ *(\d{1,10}): +\d{1,10} (\d{1,10})\/\d{1,10} /;

/**
 * Parses /proc/key-users.
 *
 * @throws {ParseError} if no line is a user.
 *
 * @example
 * ```ts
 * import { parseKeyUsers } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [user] = parseKeyUsers("    0:     9 8/8 3/1000000 65576/25000000\n", { facts: {}, warn() {} });
 * strictEqual(user?.keys, 8);
 * ```
 */
export function parseKeyUsers(text: string, context: ParseContext): readonly KeyUser[] {
  const users: KeyUser[] = [];
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const [whole, uid, keys] = USER.exec(line) ?? [];
    if (whole === undefined) context.warn(number, `not a user's keys: ${quote(line)}`);
    else users.push({ uid: Number(uid), keys: Number(keys), line: number });
  });
  if (users.length === 0) {
    throw new ParseError('Cannot parse key-users: no line like "0: 9 8/8 3/200 99/20000"', { text });
  }
  return users;
}

/** A snapshot's file, as {@linkcode parseKeyUsers} reads it. */
export const keyUsers: Source<Parsed<readonly KeyUser[]>> = defineArtifact({
  name: "key-users",
  paths: ["proc/key-users"],
  howToCapture: "cat /proc/key-users",
  parse: parseKeyUsers,
});
