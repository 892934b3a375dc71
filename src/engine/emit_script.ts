/** Writes the collectors' declarations as one POSIX sh script, for hosts that have no runtime. */
import type {
  Capture,
  Collector,
  CommandCapture,
  FileCapture,
  NetnsCapture,
  ProcessCapture,
  TreeCapture,
} from "../core/collector.ts";
import { shellWord } from "../core/shell.ts";
import { version } from "../core/version.ts";
import { explanation, functions, historyPart, mainPart, usage } from "./_script_shell.ts";

/** `changing=128 -- status` */
function words(...all: readonly (string | undefined)[]): string {
  return all.filter((word) => word !== undefined && word !== "").join(" ");
}

function option(name: string, value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${name}=${value}`;
}

/** In which looks but the first one it is captured. */
function looks({ changing, recorded }: Pick<FileCapture, "changing" | "recorded">): (string | undefined)[] {
  return [changing && "changing", recorded && "recorded"];
}

function argv(list: readonly string[]): string {
  return list.map(shellWord).join(" ");
}

function command(capture: CommandCapture): string[] {
  const { as, aboveOpenFiles: above } = capture;
  const line = (list: readonly string[]) =>
    words(
      "output",
      shellWord(as),
      ...looks(capture),
      capture.network && "network",
      option("seconds", capture.timeoutSeconds),
      option("max", capture.maxBytes),
      "--",
      argv(list),
    );
  if (above === undefined) return [line(capture.argv)];
  return [`if open_files_above ${above.count}; then`, `  ${line(above.argv)}`, "else", `  ${line(capture.argv)}`, "fi"];
}

function namespaces(capture: NetnsCapture): string[] {
  const { files, commands, maxNamespaces } = capture;
  const options = words(...looks(capture), option("max", capture.maxBytes), "--");
  return [
    ...(files.length === 0 ? [] : [words("namespaces", `${maxNamespaces}`, options, argv(files))]),
    ...commands.map((each) =>
      words("namespaces_output", `${maxNamespaces}`, shellWord(each.as), options, argv(each.argv))
    ),
  ];
}

function processes(capture: ProcessCapture): string {
  return words(
    "process",
    option("changing", capture.changing?.largest),
    option("recorded", capture.recorded?.largest),
    option("largest", capture.largest),
    capture.mayHang && "may-hang",
    option("max", capture.maxBytes),
    "--",
    argv(capture.files),
  );
}

function tree(capture: TreeCapture): string {
  return words(
    "tree",
    shellWord(capture.path.slice(1)),
    `having=${shellWord(capture.having)}`,
    `by=${shellWord(capture.largestBy)}`,
    option("depth", capture.maxDepth),
    option("folders", capture.maxFolders),
    "--",
    argv(capture.files),
  );
}

function lines(capture: Capture): string[] {
  switch (capture.kind) {
    case "file":
      return [words("file", shellWord(capture.path.slice(1)), ...looks(capture), option("max", capture.maxBytes))];
    case "command":
      return command(capture);
    case "netns":
      return namespaces(capture);
    case "process":
      return [processes(capture)];
    case "socket-owners":
      return [words("socket_owners", shellWord(capture.as))];
    case "page-flags":
      return [words("page_flags", shellWord(capture.as), `${capture.maxPages}`)];
    case "folder":
      return [words("folder", shellWord(capture.path.slice(1)), option("max", capture.maxBytes))];
    case "tree":
      return [tree(capture)];
  }
}

function comment(text: string): string {
  return text.split("\n").map((line) => `# ${line}`.trimEnd()).join("\n");
}

function block({ id, title, captures }: Collector): string {
  const body = captures.flatMap(lines).map((line) => `      ${line}\n`).join("");
  return `    ${id}) # ${title.replaceAll(/\s+/g, " ")}\n${body}      ;;\n`;
}

/**
 * The collectors as a POSIX sh script that writes the same bundle.
 *
 * @example
 * ```ts
 * import { emitScript } from "./emit_script.ts";
 * import { match } from "node:assert";
 *
 * match(emitScript([{
 *   id: "memory",
 *   title: "Memory counters",
 *   why: "",
 *   priority: 1,
 *   captures: [{ kind: "file", path: "/proc/meminfo", changing: true }],
 * }]), /^ {6}file proc\/meminfo changing$/m);
 * ```
 */
export function emitScript(collectors: readonly Collector[]): string {
  const sorted = collectors.toSorted((a, b) => a.priority - b.priority);
  const owners = sorted.flatMap((each) => each.captures).filter((each) => each.kind === "socket-owners");
  return `#!/bin/sh
# Collects a bundle for nailhouse ${version}, with no more than sh and the usual small programs (busybox has them all).
# Written by "nailhouse collect --emit-script": change the collectors, not this file.
#
${comment(usage)}
#
${comment(explanation)}

# Words without quotes are split at line ends on purpose, programs in quotes are for other shells, functions are called by name, and ls
# tells sizes and ages to every shell.
# shellcheck disable=SC2012,SC2016,SC2086,SC2089,SC2090,SC2317

version=${version}
collectors='${sorted.map((each) => each.id).join(" ")}'
# Sockets with fewer queued bytes are not looked up, nor more descriptors than this.
min_queued=${Math.min(...owners.map((each) => each.minQueuedBytes), 2 ** 31 - 1)}
max_descriptors=${Math.max(...owners.map((each) => each.maxDescriptors), 0)}

# ---- what is captured, in this order ----

captures() {
  case $1 in
${sorted.map(block).join("")}  esac
}
${functions}${historyPart}${mainPart}`;
}
