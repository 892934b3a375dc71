/** What somebody's loop wrote into one text: `while sleep 60; do date; cat /proc/meminfo; done`, and OSWatcher's files. Each time is a snapshot. */
import { pathInBundle } from "./_history.ts";
import type { Section } from "./_layouts.ts";
import { isSocketList, LOG_PLACE, loosePath } from "./_loose.ts";
import { hostsOf, type Paste, splitPaste } from "./_paste.ts";
import { withoutPrefixes } from "./_prefixes.ts";
import { shortName } from "./_few.ts";
import { parseStamp, type Stamp } from "./_stamp.ts";

/** A part of the text, and its time. */
interface Block {
  readonly stamp: Stamp;
  readonly lines: string[];
}

/** The parts, and what stands above the first time. */
function blocksOf(text: string): { readonly head: readonly string[]; readonly blocks: readonly Block[] } {
  const head: string[] = [];
  const blocks: Block[] = [];
  for (const line of text.split("\n")) {
    const stamp = parseStamp(line);
    if (stamp !== undefined) blocks.push({ stamp, lines: [] });
    else (blocks.at(-1)?.lines ?? head).push(line);
  }
  return { head, blocks };
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder();

function sectionsOf(lines: readonly string[]): readonly Section[] {
  const text = lines.join("\n");
  const bytes = encoder.encode(text);
  const place = loosePath(bytes);
  return splitPaste(text, place)?.sections ?? (place === undefined ? [] : [{ path: place, bytes }]);
}

function isLog({ path }: Section): boolean {
  return path === LOG_PLACE;
}

/** The kernel's log of all times: each time most of it is what was there before, and what scrolled out is told by the earlier ones alone. */
function joinedLog(logs: readonly Section[]): readonly Section[] {
  const known = new Set<string>();
  const lines: string[] = [];
  for (const { bytes } of logs) {
    const others = utf8.decode(bytes).split("\n").filter((line) => !known.has(line));
    for (const line of others) {
      known.add(line);
      lines.push(line);
    }
  }
  return logs.length === 0 ? [] : [{ path: LOG_PLACE, bytes: encoder.encode(`${lines.join("\n")}\n`) }];
}

/** Each takes some 0.1 ms: a second's samples of three hours, of which a thousand are kept. */
const MAX_SAMPLES = 10_000;

/** What is to be said of samples that become snapshots. */
export function samplesWarning({ zone }: Stamp): string {
  const clock = zone === undefined
    ? ""
    : `; their times are those of the host's clock (${shortName(zone)}), whatever Z says`;
  return `samples of several times: each is a snapshot, in which what is cited by path and line stands${clock}`;
}

/** Splits a text into the snapshots or the files that it consists of; see {@linkcode splitPaste}. */
export function splitText(text: string, whole: string | undefined): Paste | undefined {
  for (const { host, text: own } of hostsOf(text)) {
    const paste = splitSamples(own) ?? splitPaste(own, undefined);
    if (paste === undefined) continue;
    return {
      ...paste,
      warnings: [`what its prompts tell to be of other hosts than ${host} is passed over`, ...paste.warnings],
    };
  }
  return splitSamples(text) ?? splitPaste(text, whole) ?? (whole === undefined ? splitPrefixed(text) : undefined);
}

/** A text of which nothing is known as it stands. */
function splitPrefixed(text: string): Paste | undefined {
  const plain = withoutPrefixes(text);
  const paste = plain && splitPaste(plain.text, undefined);
  return paste && { ...paste, warnings: [...plain.warnings, ...paste.warnings] };
}

/** What a section tells of. Of sockets it is what was asked for, if the command stands above. */
function subjectOf({ path, bytes }: Section): string {
  return isSocketList(path) ? `${path} ${/^\$ .{0,200}/.exec(utf8.decode(bytes.subarray(0, 256)))?.[0] ?? ""}` : path;
}

/**
 * Splits a text into the snapshots that it consists of; undefined where it does not tell the same of two times or more. A log does so by itself: its own
 * lines tell the time.
 */
export function splitSamples(text: string): Paste | undefined {
  const { head, blocks: all } = blocksOf(text);
  const blocks = all.slice(-MAX_SAMPLES);
  const [first] = blocks;
  if (first === undefined || blocks.length < 2) return undefined;
  const samples = blocks.map(({ stamp, lines }) => ({
    time: new Date(stamp.time).toISOString(),
    sections: sectionsOf(lines),
  }));
  const recorded = samples.flatMap(({ sections }) => sections).filter((section) => !isLog(section));
  const places = new Set(recorded.map(({ path }) => path));
  if (new Set(recorded.map(subjectOf)).size === recorded.length) return undefined;
  const once = sectionsOf(head);
  const log = joinedLog([...once, ...samples.flatMap(({ sections }) => sections)].filter(isLog));
  const seen = new Set<string>();
  const snapshots = samples.flatMap(({ time, sections }) =>
    sections.filter((section) => !isLog(section)).map(({ path, bytes }) => ({ path: pathInBundle(path, time), bytes }))
  ).filter(({ path }) => !seen.has(path) && seen.add(path));
  const rest = once.filter((section) => !isLog(section) && !places.has(section.path));
  const left = all.length === blocks.length ? [] : [`of ${all.length} samples the newest ${MAX_SAMPLES} are used`];
  return { sections: [...rest, ...log, ...snapshots], warnings: [samplesWarning(first.stamp), ...left] };
}
