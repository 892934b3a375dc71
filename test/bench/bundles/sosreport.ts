/** A sosreport of so many MB, nearly all of it files that say nothing about memory: logs, package lists, configuration. */
import type { Content, Made } from "./_archive.ts";
import { readSample, scatter } from "./_sample.ts";

const MB = 2 ** 20;
const BLOCK_BYTES = 256 * 1024;
/** So many different blocks that no compressor sees that they come again. */
const BLOCKS = 128;

const MESSAGES: readonly ((n: number) => string)[] = [
  (n) => `systemd[1]: Started Session ${n} of user app${n % 50}.`,
  (n) =>
    `sshd[${n}]: Accepted publickey for app${n % 50} from 10.${n % 256}.4.${n % 199} port ${
      1024 + n % 60000
    } ssh2: RSA SHA256:${n}${n * 7}`,
  (n) =>
    `kernel: IN=eth0 OUT= MAC=02:42:ac:11:00:02 SRC=10.1.${n % 256}.7 DST=10.0.0.4 LEN=${
      n % 1500
    } TOS=0x00 TTL=64 ID=${n} PROTO=UDP SPT=${n % 65535} DPT=53`,
  (n) =>
    `audit[${n}]: SYSCALL arch=c000003e syscall=${n % 400} success=yes exit=0 a0=${
      n.toString(16)
    } pid=${n} auid=4294967295 uid=0 comm="sh" exe="/usr/bin/bash" key=(null)`,
  (n) =>
    `httpd[${n % 900}]: 10.2.${n % 256}.${n % 99} - - "GET /api/v1/items/${n}?page=${n % 77} HTTP/1.1" 200 ${
      n % 90000
    } "-" "curl/8.${n % 9}.0" ${n % 5000}us`,
  (n) =>
    `package-${n % 3000}-${n % 9}.${n % 20}.${n % 5}-${n % 30}.el9.x86_64  ${n} files verified, digest ${
      (n * 2654435761) % 4294967296
    }`,
];

/** Lines of logs, as alike and as different as real ones. */
function block(seed: number): string {
  const lines: string[] = [];
  for (let line = 0, bytes = 0; bytes < BLOCK_BYTES; bytes += (lines[line++] as string).length) {
    const n = scatter(seed * 10_007 + line, 1_000_000);
    const time = `Nov ${String(1 + n % 28).padStart(2)} ${
      [line % 24, n % 60, line % 60].map((each) => String(each).padStart(2, "0")).join(":")
    }`;
    lines.push(`${time} host${seed % 3} ${(MESSAGES[n % MESSAGES.length] as (n: number) => string)(n)}\n`);
  }
  return lines.join("");
}

/** The large files of a report, and each one's share of what there is to fill. */
const LARGE: readonly (readonly [path: string, share: number])[] = [
  ["sos_commands/logs/journalctl_--no-pager", 0.2],
  ["sos_commands/logs/journalctl_--no-pager_--boot", 0.1],
  ["sos_commands/rpm/package-data", 0.05],
  ["sos_commands/selinux/ausearch_-m_avc_user_avc_-ts_today", 0.05],
  ["var/log/audit/audit.log", 0.1],
  ["var/log/audit/audit.log.1", 0.1],
  ["var/log/httpd/access_log", 0.15],
  ["var/log/secure", 0.05],
];
/** The rest is in small files, as /etc and /sys have them by the ten thousand. */
const SMALL_BYTES = 16 * 1024;

/** The entries of a sosreport of `megabytes`, made around samples/friend-push.sos.tar.gz. */
export async function* sosreport(megabytes: number): AsyncGenerator<Made> {
  const sample = await readSample("friend-push.sos.tar.gz");
  const blocks = Array.from({ length: BLOCKS }, (_, seed) => block(seed));
  const fill = (seed: number, bytes: number): Content =>
    function* () {
      for (let at = 0; at < bytes; at += BLOCK_BYTES) {
        yield (blocks[scatter(seed + at / BLOCK_BYTES, BLOCKS)] as string).slice(0, bytes - at);
      }
    };
  const total = megabytes * MB;
  const small = Math.floor((total * (1 - LARGE.reduce((sum, [, share]) => sum + share, 0))) / SMALL_BYTES);
  for (let i = 0; i < small; i++) {
    const text = blocks[i % BLOCKS] as string;
    const at = scatter(i, BLOCK_BYTES - SMALL_BYTES);
    yield { path: `etc/app${i % 100}/conf.d/${i}.conf`, content: text.slice(at, at + SMALL_BYTES) };
  }
  yield* sample.values();
  for (const [index, [path, share]] of LARGE.entries()) {
    yield { path, content: fill(index * 1_000_003, Math.floor(total * share)) };
  }
}
