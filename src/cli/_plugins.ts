/** Files of third parties: where they are found, and how they are loaded. */
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { relative, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { Plugin, Plugins } from "../engine/plugins.ts";
import { UsageError } from "./_command.ts";
import { say } from "./_say.ts";

/** The options of every command that takes plug-ins, for `parseArgs`. */
export const pluginOptions = {
  plugin: { type: "string", multiple: true, default: [] as string[] },
  "no-config": { type: "boolean", default: false },
} as const;

/** For the help text of every command that takes plug-ins. */
export const pluginHelp =
  `  --plugin        a file of JavaScript or TypeScript with analyzers or collectors of your own (see the README); its code may do all that
                  you may. A nailhouse.config.ts in this directory is loaded, too, if nobody but you or root can write it (Deno: --allow-sys=uid)
  --no-config     do not`;

const CONFIG = "nailhouse.config.ts";

/** Why a configuration that nobody named is not run; undefined when it may be. */
function distrust(paths: readonly string[]): string | undefined {
  const inside = paths.find((path) => {
    const below = relative(path, ".");
    return path !== "-" && resolve(path) !== "/" && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true &&
      !below.startsWith("..");
  });
  if (inside !== undefined) return `it is in what is to be read (${inside})`;
  // Windows has neither owners nor modes of this kind.
  if (process.geteuid === undefined) return undefined;
  const trusted = [0, process.geteuid()];
  for (const [what, path] of [["it", CONFIG], ["its directory", "."]] as const) {
    const { uid, mode } = statSync(path);
    if (!trusted.includes(uid)) return `${what} belongs to somebody else (user ${uid})`;
    if ((mode & 0o022) !== 0) return `others can write ${path === "." ? "its directory" : "it"}`;
  }
  return undefined;
}

/**
 * The files to load: those that were named, and the configuration of the current directory.
 *
 * @param paths What the command reads: a configuration in there is nobody's own.
 */
export function pluginFiles(
  values: { readonly plugin: readonly string[]; readonly "no-config": boolean },
  paths: readonly string[] = [],
): readonly string[] {
  const named = [...new Set(values.plugin.map((file) => resolve(file)))];
  for (const file of named) {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      throw new UsageError(`--plugin is a file of JavaScript or TypeScript; there is no file ${file}`);
    }
  }
  const config = resolve(CONFIG);
  if (values["no-config"] || named.includes(config) || statSync(config, { throwIfNoEntry: false }) === undefined) {
    return named;
  }
  const why = distrust(paths);
  if (why === undefined) return [config, ...named];
  say(`nailhouse: ${CONFIG} is not loaded, because ${why}; --plugin ${CONFIG} loads it`);
  return named;
}

/** Node 20 runs no TypeScript: jiti does. Other runtimes do it themselves. */
async function importFile(path: string): Promise<object> {
  if ("deno" in process.versions || "bun" in process.versions) return await import(pathToFileURL(path).href);
  // Required, as the built program's own imports are: see .ci/cli_start.js.
  const { createJiti } = createRequire(import.meta.url)("jiti") as typeof import("jiti");
  // This program's own library, wherever the file is: a ParseError must be the one that the reader knows.
  const virtualModules = {
    nailhouse: await import("../host/node_sdk.ts"),
    "nailhouse/parsers": await import("../parsers/mod.ts"),
  };
  return await createJiti(import.meta.url, { virtualModules, fsCache: false }).import<object>(path);
}

function isPlugin(value: unknown): value is Plugin {
  return typeof value === "object" && value !== null && ("analyze" in value || "captures" in value);
}

async function loadFile(file: string): Promise<Plugin[]> {
  let exported: object;
  try {
    exported = await importFile(file);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Of what is wrong in a program some runtimes quote the lines.
    throw new UsageError(`${file} cannot be loaded: ${message.replace(/\s+/g, " ")}`, { cause: error });
  }
  const plugins = Object.values(exported).flat().filter(isPlugin);
  if (plugins.length === 0) {
    throw new UsageError(`${file} exports neither an analyzer nor a collector (defineAnalyzer, defineCollector)`);
  }
  return plugins;
}

/**
 * Loads files and adds what they export to what is shipped. Their code has all the rights of this process.
 *
 * @throws {UsageError} If a file cannot be loaded, exports nothing of use, or has an id that is taken.
 */
export async function withPlugins(files: readonly string[], shipped: Plugins): Promise<Plugins> {
  if (files.length === 0) return shipped;
  // Loaded only now: a host in trouble has none.
  const { addPlugins, PluginError } = await import("../engine/plugins.ts");
  // Standard output is the result's, perhaps a bundle: what a plug-in says goes where all else is said.
  console.log = console.info = console.debug = console.error;
  const plugins: Plugin[] = [];
  for (const file of files) plugins.push(...await loadFile(file));
  try {
    return addPlugins(shipped, plugins);
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    throw new UsageError(`${files.join(", ")}: ${error.message}`, { cause: error });
  }
}
