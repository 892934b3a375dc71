/** Balloon drivers that are loaded and keep no count: what the hypervisor took is then just in no account. */
import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { meminfo } from "../parsers/meminfo.ts";
import { type KernelModule, modules } from "../parsers/modules.ts";

/**
 * Before Balloon of meminfo (6.16) Hyper-V's driver counts nothing (drivers/hv/hv_balloon.c), and VMware's, before 5.4, only in a debug file
 * (drivers/misc/vmw_balloon.c). With what shows it on the host.
 */
const UNCOUNTED: ReadonlyMap<string, string> = new Map([
  ["hv_balloon", "cat /sys/kernel/debug/hv-balloon"],
  ["vmw_balloon", "vmware-toolbox-cmd stat balloon; cat /sys/kernel/debug/vmmemctl"],
]);

/** A driver, and the line that tells that it is loaded. */
export interface BalloonDriver extends SourceLine, KernelModule {
  readonly line: number;
  readonly find: string;
}

export const uncountedBalloons: Source<readonly BalloonDriver[]> = defineComputed({
  name: "balloon drivers that keep no count",
  needs: { meminfo, modules },
  uses: {},
  compute: ({ meminfo: file, modules: { path, value } }) =>
    file.value.bytes.has("Balloon") ? [] : value.flatMap((each) => {
      const find = UNCOUNTED.get(each.name);
      return find === undefined ? [] : [{ path, ...each, find }];
    }),
});
