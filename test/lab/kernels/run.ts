/**
 * Real faults on several real kernels, each in a guest of its own under QEMU (no KVM needed): what cannot be held on a shared machine.
 *
 *     npm run kernels                       all of expect.ts
 *     npm run kernels -- 5.10 7.2 idle      these kernels, this fault
 *
 * Writes samples/kernel-VERSION-FAULT.tgz, and what the serial console showed of a shortage as samples/oom-VERSION-FAULT.txt. Everything
 * that is fetched or built stays in ${TMPDIR:-/tmp}/nailhouse-kernels.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { guests } from "./expect.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const samples = fileURLToPath(new URL("../../../samples/", import.meta.url));
const folder = `${tmpdir()}/nailhouse-kernels`;
/** The lab's: a guest takes 768 MB of this machine, which nobody should be measuring meanwhile. */
const LOCK = "/tmp/nailhouse-lab.lock";
const LOCK_WAIT_SECONDS = 1200;
const BOOT_SECONDS = 120;
const MEGABYTES = 768;
/** What the hypervisor leaves it when it inflates the balloon. */
const BALLOON_MEGABYTES = 448;
const BUNDLE_BYTES = 64 * 2 ** 20;
const SWAP_BYTES = 2 ** 30;

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "inherit"] });

const tools = `${folder}/root`;
const libraries = ["lib", "usr/lib"].map((path) => `${tools}/${path}/x86_64-linux-gnu`).join(":");
/** By the guest's name of it, the program of test/lab that it is. */
const programs = {
  leaker: "../anon_leak",
  database: "../anon_leak",
  friend_push: "../friend_push",
  swap_hog: "swap_hog",
};
/** What a driver or ss needs; some kernels have some of them built in. */
const drivers = [
  "virtio_pci",
  "virtio_blk",
  "virtio_balloon",
  "udp_diag",
  "tcp_diag",
  "raw_diag",
  "unix_diag",
  "netlink_diag",
  "af_packet_diag",
];

/** The file of a kernel's own files that ends so. */
function kernelFile(kernel: string, pattern: string): string {
  const found = run("find", `${folder}/kernels/${kernel}/`, "-path", pattern).trim().split("\n")[0];
  if (found === undefined || found === "") throw new Error(`kernel ${kernel} has no ${pattern}`);
  return found;
}

