import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf } from "./_bundle.ts";

export const MIB: number = 2 ** 20;
export const GIB: number = 2 ** 30;

/** A folder of a later snapshot. */
export const later = (seconds: number): string => `history/2026-01-01T00:00:${String(seconds).padStart(2, "0")}.000Z`;

const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, "0");

/** A row of /proc/net/tcp over loopback. */
export interface TcpRow {
  readonly local: number;
  readonly remote: number;
  readonly rx?: number;
  readonly tx?: number;
  /** 1 ESTABLISHED, 8 CLOSE_WAIT. */
  readonly state?: number;
  readonly timer?: number;
  readonly retransmits?: number;
  readonly inode: number;
  /** Of the other end; on this host when left out. */
  readonly remoteAddress?: string;
}

/** Text of /proc/net/tcp as Linux 6.18 prints it. */
export function tcpText(rows: readonly TcpRow[]): string {
  const lines = rows.map((
    { local, remote, rx = 0, tx = 0, state = 1, timer = 0, retransmits = 0, inode, remoteAddress = "0100007F" },
    i,
  ) =>
    `${String(i).padStart(4)}: 0100007F:${hex(local, 4)} ${remoteAddress}:${hex(remote, 4)} ${hex(state, 2)} ${
      hex(tx, 8)
    }:${hex(rx, 8)} ${hex(timer, 2)}:0000002E ${
      hex(retransmits, 8)
    }     0        0 ${inode} 1 00000000a95093cf 20 15 0 10 -1\n`
  );
  return `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n${
    lines.join("")
  }`;
}

/** Owners of sockets, and the names of their processes, as the collector captures them. */
export function ownersOf(
  processes: readonly { readonly pid: number; readonly comm: string; readonly inodes: readonly number[] }[],
): {
  [path: string]: string;
} {
  return {
    "sos_commands/process/socket_owners":
      processes.flatMap(({ pid, inodes }) =>
        inodes.map((inode, i) => `/proc/${pid}/fd/${i + 3} -> socket:[${inode}]\n`)
      )
        .join("") || "# descriptors_read 0\n",
    ...Object.fromEntries(
      processes.map(({ pid, comm }) => [`proc/${pid}/status`, `Name:\t${comm}\nPid:\t${pid}\nRssAnon:\t 100 kB\n`]),
    ),
  };
}

export const SS_HEADER = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n";

/** As many as `count`, made by `make` from 0 on. */
export function many<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** Registers that a cause is not assessed without each of these files, and that the report says which. */
export function itNeeds(cause: string, files: { readonly [path: string]: string }, paths: readonly string[]): void {
  describe("is not assessed", () => {
    for (const path of paths) {
      it(`without ${path}`, async () => {
        const { [path]: _, ...rest } = files;
        const report = await analyzeFiles(rest);
        expect(findingOf(report, cause)).toBeUndefined();
        expect(report.notAssessed.find((each) => each.cause === cause)?.missing.length).toBeGreaterThan(0);
      });
    }
  });
}

/** Registers that queues beside which nothing tells of the host's memory (`ss` alone, as people paste it) are told of as they are with it, but not where they lie. */
export function itTellsAlone(cause: string, files: { readonly [path: string]: string }): void {
  it("is told of by a list of sockets alone", async () => {
    const { "proc/meminfo": _, ...rest } = files;
    const whole = findingOf(await analyzeFiles(files), cause);
    const report = await analyzeFiles(rest);
    const finding = findingOf(report, cause);
    expect(finding).toMatchObject({ title: whole?.title, owners: whole?.owners, confidence: whole?.confidence });
    expect(finding?.claims.map(({ account }) => account)).toEqual(["unaccounted"]);
    expect(report.verdict).toBe("cause-found");
  });
}
