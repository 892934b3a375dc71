/** Collecting against what a host usually has for it. */
import { type Family, measureByTurns, ratios } from "./_measure.ts";

export const family: Family = {
  needs: { sos: "sosreport" },
  async *rows({ runs }) {
    const [ours, theirs] = measureByTurns([
      (to) => ["node", "dist/cli.js", "collect", "--snapshots", "1", "--quiet", "-o", `${to}/bundle.tgz`],
      (to) => ["sos", "report", "--batch", "--only-plugins", "memory,process,networking,kernel", "--tmp-dir", to],
    ], runs);
    // Five times less time, and less memory.
    if (ours && theirs) yield* ratios("collect : sos report", ours, theirs, { wall: 0.2, cpu: 0.2, memory: 1 });
  },
};
