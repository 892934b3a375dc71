import { defineConfig, type Options } from "tsup";

const shared: Options = {
  format: ["esm"],
  target: "node20",
  outDir: "dist",
  clean: false,
  splitting: false,
};

export default defineConfig([
  {
    ...shared,
    entry: { mod: "src/mod.ts", host: "src/host/mod.ts" },
    platform: "neutral",
    external: [/^node:/],
    // TypeScript 6 deprecates an option that tsup's declaration build still sets.
    dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
  },
  {
    ...shared,
    entry: { cli: "src/cli/main.ts" },
    platform: "node",
    // One file starts in 0.2 s, unbundled dependencies in 0.5 s.
    noExternal: [/.*/],
    // table's dependencies are CommonJS and call require().
    banner: {
      js: 'import { createRequire as nailhouseRequire } from "node:module"; const require = nailhouseRequire(import.meta.url);',
    },
  },
]);
