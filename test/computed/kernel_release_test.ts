import { describe, expect, it } from "vitest";
import { isAtLeast } from "../../src/computed/kernel_release.ts";

describe("isAtLeast()", () => {
  it.each<[string | undefined, boolean | undefined]>([
    ["4.16.18-generic", false],
    ["4.17.0-rc1", true],
    ["4.17-rc1", true],
    ["5.4.0-150-generic", true],
    ["3.10.0-1160.el7.x86_64", false],
    ["10.0.1", true],
    ["linux", undefined],
    [undefined, undefined],
  ])("tells of %s whether it is 4.17 or later", (kernelRelease, is) => {
    expect(isAtLeast(kernelRelease === undefined ? {} : { kernelRelease }, 4, 17)).toBe(is);
  });
});
