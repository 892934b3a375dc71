/** What tells the lines of programs that kill before the kernel must from the kernel's own. */

/** Every line that is about a kill has one of these. */
export const OOM_DAEMON_MARKS: RegExp =
  /oomd|earlyoom\[|mem avail: |Out of memory! avail: |Killing process(?:: | \d{1,10} [^( ])|VmRSS |\bnohang|lowmemorykiller|\blmkd|viction manager: |low on resource: memory|SIGKILL to cgroup |(?:Killed|Marked) \/.* due to /;

/** A line that tells by itself to be the kernel's. */
const KERNEL_LINE =
  /\bkernel: |^(?:<\d{1,3}>)?\[ {0,12}\d{1,10}\.\d{1,9}\] (?!\S{1,64}\[\d{1,10}\]: )|^\[[A-Z][a-z]{2} [A-Z][a-z]{2} /m;

/** Whether a log has lines of such programs and none of the kernel's: what the kernel did it does not tell. */
export function isDaemonsAlone(text: string): boolean {
  return OOM_DAEMON_MARKS.test(text) && !KERNEL_LINE.test(text);
}
