// Where bundles keep the kernel log, and what programs put before its lines.

/** The best first. */
export const KERNEL_LOG_PATHS: readonly string[] = [
  "sos_commands/kernel/dmesg",
  "sos_commands/kernel/dmesg_-T",
  "var/log/dmesg",
];

/** `2026-11-23T08:12:58,123456+00:00 ` of dmesg --time-format iso; `kern  :warn  : ` of dmesg -x. */
const DMESG_PREFIX = /^(?:\d{4}-\d\d-\d\dT[\d:,.]{8,16}\S{0,6} +|[a-z]{2,8} {0,4}:[a-z]{3,6} {0,3}: )/;

/** A line without what dmesg, syslog or the journal put before it: `<4>`, `kernel:`, `[time]`, `[caller]`. */
export function messageOf(line: string): string {
  const kernel = line.indexOf("kernel: ");
  let message = kernel === -1
    ? line.replace(/^<\d+>/, "").replace(DMESG_PREFIX, "")
    : line.slice(kernel + "kernel: ".length);
  while (message.startsWith("[") && message.includes("]")) message = message.slice(message.indexOf("]") + 1);
  return message.trimStart();
}
