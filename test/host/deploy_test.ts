/** samples/deploy: what is declared there is checked, and carried out as systemd and Kubernetes would. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { shellWord } from "../../src/core/shell.ts";
import { fileChunks, nodeGunzip } from "../../src/host/node_input.ts";
import { readTar } from "../../src/bundle/tar.ts";
import { ringFiles } from "../../src/host/node_ring.ts";
import { contentOf, ended, has, run, start, writeScript } from "./_collectors.ts";

const linux = process.platform === "linux";
const root = process.getuid?.() === 0;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const sample = (name: string) => fileURLToPath(new URL(`../../samples/deploy/${name}`, import.meta.url));

const UNIT = sample("nailhouse-record.service");
/** The values of a setting of the unit. */
const setting = (name: string) =>
  [...readFileSync(UNIT, "utf8").matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value as string);

interface Volume {
  readonly name: string;
  readonly hostPath?: { readonly path: string };
  readonly configMap?: { readonly name: string };
}

interface Container {
  readonly command: string[];
  readonly args: string[];
  readonly securityContext: { readonly readOnlyRootFilesystem?: boolean };
  readonly volumeMounts: { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

/** As far as it is used here; samples/deploy was held against the whole schema of Kubernetes 1.34 by hand. */
interface DaemonSet {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly hostPID?: boolean; readonly containers: [Container]; readonly volumes: Volume[] };
    };
  };
}

const pod = (parse(readFileSync(sample("daemonset.yaml"), "utf8")) as DaemonSet).spec.template.spec;
const [container] = pod.containers;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nailhouse-deploy-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inNewFolder = () => mkdtempSync(join(folder, "run-"));

