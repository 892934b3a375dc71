import { describe, expect, it } from "vitest";
import { likelyLanguage } from "../../src/computed/languages.ts";
import { quoteProgram } from "../../src/computed/remedy_program.ts";

const owner = { pids: [7] };

describe("quoteProgram()", () => {
  it("quotes the program in the owner's likely language, and what was measured of it", () => {
    const { said, text } = quoteProgram("udp-filter", "socket-backlog-udp", owner, new Map([[7, "python"]]));
    expect(said).toMatch(
      /^Likely it is a Python program: samples\/remedies\/udp-filter\.py\. Measured on Linux [\d.]+, /,
    );
    expect(text).toMatch(/^import ctypes\n/);
    expect(text).toContain("def udp_filter(sock):");
  });

  it("quotes the one in C where there is none in that language, and says so", () => {
    const { said, text } = quoteProgram("udp-filter", "socket-backlog-udp", owner, new Map([[7, "javascript"]]));
    expect(said).toMatch(
      /^Likely it is a JavaScript program, for which there is no such program here; in C: .*udp-filter\.c\./,
    );
    expect(text).toMatch(/^#include <linux\/filter.h>\n/);
    expect(text).toContain("\n    struct sock_filter drop");
  });

  it("guesses nothing where the bundle does not tell the command line", () => {
    const { said } = quoteProgram("udp-filter", "socket-backlog-udp", owner, undefined);
    expect(said).toMatch(/^samples\/remedies\/udp-filter\.c: Measured/);
  });

  it("says that it is not proven for a cause that it was not tried on", () =>
    expect(quoteProgram("udp-filter", "user-leak").said).toBe(
      "samples/remedies/udp-filter.c: Not proven by nailhouse's lab.",
    ));

  it("refuses a remedy that is not there", () =>
    expect(() => quoteProgram("none", "user-leak")).toThrow("samples/remedies has no none in C"));
});

describe("likelyLanguage()", () => {
  it.each([
    [["/usr/bin/python3.11", "/usr/bin/gunicorn"], "python"],
    [["node", "server.js"], "javascript"],
    [["/opt/jdk/bin/java", "-jar", "a.jar"], "java"],
    [["./friend_push", "python3"], undefined],
    [["pythonic"], undefined],
    [[], undefined],
  ])("%j", (argv, language) => expect(likelyLanguage(argv)).toBe(language));
});
