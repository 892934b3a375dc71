/**
 * `npm run publish:check`: what npm and JSR would get, without publishing it. The package's exports and types hold in every kind of module
 * resolution, it installs nothing by script, it stays small, and a parser that is imported alone brings nothing else along.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

/** Compressed. Most of it is the command line in one file, and the page with all of it again. */
const MOST_PACKED_BYTES = 1_218_000;
/** Minified: /proc/net/sockstat's parser, and the five small modules it needs. */
const MOST_PARSER_BYTES = 4_000;

const run = (program, ...args) =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
const folder = mkdtempSync(join(tmpdir(), "nailhouse-publish-"));

function check(what, bytes, most) {
  console.log(`${bytes > most ? "TOO LARGE" : "ok"}: ${what}: ${bytes} of ${most} bytes`);
  if (bytes > most) process.exitCode = 1;
}

try {
  const [{ filename }] = JSON.parse(run("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder));
  const tarball = join(folder, filename);
  check("the package", statSync(tarball).size, MOST_PACKED_BYTES);

  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
  const installing = ["preinstall", "install", "postinstall"].filter((name) => name in scripts);
  if (installing.length > 0) throw new Error(`package.json has scripts that run when it is installed: ${installing}`);

  run("npx", "publint", "--strict");
  console.log("ok: publint");
  // Nothing here is for require(), and node10 knows no exports.
  run("npx", "attw", tarball, "--profile", "esm-only");
  console.log("ok: types of every entry");
  run("deno", "publish", "--dry-run", "--allow-dirty", "--quiet");
  console.log("ok: JSR, without slow types");

  const entry = join(folder, "one.js");
  writeFileSync(
    entry,
    `import { sockstat } from ${JSON.stringify(join(process.cwd(), "dist/parsers.js"))};\nconsole.log(sockstat);\n`,
  );
  const { outputFiles: [bundle] } = buildSync({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    logLevel: "error",
    nodePaths: [join(process.cwd(), "node_modules")],
  });
  check("a program with one parser", bundle.contents.length, MOST_PARSER_BYTES);
} finally {
  rmSync(folder, { recursive: true });
}
