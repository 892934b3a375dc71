// The program stands below in a comment, so that the runtime need not look through all of it: what V8 made of it in an earlier run is kept
// beside this file, as Python keeps __pycache__, where the user may write there. Without that it is compiled as ever.
import { createRequire } from "node:module";

// Importing makes a module of each of Node's own, which takes longer than requiring it.
const require = createRequire(import.meta.url);
const fs = require("node:fs");
const { fileURLToPath } = require("node:url");
const { constants, Script } = require("node:vm");
const { isMainThread } = require("node:worker_threads");
const process = require("node:process");

const file = fileURLToPath(import.meta.url);
// V8 itself tells programs apart by their length alone.
const cache = file.replace(/(\.js)?$/, "-PROGRAM_HASH-" + process.version + "-" + process.arch + ".cache");

// Deno and Bun have their own ways. Windows has no owners that could be looked at.
const canKeep = !("deno" in process.versions || "bun" in process.versions) && process.geteuid !== undefined;

/** Nothing is run that somebody else could have put here: beside a copy in /tmp anybody may write. Whose program it is can change that, too. */
function isTrusted({ uid, mode }) {
  return [0, process.geteuid(), fs.statSync(file).uid].includes(uid) && (mode & 0o022) === 0;
}

/** Undefined for what cannot be read, whatever the reason: then the program is compiled, and nothing is lost. */
function readCache() {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
  let fd;
  try {
    fd = fs.openSync(cache, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const found = fs.fstatSync(fd);
    return found.isFile() && isTrusted(found) ? fs.readFileSync(fd) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** Where it cannot be written, whatever the reason, the next start is as slow as this one. */
function writeCache(script) {
  const partial = cache.replace(/\.cache$/, "." + process.pid + ".cache");
  let fd;
  try {
    fd = fs.openSync(partial, "wx", 0o644);
    fs.writeFileSync(fd, script.createCachedData());
    fs.renameSync(partial, cache);
  } catch {
    if (fd !== undefined) fs.rmSync(partial, { force: true });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

function start() {
  const text = fs.readFileSync(file, "latin1");
  const from = text.indexOf("\n/*" + "program\n");
  // Errors tell lines of this file.
  const lineOffset = text.slice(0, from).split("\n").length + 1;
  const program = text.slice(from + "\n/*program\n".length, text.lastIndexOf("*/")).replaceAll("*@/", "*/");
  const cachedData = canKeep ? readCache() : undefined;
  const script = new Script("(function(require,programUrl){" + program + "\n})", {
    filename: file,
    lineOffset,
    cachedData,
    // Only Deno and Bun import: plug-ins. Node has it since 20.12.
    importModuleDynamically: constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const isUsed = cachedData !== undefined && !script.cachedDataRejected;
  // A host in trouble is not written to: neither when it is collected from, nor by `analyze /`.
  const mayKeep = canKeep && isMainThread && process.argv[2] === "analyze" && !process.argv.includes("/");
  if (mayKeep && !isUsed) process.on("exit", (code) => code > 1 || writeCache(script));
  script.runInThisContext()(require, import.meta.url);
}

start();
