/** From which size on a cause is worth an answer. */

/**
 * Receive queues: 64 MiB is 315 sockets that are each full to the kernel's default receive buffer (212,992 B). A host whose sockets are
 * read never has that many full at once.
 */
export const MATERIAL_QUEUE_BYTES: number = 64 * 2 ** 20;
/** On a small host that default is too large: 2 % of memory is material whatever holds it (the bound used for page tables by Oracle's memstate). */
export const MATERIAL_SHARE = 0.02;

/** The bytes from which unread or unsent queues are material on a host of this size; undefined where it is not known, as beside a list of sockets alone. */
export function materialQueueBytes(totalBytes: number | undefined): number {
  return totalBytes === undefined ? MATERIAL_QUEUE_BYTES : Math.min(MATERIAL_QUEUE_BYTES, MATERIAL_SHARE * totalBytes);
}

/** From this share of memory on what is in no account is major on any host (Oracle's memstate). */
const MAJOR_RESIDUAL_SHARE = 0.1;

/**
 * What the ledger's residual may be on a host where nothing is wrong: memory that drivers take at boot (NIC rings, firmware), and counters that
 * lag. Measured: 14 MiB of 24 GiB, not moving with load; larger hosts have more rings, and a router of 128 MiB has no 64 MiB to spare.
 */
export function residualNoiseBytes(totalBytes: number): number {
  return Math.min(Math.max(64 * 2 ** 20, 0.01 * totalBytes), MAJOR_RESIDUAL_SHARE * totalBytes);
}

/** What the kernel's own bookkeeping may come to before it matters: a busy host has 2 to 5 % of memory in slab, and a tenth of that is slack. */
const USUAL_SLAB_SLACK = 0.005;

/** On a host of a usual size; where its size is not known, what a cache has to have to be worth a word. */
export const LEAST_MATERIAL_SLAB_BYTES: number = 128 * 2 ** 20;

/**
 * Kernel objects that are no leftover of normal work: a kernel has 20 to 100 MiB of unreclaimable slab, spread over some two hundred caches, and more
 * on larger hosts (per-CPU lists, a task and its structures for each thread). On a small host a tenth of memory is much whatever it is (Oracle's
 * memstate calls that major).
 */
export function materialSlabBytes(totalBytes: number): number {
  return Math.min(Math.max(LEAST_MATERIAL_SLAB_BYTES, USUAL_SLAB_SLACK * totalBytes), 0.1 * totalBytes);
}

/** Memory that is simply set aside or used up by bookkeeping: from a quarter of a per cent of the host on it is worth somebody's time. */
const NOTICEABLE_SHARE = 0.0025;

/** The bytes from which memory that serves nobody is material: as for queues, but on a large host a share of it. */
export function materialHeldBytes(totalBytes: number): number {
  return Math.max(materialQueueBytes(totalBytes), NOTICEABLE_SHARE * totalBytes);
}
