/** Matches paths against patterns in which `*` stands for a part of one path segment. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = patterns.filter((pattern) => pattern.includes("*"));
  const regex = wild.length === 0 ? undefined : new RegExp(`^(?:${wild.map(segmentRegex).join("|")})$`);
  return (path) => exact.has(path) || (regex !== undefined && regex.test(path));
}

function segmentRegex(pattern: string): string {
  return pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, "[^/]*");
}
