/** What `nailhouse new` writes: a plug-in that works, to be changed step by step. */

/** `my-cause` is exported as `myCause`, as the generated lists expect. */
function exportName(id: string): string {
  return id.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** A file to write, below the current directory. */
export interface NewFile {
  readonly path: string;
  readonly text: string;
}

/** Where a plug-in lives: in a checkout of nailhouse, or on its own. */
interface Place {
  readonly file: string;
  readonly test: string;
  readonly testRunner: string;
  /** From the test. */
  readonly pluginFromTest: string;
  readonly sdkFromTest: string;
  readonly hostFromTest: string;
  readonly root: string;
}

function placeOf(kind: "analyzer" | "collector", id: string, isCheckout: boolean): Place {
  return isCheckout
    ? {
      file: `${kind}s/${id}.ts`,
      test: `test/${kind}s/${id}_test.ts`,
      testRunner: "vitest",
      pluginFromTest: `../../${kind}s/${id}.ts`,
      sdkFromTest: "../../src/host/node_sdk.ts",
      hostFromTest: "../../src/host/mod.ts",
      root: "../..",
    }
    : {
      file: `${id}.ts`,
      test: `${id}_test.ts`,
      testRunner: "node:test",
      pluginFromTest: `./${id}.ts`,
      sdkFromTest: "nailhouse",
      hostFromTest: "nailhouse/host",
      root: ".",
    };
}

const CHECKOUT_ANALYZER_IMPORTS = `import { type Analyzer, defineAnalyzer } from "../src/core/analyzer.ts";
import { formatBytes } from "../src/core/format.ts";
import { ledger } from "../src/computed/ledger.ts";
`;
const ANALYZER_IMPORTS = `import { type Analyzer, defineAnalyzer, formatBytes, ledger } from "nailhouse";
`;

function analyzerText(id: string, isCheckout: boolean): string {
  return `${isCheckout ? CHECKOUT_ANALYZER_IMPORTS : ANALYZER_IMPORTS}
/** Why this much is abnormal on any host: say where the figure comes from. */
const NORMAL_BYTES: number = 64 * 2 ** 20;

// As an example, the kernel's bounce buffers, which no host of today has.
export const ${exportName(id)}: Analyzer = defineAnalyzer({
  id: "${id}",
  title: "What ${id} is, in a few words",
  mechanism: "How the memory comes to be held.",
  lookAlikes: "What it is taken for, and what tells them apart.",
  references: ["https://docs.kernel.org/filesystems/proc.html"],
  needs: { ledger },
  uses: {},
  analyze({ ledger }) {
    const account = ledger.accounts.find(({ id }) => id === "bounce");
    if (account === undefined) {
      return { notAssessed: [{ path: "Bounce in proc/meminfo", howToCapture: "cat /proc/meminfo" }] };
    }
    const { id, bytes, sources } = account;
    if (bytes <= NORMAL_BYTES) return { ruledOut: \`\${formatBytes(bytes)} are normal\` };
    return {
      findings: [{
        title: \`\${formatBytes(bytes)} of bounce buffers\`,
        confidence: "likely",
        material: true,
        claims: [{ account: id, bytes: { low: bytes, high: bytes } }],
        owners: [],
        evidence: sources.map((source) => ({ ...source, because: \`more than \${formatBytes(NORMAL_BYTES)}\` })),
        remedies: [],
      }],
    };
  },
});
`;
}

function analyzerTestText(id: string, place: Place, isCheckout: boolean): string {
  const name = exportName(id);
  const own = isCheckout ? "" : `, { plugins: [${name}] }`;
  const plugin = isCheckout ? "" : `import { ${name} } from "${place.pluginFromTest}";\n`;
  return `import { equal } from "node:assert/strict";
import { describe, it } from "${place.testRunner}";
import { analyze, openBundle } from "${place.sdkFromTest}";
${plugin}
const meminfo = (bounceKb: number): string => \`MemTotal: 8388608 kB\\nMemFree: 7000000 kB\\nBounce: \${bounceKb} kB\\n\`;

describe("${id}", () => {
  it("is found in the sample", async () => {
    const report = analyze(await openBundle(new URL("${place.root}/samples/${id}", import.meta.url)${own}));
    equal(report.findings[0]?.cause, "${id}");
    equal(report.findings[0]?.bytes.low, 2 ** 30);
  });

  it("is ruled out in a near miss", async () => {
    const { ruledOut } = analyze(await openBundle({ "proc/meminfo": meminfo(65_536) }${own}));
    equal(ruledOut.find(({ cause }) => cause === "${id}")?.because, "64.0 MiB are normal");
  });

  it("is not assessed without its file", async () => {
    const { notAssessed } = analyze(await openBundle({ "proc/vmstat": "nr_free_pages 1\\n" }${own}));
    equal(notAssessed.some(({ cause }) => cause === "${id}"), true);
  });
});
`;
}

const SAMPLE_MEMINFO = `MemTotal:        8388608 kB
MemFree:         7000000 kB
MemAvailable:    7000000 kB
Buffers:               0 kB
Cached:           100000 kB
AnonPages:        200000 kB
Bounce:          1048576 kB
`;

/** A cause of memory that is held: its file, a sample in which it is, and its test. */
export function newAnalyzer(id: string, isCheckout: boolean): readonly NewFile[] {
  const place = placeOf("analyzer", id, isCheckout);
  return [
    { path: place.file, text: analyzerText(id, isCheckout) },
    { path: `samples/${id}/proc/meminfo`, text: SAMPLE_MEMINFO },
    { path: place.test, text: analyzerTestText(id, place, isCheckout) },
  ];
}

/** What is to be captured: its file and its test. */
export function newCollector(id: string, isCheckout: boolean, priority: number): readonly NewFile[] {
  const place = placeOf("collector", id, isCheckout);
  const core = isCheckout ? "../src/core/collector.ts" : "nailhouse";
  return [
    {
      path: place.file,
      text: `import { type Collector, defineCollector } from "${core}";

export const ${exportName(id)}: Collector = defineCollector({
  id: "${id}",
  title: "What is captured, in a few words",
  why: "What the captured files are for.",
  priority: ${priority},
  captures: [
    { kind: "file", path: "/run/${id}/counters", changing: true },
    { kind: "command", argv: ["${id}", "status"], as: "sos_commands/${id}/${id}_status", timeoutSeconds: 5 },
  ],
});
`,
    },
    {
      path: place.test,
      text: `import { equal } from "node:assert/strict";
import { it } from "${place.testRunner}";
import { collect, memoryHost, memorySink } from "${place.hostFromTest}";
import { ${exportName(id)} } from "${place.pluginFromTest}";

it("captures its file", async () => {
  const host = memoryHost({ files: { "/run/${id}/counters": "held 1\\n" } });
  const sink = memorySink();
  await collect(host, [${exportName(id)}], sink, { snapshots: 1 });
  equal(new TextDecoder().decode(sink.files.get("run/${id}/counters")), "held 1\\n");
});
`,
    },
  ];
}
