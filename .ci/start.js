/** `npm start` analyzes this host; `npm start -- BUNDLE...` the bundles that are named. */
const args = process.argv.slice(2);
process.argv.splice(2, args.length, "analyze", ...(args.length === 0 ? ["/"] : args));
await import("../dist/cli.js");