/** Packs busybox, ss, the fault programs, init and the kernel's modules. */
function initramfs(kernel: string): string {
  const root = `${folder}/initramfs`;
  const image = `${folder}/initramfs-${kernel}`;
  rmSync(root, { recursive: true, force: true });
  for (const name of ["bin", "modules", "proc", "sys", "dev", "out", "lib64"]) {
    mkdirSync(`${root}/${name}`, { recursive: true });
  }
  run("cp", `${tools}/bin/busybox`, `${root}/bin/`);
  run("ln", "-s", "busybox", `${root}/bin/sh`);
  run("install", "-m", "755", `${here}guest.sh`, `${root}/init`);
  for (const [name, source] of Object.entries(programs)) {
    run("gcc", "-O2", "-Wall", "-static", "-pthread", "-s", "-o", `${root}/bin/${name}`, `${here}${source}.c`);
  }
  // ss with the libraries of this machine.
  const ss = run("sh", "-c", "command -v ss").trim();
  run("cp", "-L", ss, `${root}/bin/ss`);
  for (const [, library] of run("ldd", ss).matchAll(/(\/\S+) \(0x/g)) {
    run("cp", "-L", library as string, `${root}/lib64/`);
  }

  const modules = kernelFile(kernel, "*/modules/*/modules.dep");
  const base = `${folder}/kernels/${kernel}`;
  const release = modules.split("/").at(-2) as string;
  let number = 100;
  for (const driver of drivers) {
    // A driver that is built in is not found.
    const find = 'modprobe -q -d "$0" -S "$1" --show-depends "$2" || true';
    for (const [, file] of run("sh", "-c", find, base, release, driver).matchAll(/^insmod (\S+)/gm)) {
      // In the order of their names. The same one twice does no harm.
      const target = `${root}/modules/${number++}.ko`;
      if ((file as string).endsWith(".xz")) run("sh", "-c", 'xz -dc "$0" > "$1"', file as string, target);
      else run("cp", file as string, target);
    }
  }
  run("sh", "-c", 'cd "$0" && find . | "$1" -o -H newc --quiet | gzip -1 > "$2"', root, `${tools}/bin/cpio`, image);
  return image;
}

/** Boots the kernel with the fault and returns what its console showed. */
async function boot(kernel: string, fault: string): Promise<string> {
  const monitor = `${folder}/monitor`;
  for (const [drive, bytes] of [["bundle", BUNDLE_BYTES], ["swap", SWAP_BYTES]] as const) {
    writeFileSync(`${folder}/${drive}`, "");
    truncateSync(`${folder}/${drive}`, bytes);
  }
  rmSync(monitor, { force: true });
  const drive = (name: string): string[] => [
    ...["-drive", `file=${folder}/${name},format=raw,if=none,id=${name},cache=unsafe`],
    ...["-device", `virtio-blk-pci,drive=${name}`],
  ];
  const guest = spawn("flock", [
    ...["-w", String(LOCK_WAIT_SECONDS), LOCK, "timeout", "-k", "5", String(BOOT_SECONDS)],
    ...[`${tools}/usr/bin/qemu-system-x86_64`, "-L", `${tools}/usr/share/qemu`, "-L", `${tools}/usr/share/seabios`],
    ...[
      "-L",
      `${tools}/usr/lib/ipxe/qemu`,
      "-accel",
      "tcg",
      "-m",
      String(MEGABYTES),
      "-smp",
      "1",
      "-nodefaults",
      "-display",
      "none",
    ],
    ...["-no-reboot", "-chardev", `socket,id=monitor,path=${monitor},server=on,wait=off`, "-mon", "monitor"],
    ...["-serial", "stdio", "-device", "virtio-balloon-pci", ...drive("bundle"), ...drive("swap")],
    ...["-kernel", kernelFile(kernel, "*/vmlinuz*"), "-initrd", initramfs(kernel)],
    ...["-append", `console=ttyS0 ignore_loglevel panic=1 rdinit=/init fault=${fault}`],
  ], { env: { ...process.env, LD_LIBRARY_PATH: libraries } });
  return await consoleOf(guest, monitor);
}

/** What it printed until it ended. When it asks for it, its balloon is inflated. */
function consoleOf(guest: ChildProcessWithoutNullStreams, monitor: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    let inflated = false;
    guest.stderr.on("data", (chunk) => process.stderr.write(chunk));
    guest.stdout.on("data", (chunk) => {
      text += chunk;
      if (inflated || !text.includes("NAILHOUSE inflate")) return;
      inflated = true;
      const socket = connect(monitor, () => socket.write(`balloon ${BALLOON_MEGABYTES}\n`));
      socket.on("error", reject);
      socket.resume();
      guest.once("close", () => socket.destroy());
    });
    guest.once("error", reject);
    guest.once("close", (code) => {
      if (code === 0) resolve(text.replaceAll("\r", ""));
      else reject(new Error(`the guest ended with ${code}:\n${text.slice(-2000)}`));
    });
  });
}

/** Takes the guest's tar file off the drive and packs it. */
function pack(sample: string): void {
  const root = `${folder}/bundle-root`;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  run("tar", "xf", `${folder}/bundle`, "-C", root);
  const guest = "nailhouse-guest";
  run(
    "sh",
    "-c",
    `cd "$0" && tar cf - --owner=0 --group=0 --sort=name --mode=u+rw \
    ${guest}/nailhouse.json ${guest}/proc ${guest}/sos_commands ${guest}/sys ${guest}/history ${guest}/nailhouse-status.json | gzip -9n > "$1"`,
    root,
    sample,
  );
}

/** The kernel's lines from the first shortage on. */
function shortage(console: string): string {
  const lines = console.split("\n").filter((line) => /^\[ *\d+\.\d+\]/.test(line));
  const first = lines.findIndex((line) => line.includes("invoked oom-killer") || line.includes("Kernel panic"));
  return first === -1 ? "" : lines.slice(first).join("\n") + "\n";
}

const wanted = process.argv.slice(2);
const isWanted = (key: "kernel" | "fault", value: string): boolean => {
  const named = wanted.filter((word) => guests.some((guest) => guest[key] === word));
  return named.length === 0 || named.includes(value);
};

run(`${here}fetch.sh`, folder);
for (
  const { kernel, fault } of guests.filter(({ kernel, fault }) =>
    isWanted("kernel", kernel) && isWanted("fault", fault)
  )
) {
  const start = Date.now();
  const console_ = await boot(kernel, fault);
  writeFileSync(`${folder}/console-${kernel}-${fault}.txt`, console_);
  if (!console_.includes("NAILHOUSE captured")) throw new Error(`nothing was captured:\n${console_.slice(-2000)}`);
  pack(`${samples}kernel-${kernel}-${fault}.tgz`);
  const text = shortage(console_);
  if (text !== "") writeFileSync(`${samples}oom-${kernel}-${fault}.txt`, text);
  console.log(`kernel-${kernel}-${fault}: ${Math.round((Date.now() - start) / 1000)} s`);
}
