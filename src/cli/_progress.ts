/** Progress on standard error: a bar that is redrawn on a terminal, otherwise one line a snapshot. */
import process from "node:process";
import type { CollectEvent } from "../engine/collect.ts";
import { say } from "./_say.ts";

const BAR_WIDTH = 24;

/** Shows what collecting does. */
export interface Progress {
  readonly show: (event: CollectEvent) => void;
  /** Removes the bar, before anything else is printed. */
  readonly end: () => void;
}

const silent: Progress = { show() {}, end() {} };

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function lines(): Progress {
  return {
    show(event) {
      if (event.kind !== "snapshot") return;
      say(
        `snapshot ${event.snapshot} of ${event.snapshots}: ${event.files} files, ${mebibytes(event.bytes)} so far`,
      );
    },
    end() {},
  };
}

/** How far this is, from 0 to 1: the first snapshot is most of the work, waiting most of the time. */
function fraction(event: CollectEvent): number {
  if (event.kind === "recorded") return 1;
  const within = event.kind === "collector" ? event.index / event.of : event.kind === "snapshot" ? 1 : 0;
  return (event.snapshot - 1 + within) / event.snapshots;
}

function label(event: CollectEvent): string {
  switch (event.kind) {
    case "collector":
      return event.id;
    case "snapshot":
      return `${event.files} files`;
    case "recorded":
      return "what was recorded before";
    case "waiting":
      return `next look in ${Math.ceil(event.seconds)} s`;
  }
}

function bar(): Progress {
  const clear = "\r\x1b[K";
  return {
    show(event) {
      const full = Math.round(fraction(event) * BAR_WIDTH);
      const drawn = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
      const snapshot = event.kind === "recorded" ? "" : `snapshot ${event.snapshot} of ${event.snapshots}: `;
      process.stderr.write(`${clear}collecting ${drawn} ${snapshot}${label(event)}`);
    },
    end() {
      process.stderr.write(clear);
    },
  };
}

/** Chooses by what standard error is. */
export function collectProgress(quiet: boolean): Progress {
  if (quiet) return silent;
  return process.stderr.isTTY ? bar() : lines();
}
