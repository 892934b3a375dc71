/** Runs after `npm ci`, before packing, and when npx links the checkout's own `nailhouse` for the first time. */
import { execSync } from "node:child_process";
import { rmSync, symlinkSync } from "node:fs";

// npx hides what goes wrong in here and is broken from then on; `npm ci` has done all this already.
if (process.env.npm_command === "exec") process.exit();

execSync("npm run build", { stdio: "inherit" });

function link(target, name) {
  rmSync(`node_modules/.bin/${name}`, { force: true });
  symlinkSync(target, `node_modules/.bin/${name}`);
}

if (process.platform !== "win32") {
  // npx makes a link of its own, but never again if there was nothing built when it was first used; then it finds this one.
  link("../../dist/cli.js", "nailhouse");
  // npm before 11 runs the postinstall script of the package `deno`, which puts the binary itself here: `deno task` would
  // read it as a script.
  link("../deno/bin.cjs", "deno");
}
