// The program stands below in a comment, so that the runtime need not look through all of it: what V8 made of it in an earlier run is kept
// beside this file, as Python keeps __pycache__, where the user may write there. Without that it is compiled as ever.
// What is in capitals is put in when it is built: see cli_file.ts.
import { createRequire } from "node:module";

// Importing makes a module of each of Node's own, which takes longer than requiring it.
const require = createRequire(import.meta.url);
const fs = require("node:fs");
const { fileURLToPath } = require("node:url");
const { constants, Script } = require("node:vm");
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

/** The program, of the length that it was built with: nothing is searched for, and it becomes a string once. */
function readProgram() {
  const bytes = fs.readFileSync(file);
  const end = bytes.length - "*/\n".length;
  const from = end - PROGRAM_LENGTH;
  for (let at = bytes.indexOf("ESCAPE", from); at !== -1; at = bytes.indexOf("ESCAPE", at)) bytes[at + 1] = 0x2f;
  return bytes.toString("latin1", from, end);
}

function start() {
  const cachedData = canKeep ? readCache() : undefined;
  const script = new Script(readProgram(), {
    filename: file,
    // Errors tell lines of this file.
    lineOffset: PROGRAM_LINE,
    cachedData,
    // Only Deno and Bun import: plug-ins. Node has it since 20.12.
    importModuleDynamically: constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const isUsed = cachedData !== undefined && !script.cachedDataRejected;
  // A host in trouble is not written to: neither when it is collected from, nor by `analyze /`. Threads have no arguments, and write nothing.
  const mayKeep = canKeep && process.argv[2] === "analyze" && !process.argv.includes("/");
  if (mayKeep && !isUsed) process.on("exit", (code) => code > 1 || writeCache(script));
  script.runInThisContext()(require, import.meta.url);
}

// `help COMMAND` is answered by the command.
const answer = process.argv[2] === "help" && process.argv.length > 3 ? undefined : ANSWERS.get(process.argv[2]);
if (answer === undefined) start();
else {
  // As _say.ts has it: whoever reads it wants no more (what a shell tells of SIGPIPE), or the disk is full.
  process.stdout.on("error", ({ code, message }) => {
    if (code === "EPIPE") process.exit(141);
    console.error("nailhouse: Cannot write to standard output: " + message);
    process.exit(2);
  }).write(answer);
}
