const VOID = new Set(["meta", "br"]);

/** Elements of a page that are opened and not closed, or closed and not open. */
export function unbalanced(page: string): string[] {
  const body = page.replace(/<!DOCTYPE html>|<(style|script)>[^]*?<\/\1>/g, "");
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, close, name, self] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (self === "/" || VOID.has(name as string)) continue;
    if (close === "") open.push(name as string);
    else if (open.at(-1) === name) open.pop();
    else wrong.push(`</${name}> inside <${open.at(-1)}>`);
  }
  return [...wrong, ...open.map((name) => `<${name}> is not closed`)];
}
