import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseSocketOwners } from "../../src/parsers/socket_owners.ts";
import { itIsRobust, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `# looked at 1200 descriptors, all sockets found
/proc/123/fd/5 -> socket:[4567]
/proc/123/fd/16 -> socket:[4568]
lrwx------ 1 root root 64 Jan  1 00:00 /proc/99/fd/0 -> socket:[4567]
`;

describe("parseSocketOwners()", () => {
  itIsRobust("parseSocketOwners", FIXTURE, parseSocketOwners);

  it("reads its own lines and those of ls, and keeps the comments", () => {
    expect(parseClean(parseSocketOwners, FIXTURE)).toEqual({
      owners: [
        { pid: 123, fd: 5, inode: 4567, line: 2 },
        { pid: 123, fd: 16, inode: 4568, line: 3 },
        { pid: 99, fd: 0, inode: 4567, line: 4 },
      ],
      comments: [{ text: "looked at 1200 descriptors, all sockets found", line: 1 }],
    });
  });

  it("reads those of another thread than the first", () => {
    expect(parseClean(parseSocketOwners, "/proc/124/task/125/fd/5 -> socket:[4567]\n").owners).toEqual([
      { pid: 124, fd: 5, inode: 4567, line: 1 },
    ]);
  });

  it("passes over descriptors of other things, whatever their names", () => {
    const text = `/proc/1/fd/0 -> /dev/null
/proc/1/fd/1 -> /tmp/ -> socket:[1]/x
/proc/1/fd/2 -> /tmp/proc/99/fd/3 -> socket:[4567]
total 0
/proc/1/fd/3 -> anon_inode:[eventpoll]
`;
    expect(parseClean(parseSocketOwners, text).owners).toEqual([]);
  });

  it("warns of sockets it cannot place", () => {
    const bad = [
      "/proc/self/fd/5 -> socket:[1]",
      "/proc/1/fd/x -> socket:[1]",
      "/proc/1/fd/5 -> socket:[99999999999999999999]",
      "/proc/1/fd/5 -> socket:[12",
      "5 -> socket:[1]",
    ];
    const { value, warnings } = parseWithWarnings(parseSocketOwners, `${bad.join("\n")}\n${FIXTURE}`);
    expect(value.owners.map(({ line }) => line)).toEqual([7, 8, 9]);
    expect(warnings).toHaveLength(5);
  });

  it("throws for an empty file, not for one without sockets", () => {
    expect(parseClean(parseSocketOwners, "# none\n").owners).toEqual([]);
    expect(() => parseWithWarnings(parseSocketOwners, "")).toThrow(ParseError);
  });
});
