import { describe, expect, it } from "vitest";
import { parseSysctl, sysctlNumbers } from "../../src/parsers/sysctl.ts";
import { itIsRobust, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `kernel.core_pattern = |/usr/lib/core %p = %e
net.ipv4.udp_mem = 575802\t767738\t1151604
net.ipv4.ip_local_reserved_ports = 
vm.overcommit_ratio = 50
vm.unsigned = 18446744073709551615
`;

describe("parseSysctl()", () => {
  itIsRobust("parseSysctl", FIXTURE, parseSysctl);

  it("reads names and texts with lines", () => {
    const sysctl = parseClean(parseSysctl, FIXTURE);
    expect(sysctl.get("kernel.core_pattern")).toEqual({ text: "|/usr/lib/core %p = %e", line: 1 });
    expect(sysctl.get("net.ipv4.ip_local_reserved_ports")).toEqual({ text: "", line: 3 });
    expect(sysctl.size).toBe(5);
  });

  it("passes over sysctl's own messages and warns of anything else", () => {
    const { value, warnings } = parseWithWarnings(
      parseSysctl,
      `sysctl: permission denied on key 'fs.protected_fifos'\nvm.swappiness\n${FIXTURE}`,
    );
    expect(value.get("net.ipv4.udp_mem")?.line).toBe(4);
    expect(warnings).toEqual(['2: not a setting: "vm.swappiness"']);
  });
});

describe("sysctlNumbers()", () => {
  const sysctl = parseClean(parseSysctl, FIXTURE);

  it("gives all of a setting's numbers", () => {
    expect(sysctlNumbers(sysctl, "net.ipv4.udp_mem")).toEqual([575_802, 767_738, 1_151_604]);
    expect(sysctlNumbers(sysctl, "vm.overcommit_ratio")).toEqual([50]);
  });

  it.each(["vm.swappiness", "net.ipv4.ip_local_reserved_ports", "kernel.core_pattern", "vm.unsigned", "toString"])(
    "is undefined for %s, which is absent, empty, text or too large",
    (name) => expect(sysctlNumbers(sysctl, name)).toBeUndefined(),
  );
});
