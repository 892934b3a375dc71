import { analyzers } from "../analyzers/mod.ts";
import { ledger } from "./computed/ledger.ts";
import { pressure } from "./computed/pressure.ts";
import { timeline } from "./computed/timeline.ts";
import type { Preset } from "./engine/analyze.ts";

export { collectors } from "./preset_collectors.ts";

/** The shipped analyzers, and how ledger, pressure and timeline are read. */
export const preset: Preset = { analyzers, ledger, pressure, timeline };
