import { type Collector, defineCollector, files } from "../src/core/collector.ts";

/** Local file systems only: others may not answer. Tells what tmpfs holds. Busybox's df knows neither option, and is asked for what is in memory alone. */
function df(options: string, ofBusybox: string): string[] {
  const inMemory =
    `awk '$3 ~ /^(dev)?tmpfs$/ { print $2 }' /proc/mounts | while read -r path; do printf '%b\\n' "$path"; done`;
  const command = `all=$(df ${options} -x autofs 2> /dev/null)
[ -z "$all" ] || { printf '%s\\n' "$all"; exit; }
${inMemory} | tr '\\n' '\\0' | xargs -0 -r df ${ofBusybox}`;
  return ["sh", "-c", command];
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
    { kind: "command", argv: df("-al", "-P"), as: "sos_commands/filesys/df_-al_-x_autofs" },
    { kind: "command", argv: df("-ali", "-iP"), as: "sos_commands/filesys/df_-ali_-x_autofs" },
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
