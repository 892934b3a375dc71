import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

/** Tests of the layers that run in any runtime: the same files run inside Deno, too. */
const portable = ["core", "parsers", "computed", "bundle", "engine", "render", "collectors", "analyzers"].map(
  (folder) => `test/${folder}/**/*_test.ts`,
);
const lab = ["test/lab/**/*_test.ts"];
const browser = ["test/browser/**/*_test.ts"];

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    reporters: ["default", "json"],
    // A snapshot that differs or is missing is an error, also where it could be written; `npm run goldens` writes them.
    update: "none",
    // Without this one processor is left idle, which of two is half.
    maxWorkers: "100%",
    // Counted by .ci/run; the Deno task names another file.
    outputFile: { json: "out/tests-node.json" },
    projects: [
      {
        extends: true,
        // Seconds each, but on two cores that may be busy.
        test: { name: "portable", include: [...portable, "test/samples_test.ts"], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "host",
          include: ["test/**/*_test.ts"],
          exclude: [...configDefaults.exclude, ...portable, ...lab, ...browser, "test/samples_test.ts"],
          // These start compilers, Deno and the command line, on two cores.
          testTimeout: 60_000,
          // Some kill what they started at a moment, or give it so many seconds: on a busy machine the moment may be missed once.
          retry: 1,
        },
      },
      {
        extends: true,
        // The built page in Debian's Chromium.
        test: { name: "browser", include: browser, testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "lab",
          include: lab,
          globalSetup: ".ci/lab_setup.ts",
          // One fault at a time on the whole machine, and nothing else that moves its memory.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          // Other people's processes may move this machine's memory in the few seconds of a capture; twice running is our fault.
          retry: 1,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
