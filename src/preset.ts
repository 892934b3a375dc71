import { analyzers } from "../analyzers/mod.ts";
import { kernelEvents } from "./computed/kernel_events.ts";
import { ledger } from "./computed/ledger.ts";
import { pressure } from "./computed/pressure.ts";
import { timeline } from "./computed/timeline.ts";
import type { Preset } from "./engine/analyze.ts";

export { collectors } from "./preset_collectors.ts";

/** The shipped analyzers, and how ledger, pressure, timeline and events are read. */
export const preset: Preset = { analyzers, ledger, pressure, timeline, events: kernelEvents };
