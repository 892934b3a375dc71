import { describe, expect, it } from "vitest";
import { inNetns, setSysctl, setSysfs } from "../../src/core/shell.ts";

describe("setSysctl()", () => {
  it("makes the setting now and after the next boot, as one word where it has several values", () => {
    expect(setSysctl("vm.swappiness=10")).toEqual([
      "sysctl -w vm.swappiness=10",
      "echo vm.swappiness=10 > /etc/sysctl.d/90-vm.swappiness.conf",
    ]);
    expect(setSysctl("net.ipv4.tcp_rmem=4096 131072 2097152")).toEqual([
      "sysctl -w 'net.ipv4.tcp_rmem=4096 131072 2097152'",
      "echo 'net.ipv4.tcp_rmem=4096 131072 2097152' > /etc/sysctl.d/90-net.ipv4.tcp_rmem.conf",
    ]);
  });
});

describe("setSysfs()", () => {
  it("writes to the file now, and by systemd-tmpfiles after the next boot", () =>
    expect(setSysfs("/sys/kernel/mm/x/enabled", "madvise")).toEqual([
      "echo madvise > /sys/kernel/mm/x/enabled",
      "echo 'w /sys/kernel/mm/x/enabled - - - - madvise' > /etc/tmpfiles.d/90-enabled.conf",
    ]));
});

describe("inNetns()", () => {
  it.each([
    [undefined, ""],
    ["blue", "ip netns exec blue "],
    ["a;b", "ip netns exec 'a;b' "],
    // lsns lists each process of the namespace, in columns unless raw.
    ["net-4026532177", "nsenter --net=/proc/$(lsns -nro PID 4026532177 | head -n 1)/ns/net "],
  ])("%s: %s", (namespace, words) => expect(inNetns(namespace)).toBe(words));
});
