/** The closing line of .ci/run: how many tests ran in all runtimes. Its argument is npm test's exit code. */
import { existsSync, readFileSync } from "node:fs";

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const file of ["out/tests-node.json", "out/tests-deno.json"].filter((path) => existsSync(path))) {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, "utf8"));
  counts.passed += numPassedTests;
  counts.failed += numFailedTests;
  counts.skipped += numPendingTests;
}
// Something other than a test failed: the build, the types, a file that cannot be loaded.
if (process.argv[2] !== "0" && counts.failed === 0) counts.failed = 1;
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
