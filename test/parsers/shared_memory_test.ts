import { describe, expect, it } from "vitest";
import { parseDf, parseDfInodes } from "../../src/parsers/df.ts";
import { parseLsofFiles } from "../../src/parsers/lsof_files.ts";
import { parseOpenTmpfs } from "../../src/parsers/open_tmpfs_files.ts";
import { parseMounts } from "../../src/parsers/mounts.ts";
import { parseProcessList } from "../../src/parsers/process_list.ts";
import { parseSharedMemoryDescriptors } from "../../src/parsers/shared_memory_descriptors.ts";
import { parseKeyUsers } from "../../src/parsers/key_users.ts";
import { parseSysvipcSem } from "../../src/parsers/sysvipc_sem.ts";
import { parseSysvipcShm } from "../../src/parsers/sysvipc_shm.ts";
import { parseTmpfsFiles } from "../../src/parsers/tmpfs_files.ts";

function context(): { facts: object; warn: (line: number, message: string) => void; warned: number[] } {
  const warned: number[] = [];
  return { facts: {}, warn: (line) => void warned.push(line), warned };
}

describe("parseDf()", () => {
  it("reads names with blanks, what is not known as undefined, and passes headers in any language over", () => {
    const text =
      "Dateisystem 1K-Bl\u00f6cke Benutzt\nmy share 1024 512 512 50% /mnt/my files\nproc 0 0 0 - /proc\nx - - - - /nfs\n";
    expect(parseDf(text)).toMatchObject([
      { filesystem: "my share", usedBytes: 524_288, mount: "/mnt/my files", line: 2 },
      { filesystem: "proc", usedBytes: 0, mount: "/proc" },
      { filesystem: "x", usedBytes: undefined, mount: "/nfs" },
    ]);
  });

  it("reads rounded amounts (-h), and none that is above 2^53 bytes", () => {
    expect(parseDf("Filesystem Size Used Avail Use% Mounted on\ntmpfs 12G 1,5M 12G 1% /run\nx 16E 4.0P 8E 1% /x\n"))
      .toMatchObject([
        { sizeBytes: 12 * 2 ** 30, usedBytes: 1.5 * 2 ** 20 },
        { sizeBytes: undefined, usedBytes: 4 * 2 ** 50 },
      ]);
  });

  it("counts files in the same columns", () => {
    const text =
      "Filesystem Inodes IUsed IFree IUse% Mounted on\nmy spool 1000 349 651 35% /my spool\nx - - - - /nfs\n";
    expect(parseDfInodes(text)).toEqual([
      { filesystem: "my spool", usedInodes: 349, mount: "/my spool", line: 2 },
      { filesystem: "x", usedInodes: undefined, mount: "/nfs", line: 3 },
    ]);
  });

  it("throws for what is none", () => expect(() => parseDf("df: command not found\n")).toThrow("Cannot parse df"));
});

describe("parseMounts()", () => {
  it("unescapes names and keeps the rows around a bad one", () => {
    const at = context();
    const rows = parseMounts("tmpfs /a\\040b tmpfs rw,size=1k 0 0\nshort\nproc /proc proc rw 0 0\n", at);
    expect(rows.map(({ path }) => path)).toEqual(["/a b", "/proc"]);
    expect(at.warned).toEqual([2]);
  });

  it("throws when nothing is a mount", () => expect(() => parseMounts("", context())).toThrow("Cannot parse mounts"));
});

describe("parseSysvipcSem()", () => {
  it("reads sets, and keeps the rows around a bad one", () => {
    const at = context();
    const text = "key semid perms nsems uid gid cuid cgid\n-559038737 7 600 100 0 0 1000 0\nshort\n0 8 600 1 0 0 0 0\n";
    expect(parseSysvipcSem(text, at)).toEqual([
      { id: 7, semaphores: 100, creatorUid: 1000, line: 2 },
      { id: 8, semaphores: 1, creatorUid: 0, line: 4 },
    ]);
    expect(at.warned).toEqual([3]);
  });
});

describe("parseKeyUsers()", () => {
  it("reads users, and keeps the rows around a bad one", () => {
    const at = context();
    const text = "    0:     9 8/8 3/1000000 65576/25000000\n 1000: 2\n65534: 2 700/9 9/200 99/20000\n";
    expect(parseKeyUsers(text, at)).toEqual([{ uid: 0, keys: 8, line: 1 }, { uid: 65_534, keys: 700, line: 3 }]);
    expect(at.warned).toEqual([2]);
    expect(() => parseKeyUsers("\n", at)).toThrow("Cannot parse key-users");
  });
});

