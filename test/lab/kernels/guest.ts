/**
 * Boots a real Debian kernel under QEMU (no KVM needed), holds a fault in it and takes out what the shell collector captured. What is fetched
 * for it stays in a folder, NAILHOUSE_KERNELS or ~/.cache/nailhouse-kernels; nothing is installed.
 */
import { execFile, spawn } from "node:child_process";
import { access, copyFile, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { withLabLock } from "../lab.ts";
import type { GuestFault } from "./expect.ts";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const collector = fileURLToPath(new URL("../../../dist/collect.sh", import.meta.url));
const cache = process.env["NAILHOUSE_KERNELS"] ?? join(homedir(), ".cache/nailhouse-kernels");
const tools = join(cache, "root");

/** Five kernels are 250 MB. */
const FETCH_MS = 600_000;
/** The slowest fault took 50 s on two busy cores. */
const GUEST_SECONDS = 150;
const MEMORY_MB = 768;
/** What the hypervisor leaves it when it inflates the balloon. */
const BALLOON_MB = 448;
const DRIVE_BYTES = { bundle: 64 * 2 ** 20, swap: 2 ** 30 };

/** By the guest's name of it, the program of test/lab that it is. */
const PROGRAMS = {
  leaker: "../anon_leak",
  database: "../anon_leak",
  friend_push: "../friend_push",
  memcg_oom: "../memcg_oom",
  perf_rings: "../perf_rings",
  shmem: "../shmem",
  tcp_backlog: "../tcp_backlog",
  trace_buffers: "../trace_buffers",
  swap_hog: "swap_hog",
};
/** Some kernels have some of them built in. */
const DRIVERS = [
  "virtio_pci",
  "virtio_blk",
  "virtio_balloon",
  "udp_diag",
  "tcp_diag",
  "raw_diag",
  "unix_diag",
  "netlink_diag",
  "af_packet_diag",
  "ext4",
  "crc32c_generic",
];

/** Those of the kernels that are here, with QEMU. */
export async function fetchedKernels(versions: readonly string[]): Promise<readonly string[]> {
  const there = (name: string): Promise<boolean> => access(join(cache, name, "done")).then(() => true, () => false);
  if (!await there("root")) return [];
  const fetched = await Promise.all(versions.map((version) => there(join("kernels", version))));
  return versions.filter((_version, i) => fetched[i]);
}

/** Gets what is missing, and returns those of the kernels that could be had. Why others could not is on stderr. */
export async function fetchKernels(versions: readonly string[]): Promise<readonly string[]> {
  const child = spawn("sh", [join(here, "fetch.sh"), ...versions], {
    stdio: ["ignore", "ignore", "inherit"],
    timeout: FETCH_MS,
    env: { ...process.env, NAILHOUSE_KERNELS: cache },
  });
  await once(child, "close");
  return await fetchedKernels(versions);
}

/** The first file of a kernel's package with that name or the start of it. */
async function kernelFile(kernel: string, name: string): Promise<string> {
  const { stdout } = await run("find", [join(cache, "kernels", kernel), "-name", name]);
  const [path] = stdout.split("\n");
  if (path === undefined || path === "") throw new Error(`kernel ${kernel} has no ${name}`);
  return path;
}

/** The modules' paths, each after those it needs. */
async function modules(kernel: string): Promise<readonly string[]> {
  const list = await kernelFile(kernel, "modules.dep");
  const needs = new Map<string, readonly string[]>();
  for (const line of (await readFile(list, "utf8")).split("\n")) {
    const [path, needed] = line.split(":");
    if (path !== undefined && needed !== undefined) needs.set(path, needed.split(" ").filter((word) => word !== ""));
  }
  const ordered = new Set<string>();
  const add = (path: string): void => {
    if (ordered.has(path)) return;
    needs.get(path)?.forEach(add);
    ordered.add(path);
  };
  for (const driver of DRIVERS) {
    [...needs.keys()].filter((path) => path.includes(`/${driver}.ko`)).forEach(add);
  }
  return [...ordered].map((path) => join(dirname(list), path));
}

/** What a kernel boots with any fault. */
export interface BootImage {
  readonly kernel: string;
  readonly initramfs: string;
}

/** Packs busybox, ss, the fault programs, init, the collector and the kernel's modules into `work`, an empty folder. */
export async function bootImage(kernel: string, work: string): Promise<BootImage> {
  const root = join(work, "root");
  for (const name of ["bin", "modules", "proc", "sys", "dev", "lib64"]) {
    await mkdir(join(root, name), { recursive: true });
  }
  await copyFile(join(tools, "bin/busybox"), join(root, "bin/busybox"));
  await run("ln", ["-s", "busybox", join(root, "bin/sh")]);
  await run("install", ["-m", "755", join(here, "guest.sh"), join(root, "init")]);
  await copyFile(collector, join(root, "collect.sh"));
  for (const [name, source] of Object.entries(PROGRAMS)) {
    await run("gcc", ["-O2", "-static", "-pthread", "-s", "-o", join(root, "bin", name), join(here, `${source}.c`)]);
  }
  // This machine's ss, with its libraries where they are here.
  const ss = (await run("sh", ["-c", "command -v ss"])).stdout.trim();
  await copyFile(ss, join(root, "bin/ss"));
  for (const [, library] of (await run("ldd", [ss])).stdout.matchAll(/(\/\S+) \(0x/g)) {
    await run("cp", ["-L", "--parents", library as string, root]);
  }
  for (const [i, path] of (await modules(kernel)).entries()) {
    const target = join(root, "modules", `${String(i).padStart(2, "0")}.ko`);
    if (path.endsWith(".xz")) await run("sh", ["-c", 'xz -dc "$0" > "$1"', path, target]);
    else await copyFile(path, target);
  }
  const image = join(work, "initramfs");
  const pack = 'cd "$0" && find . | "$1" -o -H newc --quiet | gzip -1 > "$2"';
  await run("sh", ["-c", pack, root, join(tools, "bin/cpio"), image]);
  return { kernel: await kernelFile(kernel, "vmlinuz*"), initramfs: image };
}

async function qemuArguments(
  { kernel, initramfs }: BootImage,
  { name, panics }: GuestFault,
  work: string,
): Promise<string[]> {
  const drives: string[] = [];
  for (const [name, bytes] of Object.entries(DRIVE_BYTES)) {
    const path = join(work, name);
    await writeFile(path, "");
    await truncate(path, bytes);
    drives.push("-drive", `file=${path},format=raw,if=none,id=${name},cache=unsafe`);
    drives.push("-device", `virtio-blk-pci,drive=${name}`);
  }
  return [
    ...["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"].flatMap((path) => ["-L", join(tools, path)]),
    ...["-accel", "tcg", "-m", String(MEMORY_MB), "-smp", "1"],
    ...["-nodefaults", "-display", "none", ...(panics ? [] : ["-no-reboot"]), "-serial", "stdio", ...drives],
    ...[
      "-device",
      "virtio-balloon-pci",
      "-chardev",
      `socket,id=monitor,path=${join(work, "monitor")},server=on,wait=off`,
    ],
    ...["-mon", "monitor", "-kernel", kernel, "-initrd", initramfs],
    ...["-append", `console=ttyS0 ignore_loglevel panic=1 rdinit=/init fault=${name}`],
  ];
}

/** What the guest printed until it ended. When it asks for it, its balloon is inflated. */
async function consoleOf(args: readonly string[], monitor: string): Promise<string> {
  const libraries = ["lib", "usr/lib"].map((path) => join(tools, path, "x86_64-linux-gnu")).join(":");
  const qemu = join(tools, "usr/bin/qemu-system-x86_64");
  const guest = spawn("timeout", ["-k", "5", String(GUEST_SECONDS), qemu, ...args], {
    env: { ...process.env, LD_LIBRARY_PATH: libraries },
  });
  let text = "";
  let errors = "";
  let inflated = false;
  guest.stderr.on("data", (chunk) => errors += chunk);
  guest.stdout.on("data", (chunk) => {
    text += chunk;
    if (inflated || !text.includes("NAILHOUSE inflate")) return;
    inflated = true;
    const socket = connect(monitor, () => socket.write(`balloon ${BALLOON_MB}\n`));
    socket.on("error", (error) => errors += error.message);
    socket.resume();
    guest.once("close", () => socket.destroy());
  });
  const [code] = await once(guest, "close");
  if (code === 0) return text.replaceAll("\r", "");
  const why = code === 124 ? `did not end within ${GUEST_SECONDS} s` : `ended with ${code}`;
  throw new Error(`the guest ${why}: ${errors}\n${text.slice(-2000)}`);
}

/** What came out of a guest. */
export interface Guest {
  /** What the serial console showed. */
  readonly console: string;
  /** The bundle's path, in `work`. */
  readonly bundle: string;
  /** What the fault program said that it held; undefined when it said nothing. */
  readonly heldBytes: number | undefined;
}

/** Boots it with the fault, in `work`, an empty folder. Takes 768 MB of this machine. */
export async function runGuest(image: BootImage, fault: GuestFault, work: string): Promise<Guest> {
  const args = await qemuArguments(image, fault, work);
  const text = await withLabLock(() => consoleOf(args, join(work, "monitor")));
  const captured = /^NAILHOUSE captured (\d+)$/m.exec(text)?.[1];
  if (captured === undefined) throw new Error(`nothing was captured:\n${text.slice(-4000)}`);
  const held = /^NAILHOUSE held (\d+)/m.exec(text)?.[1];
  const bundle = join(work, "bundle.tgz");
  await writeFile(bundle, (await readFile(join(work, "bundle"))).subarray(0, Number(captured)));
  return {
    console: text,
    bundle,
    heldBytes: held === undefined ? undefined : Number(held),
  };
}
