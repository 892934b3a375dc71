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

/** No kernel's pages are smaller. */
const LEAST_PAGE_BYTES = 4096;

/** The same; at the least, where the size of a page is not known. */
export function leastProtocolMemory(
  files: readonly Parsed<Sockstat>[] | undefined,
  protocol: "TCP" | "UDP",
): (ProtocolMemory & { readonly isLeast: boolean }) | undefined {
  const known = protocolMemory(files, protocol);
  if (known !== undefined) return { ...known, isLeast: false };
  for (const { path, value } of files ?? []) {
    const { memPages: pages, line } = value.get(protocol) ?? {};
    if (pages !== undefined && line !== undefined) {
      return { path, line, bytes: pages * LEAST_PAGE_BYTES, isLeast: true };
    }
  }
  return undefined;
}
