/** The remedies that the report recommends, tried on this kernel: what stays queued on a socket that nobody reads, by what was done to it. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { compile, labAvailable, withFault, withLabLock } from "./lab.ts";

const run = promisify(execFile);
const available = await labAvailable();

interface Kept {
  readonly bytes: number;
  readonly sends: boolean;
}

describe.skipIf(!available)("a socket that nobody reads, after 20,000 datagrams", () => {
  const table = new Map<string, Kept>();
  const kept = (method: string): Kept => {
    const found = table.get(method);
    if (found === undefined) throw new Error(`wudp_table printed no line "${method}"`);
    return found;
  };

  beforeAll(async () => {
    const program = await compile("wudp_table");
    const { stdout } = await withLabLock(() => run(program));
    for (const [, method, bytes, sends] of stdout.matchAll(/^(\S+ \d+) kept (\d+) drops \d+ sends (yes|no)$/gm)) {
      table.set(method as string, { bytes: Number(bytes), sends: sends === "yes" });
    }
  });

  it("keeps nothing with a drop-all filter, and still sends", () =>
    expect(kept("filter 100")).toEqual({ bytes: 0, sends: true }));

  it("keeps a packet or two with the smallest buffer (WUDP), and still sends", () => {
    expect(kept("wudp 100").bytes).toBeLessThan(4096);
    expect(kept("wudp 100").sends).toBe(true);
  });

  it("keeps one large packet even with the smallest buffer: an empty queue always admits one", () => {
    expect(kept("wudp 60000").bytes).toBeGreaterThan(60_000);
    expect(kept("wudp 60000").bytes).toBeLessThan(2 * 60_000);
  });

  it("is not emptied by either remedy once it is full", () => {
    expect(kept("wudp-late 100").bytes).toBe(kept("nothing 100").bytes);
    expect(kept("filter-late 100").bytes).toBe(kept("nothing 100").bytes);
  });

  it("is not helped by shutdown(SHUT_RD), UDP or TCP", () => {
    expect(kept("shut-rd 100").bytes).toBe(kept("nothing 100").bytes);
    expect(kept("connected-shut-rd 100").bytes).toBe(kept("nothing 100").bytes);
    expect(kept("tcp-shut-rd 65536").bytes).toBeGreaterThan(0.9 * kept("tcp-nothing 65536").bytes);
  });

  it("keeps its peer's own replies even when it is connected", () => {
    expect(kept("connect 100").bytes).toBe(0);
    expect(kept("connect-replies 100").bytes).toBe(kept("nothing 100").bytes);
  });
});

describe.skipIf(!available)("packets that pin page fragments", () => {
  const freeBytes = (): number => Number(/^MemFree: +(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;

  it("pin one page each instead of eight with high_order_alloc_disable", async () => {
    const setting = "net.core.high_order_alloc_disable";
    await withLabLock(async () => {
      await run("sysctl", ["-q", "-w", `${setting}=1`]);
      try {
        const before = freeBytes();
        const taken = await withFault(
          "frag_amplification",
          {},
          ({ heldBytes }) => Promise.resolve((before - freeBytes()) / heldBytes),
        );
        // What the program counts is blocks of eight pages.
        expect(taken).toBeLessThan(0.25);
      } finally {
        await run("sysctl", ["-q", "-w", `${setting}=0`]);
      }
    });
  });
});
