import { expect, it } from "vitest";
import { load } from "../../src/computed/load.ts";
import { readEntries } from "../../src/bundle/open.ts";
import { openSnapshots } from "../../src/engine/reader.ts";

const snmp = (out: number, sent = 0): string =>
  `Udp: InDatagrams OutDatagrams\nUdp: 5 ${out}\nTcp: OutSegs\nTcp: ${sent}\n`;

async function loadOf(files: { readonly [path: string]: string }): Promise<unknown> {
  const entries = Object.entries({ ...files }).map(([path, text]) => {
    const bytes = new TextEncoder().encode(text);
    return { path, kind: "file" as const, read: () => Promise.resolve({ bytes, truncated: false }) };
  });
  const read = openSnapshots(await readEntries(entries, { sources: [load] })).base.read(load);
  return read.status === "ok" ? read.value : read.status;
}

it("is what was sent a second, over all namespaces that stayed", async () => {
  const at = (second: string): string => `history/2026-01-01T00:00:${second}.000Z/proc/net/snmp`;
  expect(await loadOf({ [at("00")]: snmp(100), [at("10")]: snmp(5100, 30) })).toEqual({
    seconds: 10,
    rates: [
      { counter: "Udp.OutDatagrams", perSecond: 500 },
      { counter: "Udp.InDatagrams", perSecond: 0 },
      { counter: "Tcp.OutSegs", perSecond: 3 },
    ],
  });
});

it("is not known of one look, and of counters that began anew", async () => {
  const first = "history/2026-01-01T00:00:00.000Z/proc/net/snmp";
  expect(await loadOf({ [first]: snmp(100) })).toEqual({ seconds: 0, rates: [] });
  const anew = await loadOf({ [first]: snmp(100), "history/2026-01-01T00:00:10.000Z/proc/net/snmp": snmp(7) });
  expect(anew).toMatchObject({ rates: [{ counter: "Udp.InDatagrams" }, { counter: "Tcp.OutSegs" }] });
});
