import { describe, expect, it } from "vitest";
import { codeBlock, codeSpan, inline, prose } from "../../src/render/_markdown.ts";
import { renderMarkdown } from "../../src/render/markdown.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";
import { friendPush, withEveryText } from "./_hostile.ts";

describe("inline()", () => {
  it.each([
    ["a plain name", "friend_push", "friend_push"],
    ["emphasis", "*a* _b_ ~~c~~", "\\*a\\* \\_b\\_ \\~\\~c\\~\\~"],
    ["markup", "<b>&amp;", "\\<b\\>\\&amp;"],
    ["a cell's end", "a|b", "a\\|b"],
    ["code", "`a`", "\\`a\\`"],
    ["a link and an image", "![a](b)", "!\\[a\\](b)"],
    ["an address", "http://x www.x.y", "http\\://x www\\.x.y"],
    ["a mention and a reference", "@all a@b #12", "@<!-- -->all a@b #<!-- -->12"],
    ["a reference of GitHub's", "GH-12 xGH-12", "GH<!-- -->-12 xGH-12"],
    ["an address that has an emoji in it", "2001:db8:a:b::1", "2001:<!-- -->db8:<!-- -->a:<!-- -->b::1"],
    ["a time", "08:13:42Z: x", "08:13:42Z: x"],
    ["a formula", "$x$", "\\$x\\$"],
    ["a heading, in a list", "# a", "\\# a"],
    ["a list in a list", "- a", "\\- a"],
    ["a numbered list in a list", "1. a", "1\\. a"],
    ["a size", "22.4 GiB", "22.4 GiB"],
    ["control and bidirectional characters", "a\nb\u001b[31m\u202e", "a\\\\u{a}b\\\\u{1b}\\[31m\\\\u{202e}"],
  ])("escapes %s", (_, text, expected) => expect(inline(text)).toBe(expected));
});

describe("code", () => {
  it("ends where it should, whatever backticks are in it", () => {
    expect(codeSpan("a")).toBe("`a`");
    expect(codeSpan("a`b``c")).toBe("``` a`b``c ```");
    expect(codeBlock(["a", "```", "b\nc"], "sh")).toBe("````sh\na\n```\nb\nc\n````");
  });

  it("is what stands between backticks", () => {
    expect(prose("the *mem* of `cat a|b` falls")).toBe("the \\*mem\\* of `cat a|b` falls");
    expect(prose("a ` b")).toBe("a \\` b");
  });
});

describe("renderMarkdown()", () => {
  it("answers first, and is short: evidence and what was ruled out are collapsed", async () => {
    const text = renderMarkdown(await friendPush());
    const [headline, , action] = text.split("\n");
    expect(headline).toMatch(/^## friend_push \(pid 500\): 400 MiB unread in 100 UDP sockets \(confirmed\)$/);
    expect(action).toMatch(/^\*\*Now:\*\*/);
    expect(text).toContain("| slab, unreclaimable | 420 MiB | 5.1 % | 1. socket-backlog-udp 400 MiB |");
    const visible = text.replace(/<details>[^]*?<\/details>/g, "");
    expect(visible.split("\n").length).toBeLessThan(45);
    expect(visible).not.toContain("Ruled out");
  });

  it("makes markup of no text from the bundle", async () => {
    const hostile = "</details><img src=x>|`*x*`[a](b)\n# h\u202e";
    const text = renderMarkdown(withEveryText(await friendPush(), hostile));
    const outside = text.replace(/^(`{3,})\w*\n[^]*?\n\1$/gm, "").replace(/(?<![`\\])(`+) [^]*? \1(?!`)/g, "");
    expect(outside.match(/<(?!details>|\/details>|summary>|\/summary>|!-- -->)/g)?.length ?? 0)
      .toBe(outside.match(/\\</g)?.length ?? 0);
    expect(text.match(/<details>/g)?.length).toBe(outside.match(/(?<!\\)<\/details>/g)?.length);
    expect(outside).not.toMatch(/^# h/m);
    expect(text).not.toContain("\u202e");
  });

  it("says that nothing is wrong", async () => {
    expect(renderMarkdown(await analyzeFiles({ "proc/meminfo": meminfoText() }))).toMatch(/^## No leak found/);
    expect(renderMarkdown(await analyzeFiles({}))).toContain("where the memory is cannot be told");
  });
});
