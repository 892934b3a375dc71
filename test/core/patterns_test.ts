import { expect, it } from "vitest";
import { matcher } from "../../src/core/patterns.ts";

it.each<[string, boolean]>([
  ["proc/meminfo", true],
  ["proc/12/status", true],
  ["proc/12/task/3/status", false],
  ["proc/status", false],
  ["proc/12/statusx", false],
  ["proc/12/net/udp", true],
  ["proc/12/net/*", false],
  ["sos_commands/sar/sar01.xml", true],
  ["sos_commands/sar/deep/sar01", false],
  ["sos_commands/networking/ss_-O_-peaonmi_x", true],
  ["sos_commands/networking/ss_x", false],
  ["", false],
])("%s is one of the files that are looked for: %s", (path, expected) => {
  const patterns = [
    "proc/meminfo",
    "proc/*/status",
    "proc/*/net/udp",
    "sos_commands/sar/*",
    "sos_commands/networking/ss_*peaonmi*",
  ];
  expect(matcher(patterns)(path)).toBe(expected);
});
