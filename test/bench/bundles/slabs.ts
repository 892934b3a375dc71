/** A host with so many slab caches, a few of each memory cgroup as old kernels have them, and so many areas of vmalloc. */
import type { Made } from "./_archive.ts";
import { firstSnapshot, inPieces, readSample, scatter, textOf } from "./_sample.ts";

const rows = (text: string, headers: number): readonly string[] => text.trimEnd().split("\n").slice(headers);

/** The entries of a bundle with `count` lines of slabinfo and of vmallocinfo, scaled from samples/friend-push.tgz. */
export async function* slabs(count: number): AsyncGenerator<Made> {
  const sample = await readSample("friend-push.tgz");
  const entries = firstSnapshot(sample);
  const slabinfo = textOf(sample, "proc/slabinfo");
  const caches = rows(slabinfo, 2);
  const header = slabinfo.split("\n").slice(0, 2).join("\n") + "\n";
  const areas = rows(textOf(sample, "proc/vmallocinfo"), 0);
  const address = (seed: number): string => `0x${scatter(seed, 2 ** 32 - 1).toString(16).padStart(16, "0")}`;
  entries.set("proc/slabinfo", {
    path: "proc/slabinfo",
    content: () =>
      inPieces(count + 1, (index) => {
        if (index === 0) return header;
        const line = caches[(index - 1) % caches.length] as string;
        const copy = Math.floor((index - 1) / caches.length);
        // Before Linux 5.9 each memory cgroup has caches of its own: `dentry(12:name)`.
        return copy === 0 ? `${line}\n` : `${line.replace(" ", `(${copy}:pod${scatter(copy, 1e6)}) `)}\n`;
      }),
  });
  entries.set("proc/vmallocinfo", {
    path: "proc/vmallocinfo",
    content: () =>
      inPieces(count, (index) => {
        const line = areas[index % areas.length] as string;
        return `${address(index * 2)}-${address(index * 2 + 1)}${line.slice(line.indexOf(" "))}\n`;
      }),
  });
  yield* entries.values();
}
