import type { SourceLine } from "../core/ledger.ts";
import type { Parsed } from "../core/source.ts";
import type { Sockstat } from "../parsers/sockstat.ts";

/** What the kernel itself counts for all sockets of one protocol, over all network namespaces. */
export interface ProtocolMemory extends SourceLine {
  readonly bytes: number;
}

/** From any namespace's sockstat: the count is the host's. Undefined where none tells it. */
export function protocolMemory(
  files: readonly Parsed<Sockstat>[] | undefined,
  protocol: "TCP" | "UDP",
): ProtocolMemory | undefined {
  for (const { path, value } of files ?? []) {
    const found = value.get(protocol);
    if (found?.memBytes !== undefined) return { path, line: found.line, bytes: found.memBytes };
  }
  return undefined;
}
