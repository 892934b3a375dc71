/** Every analyzer on every sample, our own and sosreports: what was really held must come first, and nothing else be accused. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renderText } from "../src/render/text.ts";
import { brokenPromises, wrongAnswers } from "./_expect.ts";
import { sampleReport, samplesFolder } from "./_samples.ts";
import { type CaptureKind, fault, faults, hasSosSample } from "./lab/faults.ts";
import { guestFaults } from "./lab/kernels/expect.ts";
import { wrongOfConsole, wrongOfGuest } from "./lab/kernels/wrong.ts";

describe.each<{ kind: CaptureKind; ending: string; of: typeof faults }>([
  { kind: "growing", ending: ".tgz", of: faults },
  { kind: "sos", ending: ".sos.tar.gz", of: faults.filter(hasSosSample) },
])("samples/*$ending", ({ kind, ending, of }) => {
  const names = readdirSync(samplesFolder).filter((file) => file.endsWith(ending) && !file.startsWith("guest-")).map((
    file,
  ) => file.slice(0, -ending.length));

  it("are there for each fault, and for nothing else", () => {
    expect(names.sort()).toEqual(of.map(({ name }) => name).sort());
  });

  it.each(names)("%s: what was held comes first", async (name) => {
    const found = await sampleReport(`${name}${ending}`);
    expect(wrongAnswers(found, fault(name).expect, kind)).toEqual([]);
    expect(brokenPromises(found)).toEqual([]);
  });
});

/** What must be said of each kernel log, and what its ledger's largest account is: of a control group there is none. */
const logs: {
  readonly [file: string]: { readonly says: RegExp; readonly symptomOf: string; readonly largest?: string };
} = {
  "oom-3.10.txt": {
    says: /killed mysqld \(pid 2300\); most of it was shared memory and tmpfs: 5\.34 GiB of 6\.89 GiB/,
    symptomOf: "shmem-leak",
    largest: "shmem",
  },
  "oom-4.18-syslog.txt": {
    says:
      /killed java \(pid 4410\), the last of 2 times; most of it was kernel pages in no account .*: 5\.80 GiB of 7\.57 GiB/,
    symptomOf: "unattributed-kernel",
    largest: "unaccounted",
  },
  "oom-5.4.txt": {
    says: /killed java \(pid 2210\); most of it was huge pages: 5\.00 GiB of 7\.80 GiB/,
    symptomOf: "hugetlb-reservation",
    largest: "hugetlb",
  },
  "oom-5.10-udp.txt": {
    says:
      /killed database \(pid 91\); most of it was unreclaimable slab: 499 MiB of 727 MiB, about 220,000 network packets \(most likely unread in sockets\)/,
    symptomOf: "socket-backlog-udp",
    largest: "slab-unreclaimable",
  },
  "oom-5.15.txt": {
    says: /killed postgres \(pid 1259\), the last of 2 times; most of it was page tables: 3\.40 GiB of 3\.85 GiB/,
    symptomOf: "page-table-bloat",
    largest: "page-tables",
  },
  "oom-6.12-journal.txt": {
    says: /killed leaker \(pid 156\); most of it was processes' own memory: 639 MiB of 716 MiB, 489 MiB of it leaker's/,
    symptomOf: "user-leak",
    largest: "anon",
  },
  "oom-6.18-udp.txt": {
    says:
      /killed database \(pid 139\); most of it was unreclaimable slab: 497 MiB of 714 MiB, about 220,000 network packets \(most likely unread in sockets\)/,
    symptomOf: "socket-backlog-udp",
    largest: "slab-unreclaimable",
  },
  "oom-7.2-memcg.txt": {
    says:
      /^Control group \/nailhouse-oom-113 was at its limit of 200 MiB, and the kernel killed memcg_hog .* own memory: 200 MiB/,
    symptomOf: "user-leak",
  },
  "oom-7.2.txt": {
    says: /killed leaker \(pid 122\); most of it was processes' own memory: 621 MiB of 712 MiB, 471 MiB of it leaker's/,
    symptomOf: "user-leak",
    largest: "anon",
  },
};

describe("samples/oom-*.txt", () => {
  it("are all expected", () => {
    expect(readdirSync(samplesFolder).filter((file) => file.startsWith("oom-")).sort()).toEqual(
      Object.keys(logs).sort(),
    );
  });

  it.each(Object.entries(logs))(
    "%s: the first two lines say what the memory was, the victim is not accused",
    async (file, expected) => {
      const found = await sampleReport(file);
      expect(brokenPromises(found)).toEqual([]);
      expect(
        found.findings.filter(({ material, confidence, symptomOf }) =>
          material && confidence !== "possible" && symptomOf === null
        ),
      ).toEqual([]);
      const { title, symptomOf } = found.findings.find(({ title }) => expected.says.test(title)) ?? {};
      expect({ symptomOf, found: title !== undefined }).toEqual({ symptomOf: expected.symptomOf, found: true });
      expect(renderText(found, { width: 1000 }).split("\n").slice(0, 2).join("\n")).toContain(title);
      const [largest] = [...(found.ledger?.accounts ?? [])].sort((a, b) => b.bytes - a.bytes);
      expect(largest?.id).toBe(expected.largest);
    },
  );
});

/** Guests with other kernels: npm run kernels -- samples. */
describe("samples/guest-*", () => {
  const sampled = guestFaults.filter(({ sample }) => sample !== undefined).map((fault) => ({
    fault,
    name: `guest-${fault.sample}-${fault.name}`,
  }));
  const consoles = sampled.filter(({ fault }) => fault.console !== undefined);

  it("are there for each fault that names a kernel, and for nothing else", () => {
    const files = [...sampled.map(({ name }) => `${name}.tgz`), ...consoles.map(({ name }) => `${name}.txt`)];
    expect(readdirSync(samplesFolder).filter((file) => file.startsWith("guest-")).sort()).toEqual(files.sort());
  });

  it.each(sampled)("$name: what was captured inside tells it", async ({ name, fault }) => {
    expect(wrongOfGuest(await sampleReport(`${name}.tgz`), fault)).toEqual([]);
  });

  it.each(consoles)("$name: so does the serial console alone", async ({ name, fault }) => {
    expect(wrongOfConsole(await sampleReport(`${name}.txt`), fault)).toEqual([]);
  });
});
