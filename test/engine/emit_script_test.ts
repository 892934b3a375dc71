import { describe, expect, it } from "vitest";
import { collectors } from "../../collectors/mod.ts";
import type { Capture, Collector } from "../../src/core/collector.ts";
import { emitScript } from "../../src/engine/emit_script.ts";

function collector(captures: readonly Capture[], id = "only", priority = 1): Collector {
  return { id, title: "Title", why: "", priority, captures };
}

/** The lines of one collector's block. */
function blockOf(script: string, id: string): string[] {
  const all = script.split("\n");
  const from = all.findIndex((line) => line.startsWith(`    ${id}) #`));
  return all.slice(from + 1, all.indexOf("      ;;", from)).map((line) => line.trim());
}

const linesOf = (...captures: Capture[]) => blockOf(emitScript([collector(captures)]), "only");

describe("emitScript()", () => {
  it.each<[Capture, string[]]>([
    [{ kind: "file", path: "/proc/meminfo" }, ["file proc/meminfo"]],
    [{ kind: "file", path: "/sys/*/x", changing: true, maxBytes: 9 }, ["file 'sys/*/x' changing max=9"]],
    [{ kind: "command", argv: ["ss", "-s"], as: "a/ss_-s" }, ["output a/ss_-s -- ss -s"]],
    [
      { kind: "command", argv: ["ss"], as: "ss", changing: true, network: true, timeoutSeconds: 60, maxBytes: 7 },
      ["output ss changing network seconds=60 max=7 -- ss"],
    ],
    [
      { kind: "command", argv: ["ss", "-p"], as: "ss", aboveOpenFiles: { count: 10, argv: ["ss"] } },
      ["if open_files_above 10; then", "output ss -- ss", "else", "output ss -- ss -p", "fi"],
    ],
    [
      { kind: "netns", files: ["udp", "tcp"], commands: [{ argv: ["ss", "-x"], as: "ss_-x" }], maxNamespaces: 5 },
      ["namespaces 5 -- udp tcp", "namespaces_output 5 ss_-x -- ss -x"],
    ],
    [{ kind: "netns", files: [], commands: [], maxNamespaces: 5 }, []],
    [
      { kind: "process", files: ["a", "b"], largest: 3, changing: { largest: 2 }, mayHang: true, maxBytes: 1 },
      ["process changing=2 largest=3 may-hang max=1 -- a b"],
    ],
    [{ kind: "socket-owners", as: "owners", minQueuedBytes: 1, maxDescriptors: 1 }, ["socket_owners owners"]],
    [{ kind: "page-flags", as: "census", maxPages: 32768 }, ["page_flags census 32768"]],
    [{ kind: "folder", path: "/var/log/sa", maxBytes: 5 }, ["folder var/log/sa max=5"]],
    [
      { kind: "tree", path: "/cg", having: "h", files: ["x"], largestBy: "size", maxDepth: 4, maxFolders: 300 },
      ["tree cg having=h by=size depth=4 folders=300 -- x"],
    ],
  ])("writes %j", (capture, lines) => expect(linesOf(capture)).toEqual(lines));

  it("keeps what a shell would take for its own from the shell", () => {
    const hostile = "a'; $(touch /tmp/x) `id` \"\\ *\n#";
    const quoted = `'a'\\''; $(touch /tmp/x) \`id\` "\\ *`;
    expect(linesOf({ kind: "command", argv: ["echo", hostile], as: hostile }))
      .toEqual([`output ${quoted}`, `#' -- echo ${quoted}`, "#'"]);
    expect(linesOf({ kind: "file", path: `/${hostile}` })).toEqual([`file ${quoted}`, "#'"]);
  });

  it("takes collectors by priority, not in the order they come in", () => {
    const a = collector([{ kind: "file", path: "/a" }], "a", 2);
    const b = collector([{ kind: "file", path: "/b" }], "b", 1);
    expect(emitScript([a, b])).toContain("collectors='b a'");
    expect(emitScript([a, b])).toBe(emitScript([b, a]));
  });

  it("looks up the descriptors that any of the collectors asks for", () => {
    const owners = (minQueuedBytes: number, maxDescriptors: number): Capture => (
      { kind: "socket-owners", as: "o", minQueuedBytes, maxDescriptors }
    );
    const script = emitScript([collector([owners(512, 100), owners(100, 50_000)])]);
    expect(script).toMatch(/^min_queued=100\nmax_descriptors=50000$/m);
  });

  const shipped = emitScript(collectors);

  it.each(collectors)("has all captures of $id", ({ id, captures }) => {
    const block = blockOf(shipped, id).join("\n");
    for (const capture of captures) {
      const stored = "as" in capture ? capture.as : "path" in capture ? capture.path.slice(1) : undefined;
      if (stored !== undefined) expect(block).toContain(stored);
      for (const name of "files" in capture ? capture.files : []) expect(block).toMatch(new RegExp(`[ ']${name}\\b`));
    }
    expect(captures.length).toBeGreaterThan(0);
  });

  it("has no here-document, which some shells put into a temporary file, and no line of another system", () => {
    expect(shipped).not.toMatch(/<<-?\s*['"\w]/);
    expect(shipped).not.toMatch(/[\r\0]/);
  });
});
