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
import { ParseError } from "../src/core/errors.ts";
import { formatBytes } from "../src/core/format.ts";
import { defineArtifact } from "../src/core/source.ts";
`;
const ANALYZER_IMPORTS =
  `import { type Analyzer, defineAnalyzer, defineArtifact, formatBytes, ParseError } from "nailhouse";
`;

/** The captured file that the example reads. */
function countersOf(id: string): string {
  return `run/${id}/counters`;
}

function analyzerText(id: string, isCheckout: boolean): string {
  return `${isCheckout ? CHECKOUT_ANALYZER_IMPORTS : ANALYZER_IMPORTS}
// The example reads a program's own counters; src/parsers of nailhouse has those of the kernel.
const counters = defineArtifact({
  name: "${id} counters",
  paths: ["${countersOf(id)}"],
  howToCapture: "cat /${countersOf(id)}",
  // Evidence needs the line, which counts from 1.
  parse(text): { bytes: number; line: number } {
    const lines = text.split("\\n");
    const line = lines.findIndex((each) => /^held_bytes \\d{1,15}$/.test(each)) + 1;
    if (line === 0) throw new ParseError("there is no held_bytes");
    return { bytes: Number(lines[line - 1]?.slice("held_bytes ".length)), line };
  },
});

/** Why this much is abnormal on any host: say where the figure comes from. */
const NORMAL_BYTES: number = 64 * 2 ** 20;

export const ${exportName(id)}: Analyzer = defineAnalyzer({
  id: "${id}",
  title: "What ${id} is, in a few words",
  mechanism: "How the memory comes to be held.",
  lookAlikes: "What it is taken for, and what tells them apart.",
  references: ["https://docs.kernel.org/filesystems/proc.html"],
  needs: { counters },
  uses: {},
  analyze({ counters: { path, value } }) {
    const { bytes, line } = value;
    if (bytes <= NORMAL_BYTES) return { ruledOut: \`\${formatBytes(bytes)} are normal\` };
    return {
      findings: [{
        title: \`\${formatBytes(bytes)} held\`,
        confidence: "likely",
        material: true,
        claims: [{ account: "unaccounted", bytes: { low: bytes, high: bytes } }],
        owners: [],
        evidence: [{ path, line, because: \`more than \${formatBytes(NORMAL_BYTES)}\` }],
        remedies: [],
      }],
    };
  },
});
`;
}

/** How a test on its own is run. */
function howToRun(id: string, isCheckout: boolean): string {
  return isCheckout
    ? ""
    : `// node --test ${id}_test.ts, or deno test -A. Beside a package.json Deno takes the types of node: modules from there:
// npm install --save-dev @types/node; or deno test -A --no-check.
`;
}

function analyzerTestText(id: string, place: Place, isCheckout: boolean): string {
  const name = exportName(id);
  const own = isCheckout ? "" : `, { plugins: [${name}] }`;
  const plugin = isCheckout ? "" : `import { ${name} } from "${place.pluginFromTest}";\n`;
  return `${howToRun(id, isCheckout)}import { equal } from "node:assert/strict";
import { describe, it } from "${place.testRunner}";
import { analyze, openBundle } from "${place.sdkFromTest}";
${plugin}
const meminfo = "MemTotal: 8388608 kB\\nMemFree: 7000000 kB\\n";

describe("${id}", () => {
  it("is found in the sample", async () => {
    const { findings } = analyze(await openBundle(new URL("${place.root}/samples/${id}", import.meta.url)${own}));
    equal(findings.find(({ cause }) => cause === "${id}")?.bytes.low, 2 ** 29);
  });

  it("is ruled out in a near miss", async () => {
    const files = { "proc/meminfo": meminfo, "${countersOf(id)}": "held_bytes 67108864\\n" };
    const { ruledOut } = analyze(await openBundle(files${own}));
    equal(ruledOut.find(({ cause }) => cause === "${id}")?.because, "64.0 MiB are normal");
  });

  it("is not assessed without its file", async () => {
    const { notAssessed } = analyze(await openBundle({ "proc/meminfo": meminfo }${own}));
    equal(notAssessed.find(({ cause }) => cause === "${id}")?.missing[0], "${countersOf(id)}");
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
`;

/** A cause of memory that is held: its file, a sample in which it is, and its test. */
export function newAnalyzer(id: string, isCheckout: boolean): readonly NewFile[] {
  const place = placeOf("analyzer", id, isCheckout);
  return [
    { path: place.file, text: analyzerText(id, isCheckout) },
    { path: `samples/${id}/proc/meminfo`, text: SAMPLE_MEMINFO },
    { path: `samples/${id}/${countersOf(id)}`, text: `held_bytes ${2 ** 29}\n` },
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
      text: `${howToRun(id, isCheckout)}import { equal } from "node:assert/strict";
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
