/** Collecting against what a host usually has for it. */
import type { Family } from "./_measure.ts";

export const family: Family = {
  needs: { sos: "sosreport" },
  comparisons: [{
    name: "collect --snapshots 1 : sos report",
    ours: (to) => ["node", "dist/cli.js", "collect", "--snapshots", "1", "--quiet", "-o", `${to}/bundle.tgz`],
    theirs: (to) => ["sos", "report", "--batch", "--only-plugins", "memory,process,networking,kernel", "--tmp-dir", to],
  }],
};
