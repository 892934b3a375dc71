/** Which kernel it is: what its files mean depends on it. */
import type { HostFacts } from "../core/source.ts";

/** Whether the kernel is of this version or a later one; undefined where that is not known. */
export function isAtLeast({ kernelRelease = "" }: HostFacts, major: number, minor: number): boolean | undefined {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? [];
  return a === undefined ? undefined : Number(a) > major || (Number(a) === major && Number(b) >= minor);
}