describe("parseSysvipcShm()", () => {
  it("reads a segment with a negative key, and kernels that do not tell rss", () => {
    const text =
      "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n-559038737 7 600 4096 1 2 0 0 0 0 0 1 2 3\n";
    expect(parseSysvipcShm(text, context())).toMatchObject([{
      key: -559_038_737,
      id: 7,
      attached: 0,
      rssBytes: undefined,
    }]);
  });

  it("reads ipcs, of all that it lists the segments", () => {
    const text = `------ Message Queues --------
key        msqid      owner      perms      used-bytes   messages
0x00000001 0          root       644        5            1

------ Shared Memory Segments --------
key        shmid      owner      perms      bytes      nattch     status
0xDEADBEEF 7          app usr 600        4096       0          dest
0xdeadbeef 8          app_usr    666        70604918   0
0x0003d09a 14385158   app_usr    666        67732      1          dest locked

------ Semaphore Arrays --------
key        semid      owner      perms      nsems
0x000000a7 0          root       600        1
`;
    expect(parseSysvipcShm(text, context())).toMatchObject([
      { key: -559_038_737, id: 8, sizeBytes: 70_604_918, attached: 0, rssBytes: undefined, locked: false, line: 8 },
      { key: 250_010, id: 14_385_158, sizeBytes: 67_732, attached: 1, locked: true },
    ]);
  });

  it("takes what 6.18 tells 512 times of huge pages for what the segment has", () => {
    const text = "key shmid size nattch rss\n0 7 209715200 0 107374182400\n0 8 5000 0 8192\n";
    expect(parseSysvipcShm(text, context()).map(({ rssBytes }) => rssBytes)).toEqual([200 * 2 ** 20, 8192]);
  });

  it("warns of a row that was cut off", () => {
    const at = context();
    expect(parseSysvipcShm("key shmid size nattch rss\n0 7 81", at)).toEqual([]);
    expect(at.warned).toEqual([2]);
  });
});

describe("parseTmpfsFiles()", () => {
  it("lists a file once that is seen through two mounts, and warns of junk", () => {
    const at = context();
    const rows = parseTmpfsFiles("8 512 27 5 1 /a/x y\n8 512 27 5 1 /b/x y\nnothing\n", at);
    expect(rows).toMatchObject([{ path: "/a/x y", bytes: 4096, line: 1 }]);
    expect(at.warned).toEqual([3]);
  });

  it("reads the folder of a ramfs with all that is in it", () => {
    expect(parseTmpfsFiles("819200 512 41 82 1795947785 /mnt/ram fs\n", context())).toMatchObject([
      { path: "/mnt/ram fs", bytes: 400 * 2 ** 20 },
    ]);
  });

  it("is empty where no file is large", () => expect(parseTmpfsFiles("", context())).toEqual([]));
});

describe("parseSharedMemoryDescriptors()", () => {
  it("leaves out descriptors that were closed meanwhile, and names with blanks are whole", () => {
    const text = "lrwx------ 1 0 0 64 Nov 23 08:00 /proc/9/fd/3 -> /memfd:a b (deleted)\n" +
      "lrwx------ 1 0 0 64 Nov 23 08:00 /proc/9/fd/4 -> /memfd:gone (deleted)\n8 512 1 98 /proc/9/fd/3\n";
    expect(parseSharedMemoryDescriptors(text, context())).toMatchObject([{
      name: "/memfd:a b (deleted)",
      bytes: 4096,
      mapped: false,
      weight: 1,
    }]);
  });

  it("is empty where there is little shared memory", () => {
    expect(parseSharedMemoryDescriptors("# Shmem:  8 kB\n", context())).toEqual([]);
  });

  it("warns of numbers that are none", () => {
    const at = context();
    expect(parseSharedMemoryDescriptors("99999999999999999999 512 1 98 /proc/9/fd/3\n", at)).toEqual([]);
    expect(at.warned).toEqual([1]);
  });
});

