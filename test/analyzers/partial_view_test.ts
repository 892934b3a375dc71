/** What a container, or an ordinary user, does not see of other namespaces rules no cause out. */
import { describe, expect, it } from "vitest";
import { analyzeFiles, manifest, meminfoText, pinnedText, udpText } from "./_bundle.ts";
import { GIB, MIB, SS_HEADER } from "./_sockets.ts";

const SOME = { "nailhouse.json": JSON.stringify({ ...manifest, privileged: false }) };
const ALL = { "proc/2/status": "Name:\tkthreadd\n" };
const SEEN = {
  "proc/700/status": "Name:\tsh\nRssAnon:\t4096 kB\n",
  "proc/net/netlink": "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
  "proc/net/packet": "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
  "proc/net/sockstat": "sockets: used 12\nUDP: inuse 1 mem 0\nFRAG: inuse 0 memory 0\n",
  "proc/net/udp": udpText([{ bytes: 768 }]),
  "sos_commands/networking/ss_-xanm": `${SS_HEADER}u_str ESTAB 0 0 * 2000 * 2001\n`,
  "sos_commands/networking/ss_-peaonmi": SS_HEADER,
};

describe("where only some processes and namespaces were seen", () => {
  it.each(["socket-backlog-unix", "socket-backlog-netlink", "packet-ring", "ip-reassembly"])(
    "%s is not assessed as long as packets have room",
    async (cause) => {
      const judged = async (files: { readonly [path: string]: string }) => {
        const { ruledOut, notAssessed } = await analyzeFiles({ ...SEEN, ...files });
        return [ruledOut, notAssessed].map((list) => list.some((each) => each.cause === cause));
      };
      const memory = (SUnreclaim: number, hidden: number): { [path: string]: string } => ({
        "proc/meminfo": meminfoText({ SUnreclaim }, 24 * GIB, hidden),
      });
      for (const room of [memory(220 * MIB, 0), memory(20 * MIB, 200 * MIB)]) {
        expect(await judged({ ...room, ...SOME })).toEqual([false, true]);
        expect(await judged({ ...room, ...ALL })).toEqual([true, false]);
      }
      expect(await judged({ ...memory(20 * MIB, 10 * MIB), ...SOME })).toEqual([true, false]);
    },
  );

  it.each(["io-uring", "skb-frag-amplification"])("%s is not, as long as much is in no account", async (cause) => {
    const files = (hidden: number) => ({ ...SEEN, "proc/meminfo": pinnedText(0, {}, 24 * GIB, hidden) });
    const causes = async (text: { readonly [path: string]: string }): Promise<string[]> =>
      (await analyzeFiles(text)).ruledOut.map((each) => each.cause);
    expect(await causes({ ...files(600 * MIB), ...SOME })).not.toContain(cause);
    expect(await causes({ ...files(600 * MIB), ...ALL })).toContain(cause);
    expect(await causes({ ...files(10 * MIB), ...SOME })).toContain(cause);
  });
});
