import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatShare } from "../src/core/format.ts";
import type { MaybeValues, Parsed, Values } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { type Sysctl, sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";

/** Programs fail to allocate when the promises come this near to the limit: one large request is more than the rest. */
const NEARLY_COMMITTED = 0.95;
/**
 * The kernel itself sets up to 5 % of low memory where transparent huge pages are on (mm/khugepaged.c set_recommended_min_free_kbytes()), and does
 * not lower it when a balloon takes memory away: twice that is somebody's setting. Documentation/admin-guide/sysctl/vm.rst: too high "will OOM instantly".
 */
const HIGH_MIN_FREE_SHARE = 0.1;

/** One setting that decides what happens when memory ends. */
interface Setting {
  readonly title: string;
  readonly likely: boolean;
  readonly evidence: readonly EvidenceLine[];
  readonly commands: readonly string[];
  readonly fix: string;
}

function evidenceOf(file: Parsed<Sysctl>, name: string, because: string): EvidenceLine[] {
  const entry = file.value.get(name);
  return entry === undefined ? [] : [{ path: file.path, line: entry.line, because }];
}

function draft({ title, likely, evidence, commands, fix }: Setting): FindingDraft {
  return {
    title,
    confidence: likely ? "likely" : "possible",
    material: likely,
    claims: [],
    owners: [],
    evidence,
    remedies: [{
      when: "fix",
      text: fix,
      commands,
      verify: "sysctl -a | grep ^vm. shows the new value, also after a reboot",
    }],
  };
}

const needs = { ledger, sysctl };
const uses = { meminfo };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

function numberOf({ sysctl: file }: Seen, name: string): number | undefined {
  return sysctlNumbers(file.value, name)?.[0];
}

function overcommit(seen: Seen): Setting | undefined {
  const { sysctl: file, meminfo: memory } = seen;
  const limit = memory?.value.bytes.get("CommitLimit");
  const committed = memory?.value.bytes.get("Committed_AS");
  if (numberOf(seen, "vm.overcommit_memory") !== 2 || memory === undefined) return undefined;
  if (limit === undefined || committed === undefined || committed.bytes < NEARLY_COMMITTED * limit.bytes) {
    return undefined;
  }
  return {
    title: `Programs are refused memory: ${formatBytes(committed.bytes)} of the ${
      formatBytes(limit.bytes)
    } that may be promised are (vm.overcommit_memory 2)`,
    likely: true,
    evidence: [
      ...evidenceOf(
        file,
        "vm.overcommit_memory",
        "the kernel refuses what goes beyond CommitLimit, however much memory is free",
      ),
      {
        path: memory.path,
        line: committed.line,
        because: `${formatShare(committed.bytes, limit.bytes)} of CommitLimit`,
      },
    ],
    commands: [...setSysctl("vm.overcommit_ratio=80"), ...setSysctl("vm.overcommit_memory=0")],
    fix: `Raise the limit (vm.overcommit_ratio, swap), or let the kernel judge itself. ${
      remedyMark("oom-policy", "overcommit")
    }`,
  };
}

function minFree(seen: Seen): Setting | undefined {
  const { sysctl: file, ledger: { totalBytes } } = seen;
  const kbytes = numberOf(seen, "vm.min_free_kbytes");
  if (kbytes === undefined || kbytes * 1024 <= HIGH_MIN_FREE_SHARE * totalBytes) return undefined;
  return {
    title: `vm.min_free_kbytes keeps ${formatBytes(kbytes * 1024)} (${
      formatShare(kbytes * 1024, totalBytes)
    }) from everybody`,
    likely: true,
    evidence: evidenceOf(
      file,
      "vm.min_free_kbytes",
      "reclaim begins when less than this is free, and ordinary requests may not use it",
    ),
    commands: setSysctl(`vm.min_free_kbytes=${Math.round(totalBytes / 1024 / 200)}`),
    fix: `Half a per cent of memory is ample. ${remedyMark("oom-policy", "min_free_kbytes")}`,
  };
}

function panicOnOom(seen: Seen): Setting | undefined {
  const panic = numberOf(seen, "vm.panic_on_oom");
  if (panic !== 1 && panic !== 2) return undefined;
  return {
    title: `The host panics instead of killing a process when memory ends (vm.panic_on_oom ${panic})`,
    likely: false,
    evidence: evidenceOf(
      seen.sysctl,
      "vm.panic_on_oom",
      panic === 2 ? "even when only a control group or node is out of memory" : "when the whole host is out of memory",
    ),
    commands: setSysctl("vm.panic_on_oom=0"),
    fix: `Fine where another host takes over or a crash dump is wanted; otherwise let the kernel kill one process. ${
      remedyMark("oom-policy", "panic_on_oom")
    }`,
  };
}

function killAllocatingTask(seen: Seen): Setting | undefined {
  if (numberOf(seen, "vm.oom_kill_allocating_task") !== 1) return undefined;
  return {
    title:
      "The kernel kills whoever asks when memory ends, not the process that has the most (vm.oom_kill_allocating_task 1)",
    likely: false,
    evidence: evidenceOf(
      seen.sysctl,
      "vm.oom_kill_allocating_task",
      "the victim is a bystander: nothing that the kernel log says of it tells the cause",
    ),
    commands: ["sysctl -w vm.oom_kill_allocating_task=0"],
    fix: `Let the kernel choose the process that frees the most, unless its look at all processes takes too long. ${
      remedyMark("oom-policy", "oom_kill_allocating_task")
    }`,
  };
}

export const oomPolicy: Analyzer = defineAnalyzer({
  id: "oom-policy",
  title: "Settings that decide what happens when memory ends",
  mechanism:
    "With vm.panic_on_oom the kernel panics instead of killing one process. With vm.overcommit_memory 2 it refuses promises beyond CommitLimit: malloc " +
    "fails while memory is free, and nobody is killed. A very large vm.min_free_kbytes keeps that much from everybody.",
  lookAlikes: "A real shortage: MemAvailable tells. memcg-oom: the limit of one group, whatever the host's settings.",
  references: ["https://docs.kernel.org/admin-guide/sysctl/vm.html"],
  needs,
  uses,
  analyze(seen) {
    const settings = [overcommit(seen), minFree(seen), panicOnOom(seen), killAllocatingTask(seen)]
      .filter((each) => each !== undefined);
    if (settings.length > 0) return { findings: settings.map(draft) };
    const known = (name: string): number | string => numberOf(seen, name) ?? "not known";
    return {
      ruledOut: `vm.panic_on_oom is ${known("vm.panic_on_oom")}, vm.overcommit_memory ${known("vm.overcommit_memory")}`,
    };
  },
});
