/** Values of `uname -m` on which the kernel prints the words of an address in network order. */
const BIG_ENDIAN = /^(s390x?|ppc|ppc64|sparc|sparc64|mips|mips64|parisc|parisc64|m68k|aarch64_be|armv\w+b)$/;

/** Whether a machine type, as `uname -m` prints it, is one of big-endian CPUs; false where it is not known. */
export function isBigEndian(machine: string | undefined): boolean {
  return BIG_ENDIAN.test(machine ?? "");
}
