// The program stands below in a comment, so that the runtime need not look through all of it: what V8 made of it in an earlier run is kept
// beside this file, as Python keeps __pycache__, where the user may write there. Without that it is compiled as ever.
import { createRequire } from "node:module";

// Importing makes a module of each of Node's own, which takes longer than requiring it.
const require = createRequire(import.meta.url);
const { readFileSync, renameSync, statSync, writeFileSync } = require("node:fs");
const { fileURLToPath } = require("node:url");
const { constants, Script } = require("node:vm");
const { isMainThread } = require("node:worker_threads");
const process = require("node:process");

const file = fileURLToPath(import.meta.url);
// V8 itself tells programs apart by their length alone.
const cache = file.replace(/(\.js)?$/, "-PROGRAM_HASH-" + process.version + "-" + process.arch + ".cache");

// Deno and Bun have their own ways.
const isNode = !("deno" in process.versions || "bun" in process.versions);

/** Nothing is run that somebody else could have put here: beside a copy in /tmp anybody may write. */
function readCache() {
  const found = isNode ? statSync(cache, { throwIfNoEntry: false }) : undefined;
  if (found === undefined) return undefined;
  // Windows has neither owners nor modes of this kind.
  const isOurs = process.platform === "win32" || (found.uid === statSync(file).uid && (found.mode & 0o022) === 0);
  return isOurs ? readFileSync(cache) : undefined;
}

function writeCache(script) {
  const partial = cache.replace(/\.cache$/, "." + process.pid + ".cache");
  try {
    writeFileSync(partial, script.createCachedData(), { flag: "wx", mode: 0o644 });
    renameSync(partial, cache);
  } catch (error) {
    // The next run is as slow as this one.
    if (!["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EEXIST"].includes(error.code)) throw error;
  }
}

function start() {
  const text = readFileSync(file, "latin1");
  const from = text.indexOf("\n/*" + "program\n");
  // Errors tell lines of this file.
  const lineOffset = text.slice(0, from).split("\n").length + 1;
  const program = text.slice(from + "\n/*program\n".length, text.lastIndexOf("*/")).replaceAll("*@/", "*/");
  const cachedData = readCache();
  const script = new Script("(function(require,programUrl){" + program + "\n})", {
    filename: file,
    lineOffset,
    cachedData,
    // Only Deno and Bun import: plug-ins. Node has it since 20.12.
    importModuleDynamically: constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  // A host in trouble that is collected from is not written to.
  if (isNode && cachedData === undefined && isMainThread && process.argv[2] === "analyze") {
    process.on("exit", (code) => code > 1 || writeCache(script));
  }
  script.runInThisContext()(require, import.meta.url);
}

start();
