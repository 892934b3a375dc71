import { type Collector, defineCollector, files } from "../src/core/collector.ts";

/** Busybox's df knows neither -l nor -x, and prints nothing then. Its -P keeps a long device and its numbers in one line. */
function mounts(options: string): string {
  return `all=$(df ${options} -x autofs 2> /dev/null); [ -n "$all" ] || exec df ${
    options.replace("l", "")
  }P; echo "$all"`;
}

/** Which machine this is and how it runs. */
export const host: Collector = defineCollector({
  id: "host",
  title: "The machine",
  why: "Kernel, uptime, load, processors, modules and mounts: what the rest is read against.",
  priority: 80,
  captures: [
    { kind: "command", argv: ["uname", "-a"], as: "sos_commands/kernel/uname_-a" },
    { kind: "command", argv: ["uptime"], as: "sos_commands/host/uptime" },
    // Local file systems only: others may not answer. Tells what tmpfs holds.
    { kind: "command", argv: ["sh", "-c", mounts("-al")], as: "sos_commands/filesys/df_-al_-x_autofs" },
    { kind: "command", argv: ["sh", "-c", mounts("-ali")], as: "sos_commands/filesys/df_-ali_-x_autofs" },
    { kind: "file", path: "/proc/loadavg", changing: true, recorded: true },
    // The same until the next start: what was recorded before it is told apart by this.
    { kind: "file", path: "/proc/sys/kernel/random/boot_id", recorded: true },
    ...files([
      "/proc/version",
      "/proc/cmdline",
      "/proc/uptime",
      "/proc/stat",
      "/proc/cpuinfo",
      "/proc/modules",
      "/proc/mounts",
      "/proc/softirqs",
      "/sys/devices/system/cpu/possible",
      "/sys/devices/system/cpu/online",
      "/sys/class/dmi/id/product_name",
      "/etc/os-release",
      "/etc/hostname",
    ]),
  ],
});