describe("parseOpenTmpfs()", () => {
  it("reads what is open and what was unmounted, and no hostile number", () => {
    const { files, unmounted } = parseOpenTmpfs(
      "# Shmem: 1 kB\n# open 8 512 93 14 /proc/9/fd/3\n# open 9999999999999999 999999999 93 14 /proc/9/fd/4\n" +
        "# unmounted 2 4096 94 /proc/8/fd/5\n# unmounted x 4096 94 /proc/8/fd/5\n",
    );
    expect(files).toEqual([{ pid: 9, bytes: 4096, device: "93", identity: "93 14", line: 2 }]);
    expect(unmounted).toEqual([{ pid: 8, fd: 5, bytes: 8192, device: "94", line: 4 }]);
  });
});

describe("parseLsofFiles()", () => {
  it("tells deleted from mapped, and a thread's line has two columns more", () => {
    const text = "shmem 10822 0 DEL REG 0,1 96 /memfd:x\nshmem 10822 0 3u REG 0,1 4096 96 /memfd:x (deleted)\n" +
      "java 5 6 worker 0 4u REG 0,27 8192 97 /dev/shm/y (deleted)\npg 7 0 mem REG 0,27 100 98 /dev/shm/z\n";
    const { unlinked, mapped } = parseLsofFiles(text);
    expect(unlinked).toMatchObject([{ comm: "shmem", mapped: true }, { comm: "java", bytes: 8192, mapped: false }]);
    expect(mapped).toMatchObject([{ name: "/dev/shm/z", bytes: 100 }]);
  });

  it("knows lsof +L1 by the number of links that it tells before the inode", () => {
    // https://github.com/bus1/dbus-broker/issues/385
    const text = "COMMAND    PID USER   FD   TYPE DEVICE SIZE/OFF NLINK NODE NAME\n" +
      "dbus-brok  757 dbus   12u   REG    0,1  2097152     0 2048 /memfd:dbus-broker-log (deleted)\n" +
      "dbus-brok  758 dbus   12u   REG    0,1  2097152     0 2049 /memfd:dbus-broker-log (deleted)\n";
    expect(parseLsofFiles(text).unlinked.map(({ name, identity }) => [name, identity])).toEqual([
      ["/memfd:dbus-broker-log (deleted)", "0,1 2048"],
      ["/memfd:dbus-broker-log (deleted)", "0,1 2049"],
    ]);
  });

  it("tells what is open by a name, of each process once", () => {
    const text = "pg 7 0 3u REG 0,27 100 98 /dev/shm/z\npg 7 0 4u REG 0,27 100 98 /dev/shm/z\n" +
      "pg 8 0 mem REG 0,27 100 98 /dev/shm/z\npg 8 0 3u REG 0,27 0 99 /dev/shm/empty\npg 8 0 cwd DIR 0,27 0 1 /dev/shm\n";
    expect(parseLsofFiles(text).open).toMatchObject([{ pid: 7, comm: "pg", bytes: 100, identity: "0,27 98" }]);
  });

  it("throws when no line is an open file", () =>
    expect(() => parseLsofFiles("lsof: nothing\n")).toThrow("Cannot parse lsof"));
});

describe("parseProcessList()", () => {
  it("ends a name at its last parenthesis, and warns of what is no process", () => {
    const at = context();
    expect(parseProcessList("5 (a) S 1 (b) Z 4 3\njunk\n", at)).toMatchObject([{
      pid: 5,
      comm: "a) S 1 (b",
      state: "Z",
      ppid: 4,
      threads: 3,
    }]);
    expect(at.warned).toEqual([2]);
  });

  it("tells when it was started and what CPU time it had, where the list has that and the clock's rate is known", () => {
    const line = "5 (a) S 4 3 1250 100 25\n";
    const ticking = { facts: { userHz: 100 }, warn: () => {} };
    expect(parseProcessList(line, ticking)[0]).toMatchObject({ startSeconds: 12.5, cpuSeconds: 1.25 });
    for (const [text, at] of [[line, context()], ["5 (a) S 4 3\n", ticking]] as const) {
      expect(parseProcessList(text, at)[0]).toMatchObject({
        threads: 3,
        startSeconds: undefined,
        cpuSeconds: undefined,
      });
    }
  });

  it("throws when there is none", () =>
    expect(() => parseProcessList("", context())).toThrow("Cannot parse process_list"));
});
