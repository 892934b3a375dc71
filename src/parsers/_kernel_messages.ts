// Where bundles keep the kernel log, and what programs put before its lines.

/** The best first. */
export const KERNEL_LOG_PATHS: readonly string[] = [
  "sos_commands/kernel/dmesg",
  "sos_commands/kernel/dmesg_-T",
  "var/log/dmesg",
];

/** A line without what dmesg, syslog or the journal put before it: `<4>`, `kernel:`, `[time]`, `[caller]`. */
export function messageOf(line: string): string {
  const kernel = line.indexOf("kernel: ");
  let message = kernel === -1 ? line.replace(/^<\d+>/, "") : line.slice(kernel + "kernel: ".length);
  while (message.startsWith("[") && message.includes("]")) message = message.slice(message.indexOf("]") + 1);
  return message.trimStart();
}