/** Texts of the files in a ring, by the path in their sample; undefined until the first sample is whole. */
async function recorded(ring: string): Promise<Map<string, string> | undefined> {
  const [file] = existsSync(ring) ? await ringFiles(ring) : [];
  if (file === undefined || spawnSync("gzip", ["-t", file]).status !== 0) return undefined;
  const texts = new Map<string, string>();
  for await (const entry of readTar(nodeGunzip(fileChunks(file), () => {}), () => {})) {
    const { bytes } = await entry.read(2 ** 20);
    texts.set(entry.path.replace(/^nailhouse-ring\/history\/[^/]+\//, ""), new TextDecoder().decode(bytes));
  }
  return texts.has("proc/loadavg") ? texts : undefined;
}

/** Starts a recorder, waits for its first sample, and ends it as its supervisor would. */
async function recordOnce(command: [string, ...string[]], ring: string): Promise<Map<string, string>> {
  const child = start(folder, command);
  let said = "";
  child.stderr?.on("data", (text) => said += text);
  const exit = ended(child);
  let texts: Map<string, string> | undefined;
  for (const end = Date.now() + 30_000; texts === undefined; await sleep(100)) {
    texts = await recorded(ring);
    if (Date.now() > end || child.exitCode !== null) throw new Error(`Nothing was recorded: ${said}`);
  }
  process.kill(-(child.pid as number), "SIGTERM");
  await exit;
  expect(said.replace(/^Terminated\n/, "")).toBe("");
  return texts;
}

/** Mounts and namespaces that a container runtime would make of the pod, around a root directory of busybox alone. */
function inContainer(argv: readonly string[], { host, script, ring }: Record<"host" | "script" | "ring", string>) {
  const top = join(mkdtempSync(join(folder, "container-")), "root");
  const sources: Record<string, string> = { "/": host, "/var/lib/nailhouse": ring };
  const mounts = container.volumeMounts.map(({ name, mountPath, readOnly }) => {
    const volume = pod.volumes.find((each) => each.name === name) as Volume;
    const source = volume.hostPath === undefined ? script : sources[volume.hostPath.path] as string;
    const target = shellWord(top + mountPath);
    return `mkdir -p ${target} && mount --rbind ${shellWord(source)} ${target}
      ${readOnly === true ? `mount -o remount,bind,ro ${target}` : ""}`;
  });
  const program = `set -e
    mount --make-rprivate /
    mkdir ${top}
    mount -t tmpfs none ${top}
    mkdir ${top}/bin ${top}/proc ${top}/dev ${top}/tmp
    cp "$(command -v busybox)" ${top}/bin/busybox
    # Of Debian's packages one is linked statically, and one is not.
    ldd "$(command -v busybox)" 2> /dev/null | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "${top}$(dirname "$library")" && cp "$library" "${top}$library"
    done
    chroot ${top} /bin/busybox --install -s /bin
    mount --rbind /dev ${top}/dev
    ${mounts.join("\n")}
    mount -t proc proc ${top}/proc
    ${container.securityContext.readOnlyRootFilesystem === true ? `mount -o remount,ro ${top}` : ""}
    hostname nailhouse-pod
    exec chroot ${top} /bin/env -i PATH=/bin "$@"`;
  const namespaces = ["--mount", "--net", "--uts", "--ipc", "--cgroup", ...(pod.hostPID === true ? [] : ["--pid"])];
  return ["unshare", ...namespaces, "--fork", "sh", "-c", program, "sh", ...argv] as [string, ...string[]];
}

describe("samples/deploy/nailhouse-record.service", () => {
  it.skipIf(!has("systemd-analyze"))("is what systemd takes without a word (needs systemd-analyze)", () => {
    const { status, stdout, stderr } = run(folder, ["systemd-analyze", "verify", "--man=no", UNIT]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  });
});

describe.skipIf(!linux || !root || !has("ip") || !has("busybox"))("samples/deploy (root, ip and busybox only)", () => {
  const namespace = `nailhouse-deploy-${process.pid}`;
  let server: ReturnType<typeof start>;
  beforeAll(async () => {
    execFileSync("ip", ["netns", "add", namespace]);
    const socket = "require('dgram').createSocket('udp4').bind(4712, () => console.error('bound'))";
    server = start(folder, ["ip", "netns", "exec", namespace, "node", "-e", socket]);
    await new Promise((resolve) => server.stderr?.once("data", resolve));
  });
  afterAll(() => {
    process.kill(-(server.pid as number), "SIGKILL");
    execFileSync("ip", ["netns", "delete", namespace]);
  });

  /** What a recorder sees that may look at the whole host. */
  function expectTheHost(texts: ReadonlyMap<string, string>) {
    expect(texts.get("proc/meminfo")).toMatch(/^MemTotal:/);
    expect(texts.get("proc/slabinfo")).toContain("kmalloc-64");
    expect([...texts.keys()]).toContainEqual(expect.stringMatching(/^proc\/\d+\/status$/));
    const udp = [...texts].filter(([path]) => path.endsWith(`namespaces/${namespace}/proc/net/udp`));
    expect(udp.map(([, text]) => text).join()).toContain(":1268 ");
    expect(texts.get("proc/net/udp")).not.toContain(":1268 ");
  }

  it("as a service with no more capabilities than the unit leaves it, records the whole host", async () => {
    const here = inNewFolder();
    const ring = join(here, "ring");
    const line = setting("ExecStart").map((each) =>
      each.replace("/usr/local/lib/nailhouse/collect.sh", writeScript(here)).replace("/var/lib/nailhouse/ring", ring)
    ).join();
    expect(line.split(" ")).toEqual(["/bin/sh", join(here, "collect.sh"), "--record", ring, "--quiet"]);
    const kept = setting("CapabilityBoundingSet").join().split(" ").map((name) =>
      name.replace("CAP_", "+").toLowerCase()
    );
    expect(setting("NoNewPrivileges")).toEqual(["yes"]);
    const limited = ["setpriv", `--bounding-set=-all,${kept}`, `--inh-caps=-all`, "--no-new-privs"] as const;
    expectTheHost(await recordOnce([...limited, ...line.split(" ")], ring));
  });

  it("as a container of the DaemonSet records the host, not itself, and collects a bundle of it", async () => {
    const here = inNewFolder();
    const volumes = { host: "/", script: join(here, "config"), ring: join(here, "lib") };
    mkdirSync(volumes.script);
    mkdirSync(volumes.ring);
    writeScript(volumes.script);
    const texts = await recordOnce(
      inContainer([...container.command, ...container.args], volumes),
      join(volumes.ring, "ring"),
    );
    expectTheHost(texts);

    // The command in the comment.
    const collecting = ["sh", "/nailhouse/collect.sh", "--root", "/host"];
    expect(readFileSync(sample("daemonset.yaml"), "utf8")).toContain(`-- ${collecting.join(" ")} > bundle.tgz`);
    const bundle = join(here, "b.tgz");
    const argv = inContainer([...collecting, "--quiet", "--snapshots", "1"], volumes);
    const { status, stderr } = run(here, ["sh", "-c", 'exec "$@" > "$0"', bundle, ...argv]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { text } = contentOf(bundle);
    expect(text(`sos_commands/networking/namespaces/${namespace}/proc/net/udp`)).toContain(":1268 ");
    expect(text(`proc/${process.pid}/comm`)).toBe(readFileSync("/proc/self/comm", "utf8"));
  });
});
