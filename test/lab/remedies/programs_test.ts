/** Programs of samples/remedies, tried on this kernel with a few sockets; `npm run remedies` tries all. */
import { describe, expect, it } from "vitest";
import { labAvailable, labHas, withLabLock } from "../lab.ts";
import { experiments, tryRemedy } from "./trial.ts";

const available = (await labAvailable()) && (await labHas("python3", "javac", "rustc"));
const SOCKETS = 3;
const FULL_BYTES = SOCKETS * 8 * 2 ** 20;

function trial(file: string, cause: string) {
  const experiment = experiments.find((each) => each.cause === cause);
  const use = experiment?.uses.find(({ remedy }) => file.startsWith(`${remedy}.`));
  if (experiment === undefined || use === undefined) throw new Error(`no experiment with ${file} for ${cause}`);
  return withLabLock(() => tryRemedy(file, experiment, use, SOCKETS));
}

describe.skipIf(!available)("samples/remedies (needs Linux, root, gcc, flock, python3, javac, rustc)", () => {
  it("udp-filter.py keeps a socket empty, and does not empty a full one", async () => {
    const { beforeBytes, afterBytes, fromStartBytes } = await trial("udp-filter.py", "socket-backlog-udp");
    expect(beforeBytes).toBeGreaterThan(0.95 * FULL_BYTES);
    expect(afterBytes).toBe(beforeBytes);
    expect(fromStartBytes).toBe(0);
  });

  it("udp-small-buffer.js keeps a packet of 1,400 bytes a socket, and does not empty a full one", async () => {
    const { beforeBytes, afterBytes, fromStartBytes } = await trial("udp-small-buffer.js", "socket-backlog-udp");
    expect(afterBytes).toBe(beforeBytes);
    expect(fromStartBytes).toBeGreaterThan(0);
    expect(fromStartBytes).toBeLessThan(SOCKETS * 4096);
  });

  it("tcp-reset.java drops what waits to be sent", async () => {
    const { beforeBytes, afterBytes } = await trial("tcp-reset.java", "socket-backlog-tcp-send");
    expect(beforeBytes).toBeGreaterThan(SOCKETS * 4 * 2 ** 20);
    expect(afterBytes).toBe(0);
  });

  it("udp-drain.rs empties full sockets", async () => {
    const { beforeBytes, afterBytes } = await trial("udp-drain.rs", "socket-backlog-udp");
    expect(beforeBytes).toBeGreaterThan(0.95 * FULL_BYTES);
    expect(afterBytes).toBe(0);
  });

  it("udp-drain.c empties full sockets, and they fill again", async () => {
    const { beforeBytes, afterBytes, refilledBytes } = await trial("udp-drain.c", "socket-backlog-udp");
    expect(beforeBytes).toBeGreaterThan(0.95 * FULL_BYTES);
    expect(afterBytes).toBe(0);
    expect(refilledBytes).toBe(beforeBytes);
  });
});
