import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Outcome,
} from "../src/core/analyzer.ts";
import { formatBytes, formatShare } from "../src/core/format.ts";
import { accountBytes, type AccountId, type Ledger, type SourceLine } from "../src/core/ledger.ts";
import type { Remedy } from "../src/core/report.ts";
import {
  type HostFacts,
  type MaybeValues,
  type Missing,
  overTime,
  type Parsed,
  type Values,
} from "../src/core/source.ts";
import { isWhole, unaccountedBytes, WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { type BalloonDriver, uncountedBalloons } from "../src/computed/balloon_drivers.ts";
import { ledger } from "../src/computed/ledger.ts";
import { type Meminfo, meminfo } from "../src/parsers/meminfo.ts";
import { pagesBytes, vmstat } from "../src/parsers/vmstat.ts";
import { vmwareBalloon } from "../src/parsers/vmware_balloon.ts";
import type { BytesAtLine } from "../src/parsers/_values.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** A tenth of what the machine was given is major (Oracle's memstate draws that line for memory that is nobody's). */
const MAJOR_SHARE = 0.1;
/** MemTotal changes by a few pages when the kernel frees what it needed to boot. */
const MIN_FALL_BYTES = 16 * 2 ** 20;

const needs = { ledger };
const uses = { meminfo, vmstat, vmwareBalloon, uncountedBalloons, history: overTime(meminfo) };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

/** What the hypervisor took, and the line that tells. */
interface Taken extends SourceLine {
  readonly bytes: number;
  readonly because: string;
  /** Where it lies, unless the driver lowered MemTotal. */
  readonly account: AccountId;
  /** Undefined where several hypervisors have it. */
  readonly driver: string | undefined;
}

/** What is typed on the hypervisor, or in the guest of one that tells it there: to see and ask back, and to see and reserve. */
interface Commands {
  readonly now: readonly string[];
  readonly prevent: readonly string[];
}

const LIBVIRT: Commands = {
  now: ["virsh dommemstat DOMAIN", "virsh setmem DOMAIN SIZE --live"],
  prevent: ["virsh dumpxml DOMAIN | grep -iE 'memory|balloon'", "vmware-toolbox-cmd stat balloon"],
};

/** Of drivers that only one hypervisor has. Hyper-V's are PowerShell's, on its host; the least of a machine can be raised while it is off. */
const COMMANDS: ReadonlyMap<string, Commands> = new Map([
  ["hv_balloon", {
    now: ["Get-VM NAME | Format-List MemoryAssigned,MemoryDemand,MemoryStatus"],
    prevent: ["Get-VMMemory NAME", "Set-VMMemory NAME -MinimumBytes SIZE"],
  }],
  ["vmw_balloon", {
    now: ["vmware-toolbox-cmd stat balloon", "vmware-toolbox-cmd stat memlimit"],
    prevent: ["vmware-toolbox-cmd stat memres"],
  }],
]);

function remediesOf(driver?: string): readonly Remedy[] {
  const { now, prevent } = COMMANDS.get(driver ?? "") ?? LIBVIRT;
  return [
    {
      when: "now",
      text: `Ask for it back on the hypervisor: nothing inside the guest can. ${
        remedyMark("balloon", "ask for it back")
      }`,
      commands: now,
      verify: "MemTotal of the guest rises, or Balloon of its /proc/meminfo falls",
    },
    {
      when: "prevent",
      text: `Reserve the guest's memory, or set the least it keeps, so that the hypervisor takes from others. ${
        remedyMark("balloon", "reserve the guest's memory")
      }`,
      commands: prevent,
      verify: "the balloon stays at 0 under the hypervisor's load",
    },
  ];
}

function fromMeminfo(file: Parsed<Meminfo> | undefined): Taken | undefined {
  const entry = file?.value.bytes.get("Balloon");
  if (file === undefined || entry === undefined || entry.bytes === 0) return undefined;
  const { path } = file;
  const because = `the balloon has ${formatBytes(entry.bytes)}`;
  return { path, line: entry.line, bytes: entry.bytes, because, account: "balloon", driver: undefined };
}

/** VMware's keeps MemTotal, and before 5.4 its pages are in no account. */
function fromVmware({ path, value: { bytes, line } }: Parsed<BytesAtLine>): Taken | undefined {
  const because = `the balloon has ${formatBytes(bytes)}`;
  return bytes === 0 ? undefined : { path, line, bytes, because, account: "unaccounted", driver: "vmw_balloon" };
}

function fromVmstat({ vmstat: file, facts }: Seen): Taken | undefined {
  const inflated = file && pagesBytes(file.value, "balloon_inflate", facts);
  const deflated = file && pagesBytes(file.value, "balloon_deflate", facts);
  if (file === undefined || inflated === undefined || deflated === undefined || inflated.bytes <= deflated.bytes) {
    return undefined;
  }
  const bytes = inflated.bytes - deflated.bytes;
  return {
    path: file.path,
    line: inflated.line,
    bytes,
    because: `${formatBytes(inflated.bytes)} were taken and ${formatBytes(deflated.bytes)} given back`,
    account: "balloon",
    driver: undefined,
  };
}

/** Only a driver that gives memory away lowers MemTotal while the host runs. */
function fallOfTotal({ history }: Seen): Taken | undefined {
  const totals = (history ?? []).flatMap(({ value: { path, value } }) => {
    const entry = value.bytes.get("MemTotal");
    return entry === undefined ? [] : [{ path, ...entry }];
  });
  const most = Math.max(...totals.map(({ bytes }) => bytes));
  const last = totals.at(-1);
  if (last === undefined || most - last.bytes < MIN_FALL_BYTES) return undefined;
  const bytes = most - last.bytes;
  return {
    path: last.path,
    line: last.line,
    bytes,
    because: `MemTotal fell by ${formatBytes(bytes)} while it was watched`,
    account: "balloon",
    driver: undefined,
  };
}

const MEMINFO: Missing = { path: "proc/meminfo", howToCapture: "cat /proc/meminfo" };
const MODULES: Missing = { path: "proc/modules", howToCapture: "cat /proc/modules" };

/** The driver is loaded on every machine of such a hypervisor, whether there is a balloon or not: it claims nothing. */
function uncounted({ path, name, line, find }: BalloonDriver, ledger: Ledger): Outcome {
  const nobodys = unaccountedBytes(ledger);
  const amount = `${formatBytes(nobodys)} (${formatShare(nobodys, ledger.totalBytes)} of memory)`;
  if (nobodys < MAJOR_SHARE * ledger.totalBytes) {
    return {
      ruledOut: `before Linux 6.16 nothing counts what ${name} has, but no more than ${amount} are in no account`,
    };
  }
  return {
    findings: [{
      title:
        `The balloon driver ${name} is loaded, and before Linux 6.16 nothing counts what it has: it may be part of the ${amount} that are in no account`,
      confidence: "possible",
      material: false,
      claims: [],
      owners: [{ pid: null, comm: name, bytes: 0, count: 1, detail: `to see what it has: ${find}` }],
      evidence: [{
        path,
        line,
        because: `${name} is loaded: this is a virtual machine whose hypervisor can take memory back`,
      }],
      remedies: remediesOf(name),
    }],
  };
}

/** Nothing tells of a balloon that has something. */
function nothingTaken(
  { ledger, meminfo: file, vmstat: counters, vmwareBalloon, uncountedBalloons: drivers }: Seen,
): Outcome {
  if (vmwareBalloon !== undefined) return { ruledOut: "the balloon is empty" };
  if (file === undefined) return { notAssessed: [MEMINFO] };
  const [driver] = drivers ?? [];
  if (driver !== undefined) return uncounted(driver, ledger);
  if (!isWhole(ledger)) return { notAssessed: [WHOLE_MEMINFO] };
  const isCounted = file.value.bytes.has("Balloon");
  // Not even vmstat counts those of every driver: without the list of drivers, what is in no account may be a balloon.
  const nobodys = unaccountedBytes(ledger);
  if (!isCounted && drivers === undefined && nobodys >= MAJOR_SHARE * ledger.totalBytes) {
    return { notAssessed: [MODULES] };
  }
  return isCounted || counters?.value.has("balloon_inflate") === true
    ? { ruledOut: "the balloon is empty" }
    : { ruledOut: "the kernel counts no balloon, and MemTotal did not fall" };
}

function finding(main: Taken, fall: Taken | undefined, ledger: Ledger): FindingDraft {
  // Either the driver lowered MemTotal, or the account has it: then the ledger says so.
  const inside = Math.max(0, accountBytes(ledger, main.account) ?? 0);
  const given = ledger.totalBytes + (inside > 0 ? 0 : main.bytes);
  const claimed = Math.min(main.bytes, inside);
  return {
    title: `The hypervisor took ${formatBytes(main.bytes)} back, ${
      formatShare(main.bytes, given)
    } of this machine's memory`,
    confidence: "confirmed",
    material: main.bytes >= MAJOR_SHARE * given,
    claims: claimed === 0 ? [] : [{ account: main.account, bytes: { low: claimed, high: claimed } }],
    owners: [{
      pid: null,
      comm: "balloon driver",
      bytes: main.bytes,
      count: 1,
      detail: "which machine has it now, only the hypervisor knows: virsh dommemstat DOMAIN, esxtop (MCTL)",
    }],
    evidence: [main, ...(fall === undefined || fall === main ? [] : [fall])].map((
      { path, line, because },
    ): EvidenceLine => ({ path, line, because })),
    remedies: remediesOf(main.driver),
  };
}

export const balloon: Analyzer = defineAnalyzer({
  id: "balloon",
  title: "Memory that the hypervisor took back",
  mechanism:
    "A virtual machine's balloon driver allocates pages and hands them to the hypervisor, which gives them to other machines. Inside, they are just gone: virtio's driver " +
    "lowers MemTotal, others keep it and hold pages that are in no account before Linux 6.16 (then Balloon in /proc/meminfo).",
  lookAlikes:
    "A driver that leaks pages. Memory that was never there: kernel image, crash kernel and firmware are outside MemTotal from the start. Hot-unplugged memory: MemTotal " +
    "falls, too, by whole blocks of 128 MiB and more.",
  references: [
    "drivers/virtio/virtio_balloon.c",
    "https://docs.kernel.org/filesystems/proc.html",
    "commit 1796819d5528 (Balloon in meminfo)",
  ],
  needs,
  uses,
  analyze(values, facts) {
    const seen = { ...values, facts };
    const told = seen.vmwareBalloon;
    // From 5.4 on vmstat counts VMware's pages as well, but not whose they are.
    const taken = fromMeminfo(seen.meminfo) ?? (told && fromVmware(told)) ?? fromVmstat(seen);
    const fall = fallOfTotal(seen);
    const main = taken ?? fall;
    return main === undefined ? nothingTaken(seen) : { findings: [finding(main, fall, seen.ledger)] };
  },
});
