import { describe, expect, it } from "vitest";
import { collectors } from "../collectors/mod.ts";
import type { Capture } from "../src/core/collector.ts";

const captures: readonly Capture[] = collectors.flatMap((each) => each.captures);

/** Where each capture is stored, as far as that is fixed. */
function places(capture: Capture): string[] {
  switch (capture.kind) {
    case "file":
      return [capture.path];
    case "process":
      return capture.files.map((file) => `/proc/PID/${file}`);
    case "netns":
      return capture.files.map((file) => `/proc/net/${file}`);
    case "tree":
      return capture.files.map((file) => `${capture.path}/FOLDER/${file}`);
    case "folder":
      return [capture.path];
    default:
      return [capture.as];
  }
}

describe("collectors", () => {
  it("can be named on the command line", () => {
    for (const { id } of collectors) expect(id).toMatch(/^[a-z][a-z-]*$/);
    expect(new Set(collectors.map((each) => each.id)).size).toBe(collectors.length);
  });

  it("run in a defined order: the counters first, then what the ledger compares them with", () => {
    const order = [...collectors].sort((a, b) => a.priority - b.priority).map((each) => each.id);
    expect(new Set(collectors.map((each) => each.priority)).size).toBe(collectors.length);
    expect(order.slice(0, 4)).toEqual(["memory", "slab", "page-flags", "sockets"]);
    const [first, second, third] = collectors.find((each) => each.id === "memory")?.captures ?? [];
    expect([first, second, third].map((each) => each?.kind === "file" && each.path)).toEqual(
      ["/proc/meminfo", "/proc/zoneinfo", "/proc/vmstat"],
    );
  });

  it("store nothing in two places or twice in one", () => {
    const all = captures.flatMap(places);
    expect(all.filter((place, i) => all.indexOf(place) !== i)).toEqual([]);
  });

  it("are data: a JSON text gives them back", () => {
    expect(JSON.parse(JSON.stringify(collectors))).toEqual(collectors);
  });

  it("name files absolutely and bundle paths relatively", () => {
    for (const capture of captures) {
      if ("path" in capture) expect(capture.path).toMatch(/^\/(?!.*\/\.\.\/)/);
      if ("as" in capture) expect(capture.as).toMatch(/^(proc|sys|sos_commands)\/[^/]/);
    }
  });

  it("look again, in later snapshots, at what a trend is made of", () => {
    const changing = captures.filter((each) => "changing" in each && each.changing !== undefined).flatMap(places);
    expect(changing).toEqual(expect.arrayContaining([
      "/proc/meminfo",
      "/proc/zoneinfo",
      "/proc/vmstat",
      "/proc/slabinfo",
      "/proc/net/sockstat",
      "/proc/net/udp",
      "/proc/net/snmp",
      "/proc/PID/status",
      "/proc/pressure/memory",
    ]));
  });

  it("never ask for all descriptors of a host that has very many", () => {
    for (const capture of captures) {
      if (capture.kind !== "command" || !/^(ss|netstat)$/.test(capture.argv[0] ?? "")) continue;
      if (capture.argv.some((word) => /^-\w*p/.test(word))) expect(capture.aboveOpenFiles).toBeDefined();
    }
  });
});
