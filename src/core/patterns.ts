/** Matches paths against patterns in which `*` stands for a part of one path segment. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  // Asked of paths that have its name already.
  if (patterns.length === 1) {
    const only = anyOf(patterns);
    return (path) => only.test(path);
  }
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = [...new Set(patterns.filter((pattern) => pattern.includes("*")))];
  // Most end in a file's name: of hundreds of thousands of paths few have one of these.
  const names = new Set(wild.map(lastSegment).filter((name) => !name.includes("*")));
  const regexes = new Map(
    Array.from(names, (name) => [name, anyOf(wild.filter((pattern) => lastSegment(pattern) === name))]),
  );
  const rest = wild.filter((pattern) => !names.has(lastSegment(pattern)));
  const others = rest.length === 0 ? undefined : anyOf(rest);
  return (path) =>
    exact.has(path) || regexes.get(lastSegment(path))?.test(path) === true || others?.test(path) === true;
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function anyOf(patterns: readonly string[]): RegExp {
  return new RegExp(`^(?:${patterns.map(segmentRegex).join("|")})$`);
}

function segmentRegex(pattern: string): string {
  return pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, "[^/]*");
}
