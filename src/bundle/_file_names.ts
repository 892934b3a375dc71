/** What the name of a file tells that somebody saved, beside what is in it: the options of a command, and that it is of a cluster. */
import { concatBytes } from "../core/bytes.ts";
import type { Section } from "./_layouts.ts";
import { FREE_PLACE, SS_PLACE } from "./_loose.ts";

/** `freem`, `free_-m`, `ss-tanp.txt`, `ssuapn`. */
const COMMAND =
  /(?:^|[^a-zA-Z])(?:(free)[ _-]{0,3}([lthw]{0,3}[bkmg][lthw]{0,3})|(ss)[ _-]{0,3}([aeilmnoptuwx046]{1,10}))(?:\.\w{1,4})?$/;

/** The command whose output a file has, as its name tells it with its options. */
function commandOf(name: string): { readonly path: string; readonly line: string } | undefined {
  const [, free, unit, ss, options] = COMMAND.exec(name) ?? [];
  if (free !== undefined) return { path: FREE_PLACE, line: `$ free -${unit}\n` };
  return ss === undefined ? undefined : { path: SS_PLACE, line: `$ ss -${options}\n` };
}

const utf8 = new TextDecoder();

/** Whether ss of one family, which has no column for it, or free of some unit stands there without its command. */
function lacksCommand({ bytes }: Section): boolean {
  return !/^(?:[$#] |Netid )/.test(utf8.decode(bytes.subarray(0, 8)));
}

/** Puts the command above: without it nothing tells the unit of what free printed, or the family of what ss did. */
export function withCommand<T extends { readonly sections: readonly Section[]; readonly warnings: readonly string[] }>(
  file: T,
  name: string,
): T {
  const command = commandOf(name);
  const isOf = (section: Section): boolean => section.path === command?.path && lacksCommand(section);
  if (command === undefined || !file.sections.some(isOf)) return file;
  const above = new TextEncoder().encode(command.line);
  return {
    ...file,
    sections: file.sections.map((section) =>
      isOf(section) ? { ...section, bytes: concatBytes([above, section.bytes]) } : section
    ),
    warnings: [
      ...file.warnings,
      `: as its name tells, it is of ${command.line.slice(2, -1)}: lines are counted from there`,
    ],
  };
}

/** The kubelet's log, of one node or of several, and the events of a cluster. */
const CLUSTER_LOG = /(?:^|[^a-z])(?:kubelet(?:[_-]service)?(?:\.(?:log|txt))?|events\.(?:json|ya?ml))$/i;

/** Whether a file is one that tells of a node's OOMs, but of nothing else: where it tells of none there may have been some. */
export function isClusterLog(name: string): boolean {
  return CLUSTER_LOG.test(name);
}

const TELLS = /System OOM encountered|viction manager: |low on resource: memory/;

/** What such a file tells of OOMs and evictions; undefined where it tells of none. The other lines become empty, so that each keeps its number. */
export function clusterLog(bytes: Uint8Array): Uint8Array | undefined {
  const text = utf8.decode(bytes);
  if (!TELLS.test(text)) return undefined;
  return new TextEncoder().encode(text.split("\n").map((line) => TELLS.test(line) ? line : "").join("\n"));
}
