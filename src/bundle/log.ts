import type { Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";

/** A line of the kernel's log as dmesg, journalctl, syslog or a serial console show it. */
const KERNEL_LINE =
  /^(?:<\d+>|[a-z]{2,8} *:[a-z]{3,6} *: )?\[ *\d+\.\d+\]|^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\]|^\d{4}-\d\d-\d\dT[\d:]{8},\d{6}\S{6} |\bkernel: |invoked oom-killer|Out of memory: |oom-kill:|Memory cgroup out of memory|^Mem-Info:/m;

const utf8 = new TextDecoder();

/** Whether a file that is no archive is a kernel log in plain text; `head` is its beginning. */
export function isKernelLog(head: Uint8Array): boolean {
  return !head.includes(0) && KERNEL_LINE.test(utf8.decode(head));
}

/** A bundle that has nothing but a kernel log. */
export async function* kernelLogEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const read = async (maxBytes: number): Promise<{ bytes: Uint8Array; truncated: boolean }> => {
    const parts: Uint8Array[] = [];
    let room = maxBytes;
    for await (const chunk of chunks) {
      parts.push(chunk.subarray(0, room));
      if (chunk.length > room) return { bytes: concatBytes(parts), truncated: true };
      room -= chunk.length;
    }
    return { bytes: concatBytes(parts), truncated: false };
  };
  yield { path: "sos_commands/kernel/dmesg", kind: "file", read };
}
