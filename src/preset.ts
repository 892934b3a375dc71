import { analyzers } from "../analyzers/mod.ts";
import { kernelEvents } from "./computed/kernel_events.ts";
import { ledger } from "./computed/ledger.ts";
import { memoryLimits } from "./computed/memory_limits.ts";
import { pressure } from "./computed/pressure.ts";
import { timeline } from "./computed/timeline.ts";
import type { Preset } from "./engine/analyze.ts";

export { collectors } from "./preset_collectors.ts";

/** The shipped analyzers, and how ledger, pressure, timeline, events and limits are read. */
export const preset: Preset = { analyzers, ledger, pressure, timeline, events: kernelEvents, limits: memoryLimits };
