import * as z from "zod";
import type { Analyzer, Outcome } from "../core/analyzer.ts";
import type { Collector } from "../core/collector.ts";
import { outcomeSchema } from "./report_schema.ts";

/** What a third party adds to what is shipped: made by `defineAnalyzer` or `defineCollector`. */
export type Plugin = Analyzer | Collector;

/** Plug-ins by what they do. */
export interface Plugins {
  readonly analyzers: readonly Analyzer[];
  readonly collectors: readonly Collector[];
}

/** A plug-in that nailhouse cannot use, or two with one id. */
export class PluginError extends TypeError {
  constructor(message: string) {
    super(message);
    this.name = "PluginError";
  }
}

// Ids are file names, and are shown as they are.
const id = z.string("is no text").regex(/^[a-z][a-z0-9-]{0,63}$/, "is not of small letters, digits and -");
const text = z.string("is no text");
const method = z.custom<() => unknown>((value) => typeof value === "function", "is no function");
const sources = z.record(z.string(), z.object({ name: text, patterns: z.array(text), read: method }));
const analyzerSchema = z.object({
  id,
  title: text,
  mechanism: text,
  lookAlikes: text,
  references: z.array(text),
  needs: sources,
  uses: sources,
  analyze: method,
});
const collectorSchema = z.object({
  id,
  title: text,
  why: text,
  priority: z.number(),
  captures: z.array(z.object({
    kind: z.enum(["file", "command", "netns", "process", "socket-owners", "page-flags", "folder", "tree"]),
  })),
});

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function check(kind: string, schema: z.ZodType, plugin: Plugin): void {
  const [issue] = schema.safeParse(plugin).error?.issues ?? [];
  if (issue === undefined) return;
  throw new PluginError(`the ${kind} "${String(plugin.id)}" is wrong at ${issue.path.join(".")}: ${issue.message}`);
}

/** Of the shipped analyzers the compiler knows that what they find is a finding. */
function checkOutcome(outcome: Outcome): Outcome {
  const parsed = outcomeSchema.safeParse(outcome);
  if (parsed.success) return outcome;
  const [top] = parsed.error.issues;
  // Of the kinds of outcome, findings is the one that can be wrong in many places.
  const issue = top?.code === "invalid_union" ? top.errors.at(-1)?.[0] : top;
  const at = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`;
  const why = (outcome as unknown) instanceof Promise ? "a Promise, but analyze() answers at once" : issue?.message;
  throw new TypeError(`its outcome is wrong${at}: ${why}`);
}

function checked(analyzer: Analyzer): Analyzer {
  return { ...analyzer, analyze: (...given) => checkOutcome(analyzer.analyze(...given)) };
}

/** Refuses an id that is there twice. */
function refuseTwins(kind: string, ids: readonly string[]): void {
  const twin = ids.find((each, i) => ids.indexOf(each) !== i);
  if (twin !== undefined) throw new PluginError(`there are two ${kind} with the id "${twin}"`);
}

/**
 * Adds plug-ins to what is shipped. One that is given twice is one.
 *
 * @throws {PluginError} If one of them is no plug-in, or has an id that is taken.
 */
export function addPlugins(shipped: Plugins, plugins: readonly Plugin[]): Plugins {
  if (!Array.isArray(plugins)) throw new PluginError("plug-ins are given as an array, not as a module or one of them");
  const added = [...new Set(plugins)];
  const none = added.find((each) => !isObject(each) || !("analyze" in each || "captures" in each));
  if (none !== undefined) {
    throw new PluginError("a plug-in is what defineAnalyzer or defineCollector returns; it has analyze() or captures");
  }
  const analyzers = added.filter((each): each is Analyzer => "analyze" in each);
  const collectors = added.filter((each): each is Collector => "captures" in each);
  for (const each of analyzers) check("analyzer", analyzerSchema, each);
  for (const each of collectors) check("collector", collectorSchema, each);
  const all = {
    analyzers: [...shipped.analyzers, ...analyzers.map(checked)],
    collectors: [...shipped.collectors, ...collectors],
  };
  refuseTwins("analyzers", all.analyzers.map((each) => each.id));
  refuseTwins("collectors", all.collectors.map((each) => each.id));
  return all;
}
