import process from "node:process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedFiles } from "../../src/bundle/_packed_files.ts";

const encoder = new TextEncoder();

/** As the kernel prints it, some sixty lines of which a third differ. */
function statusText(pid: number): string {
  const same = Array.from({ length: 40 }, (_, i) => `Constant${i}:\t${"0123456789abcdef".repeat(1 + i % 3)}`);
  const own = Array.from({ length: 20 }, (_, i) => `Own${i}:\t${String((pid * (i + 7)) % 1_000_003).padStart(8)} kB`);
  return ["Name:\tserver", `Pid:\t${pid}`, ...same.slice(0, 20), ...own, ...same.slice(20), ""].join("\n");
}

const status = (pid: number): Uint8Array => encoder.encode(statusText(pid));

/** So many that others are compared with each other. */
function manyFiles(): PackedFiles {
  const files = new PackedFiles();
  const none = new Uint8Array(0);
  for (let i = 0; i < 2000; i++) files.set(`empty/${i}`, none);
  return files;
}

describe("packed files", () => {
  const line = fc.oneof(
    fc.constantFrom("a: 1", "b: 22", "", "c\r", "ü"),
    fc.string({ unit: "binary", maxLength: 200 }),
  );
  const content = fc.oneof(
    fc.array(line, { maxLength: 30 }).map((lines) => encoder.encode(lines.join("\n"))),
    fc.uint8Array({ maxLength: 5000 }),
  );

  it("are what was put in, whatever they have in common", () => {
    fc.assert(fc.property(fc.array(content, { maxLength: 12 }), (contents) => {
      const files = manyFiles();
      const whole = new Uint8Array(5000);
      for (const [i, bytes] of contents.entries()) {
        // The array is used for others afterwards.
        whole.set(bytes);
        files.copy(`proc/${i}/status`, whole.subarray(0, bytes.length));
      }
      expect(contents.map((_, i) => [...files.get(`proc/${i}/status`) as Uint8Array])).toEqual(
        contents.map((bytes) => [...bytes]),
      );
    }));
  });

  it("are a map", () => {
    const files = new PackedFiles();
    files.copy("a/x", status(1));
    files.copy("b/x", status(2));
    files.set("c", encoder.encode("large"));
    files.delete("c");
    files.copy("b/x", status(3));
    expect([files.size, files.has("c"), files.get("c")]).toEqual([2, false, undefined]);
    const each: [string, Uint8Array][] = [];
    files.forEach((bytes, path) => each.push([path, bytes]));
    expect(each).toEqual([["a/x", status(1)], ["b/x", status(3)]]);
    expect([...files]).toEqual(each);
    expect([...files.keys()]).toEqual(["a/x", "b/x"]);
    expect([...files.values()]).toEqual([status(1), status(3)]);
  });

  it("of twenty thousand processes take a quarter of their size", () => {
    const files = new PackedFiles();
    let size = 0;
    const scratch = new Uint8Array(4096);
    const before = process.memoryUsage().arrayBuffers;
    for (let pid = 1; pid <= 20_000; pid++) {
      // Into one array: nothing but what is kept is to be measured.
      const { written } = encoder.encodeInto(statusText(pid), scratch);
      size += written;
      files.copy(`proc/${pid}/status`, scratch.subarray(0, written));
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(size / 4);
    expect(files.get("proc/17171/status")).toEqual(status(17171));
  });
});
