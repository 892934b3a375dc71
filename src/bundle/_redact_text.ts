/** What is found and replaced in any text, wherever it stands. */
import { formatAddress, parseIpv4, parseIpv6 } from "./_addresses.ts";
import type { Pseudonyms } from "./_pseudonyms.ts";

/** A kind of text to look for: an expression without groups that capture, and what is written instead of a match. */
interface Token {
  readonly pattern: string;
  readonly replace: (found: string, names: Pseudonyms) => string;
}

// Top-level domains that no setting, unit or file name of Linux ends with. Others are found where a host name must stand.
const DOMAINS = "com|net|org|edu|gov|mil|io|dev|app|cloud|internal|local|lan|corp|home|intranet|localdomain|arpa|" +
  "de|uk|fr|nl|cn|jp|ru|eu|us|ca|au|ch|at|be|es|se|fi|dk|in|br|kr|tw|hk|sg";
const UNITS = /\.(?:service|slice|socket|scope|mount|automount|timer|device|target|path|swap)\b/;
const SECRET_KEYS = "password|passwd|passphrase|passwort|pwd|secret|token|credentials?|" +
  "authorization|(?:api|access|private|secret|encryption|fastopen)[_-]?key";
const USER_KEYS = "user|username|user_name|acct|login|logname|owner";
const COMMAND_KEYS = "proctitle|cmdline|COMMAND";
const WORD = `[^\\s"'<>|;,:()=&]`;
const PATH_END = `[^\\s"'<>|;,:()]`;
const HEX = "[0-9A-Fa-f]";
const QUAD = "\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}";
const SEPARATOR = "(?:[-_]|\\\\x2d)";

function afterMark(found: string, mark: RegExp, replace: (rest: string) => string): string {
  const start = (mark.exec(found)?.[0] ?? "").length;
  return found.slice(0, start) + replace(found.slice(start));
}

/** What stays keeps its spelling, too: the first column of `0::/init.scope` is no address. */
function address(found: string, bytes: readonly number[], names: Pseudonyms): string {
  const pseudonym = formatAddress(names.address(bytes));
  return pseudonym === formatAddress(bytes) ? found : pseudonym;
}

function quad(found: string, names: Pseudonyms): string {
  const bytes = parseIpv4(found);
  return bytes === undefined ? found : address(found, bytes, names);
}

const MAC = new RegExp(`^(?:${HEX}{2}[:-]){5,19}${HEX}{2}$`);

/** A run of hexadecimal groups and colons: an IPv6 address, one with a port or a colon behind it, a MAC address, a time. */
function colons(found: string, names: Pseudonyms): string {
  const bytes = parseIpv6(found);
  if (bytes !== undefined) return address(found, bytes, names);
  if (MAC.test(found)) return names.mac(found);
  const last = found.lastIndexOf(":");
  const shorter = found.slice(0, last);
  if (last > 0 && (parseIpv6(shorter) !== undefined || MAC.test(shorter))) {
    return colons(shorter, names) + found.slice(last).replace(new RegExp(QUAD), (each) => quad(each, names));
  }
  return found.replace(new RegExp(QUAD), (each) => quad(each, names));
}

function mail(found: string, names: Pseudonyms): string {
  const domain = found.slice(found.indexOf("@") + 1);
  // A template's instance (getty@tty1.service), a node of a device tree (cpu@0).
  return UNITS.test(found) || /^[0-9a-f]+$/.test(domain) ? found : names.mail(found);
}

/** The folders and the file below a home: what stands there is its user's own. */
function homePath(path: string, names: Pseudonyms): string {
  const [, start = "", rest = ""] = /^(.*?\/(?:home|Users)\/|\/root\/)(.*)$/s.exec(path) ?? [];
  const deleted = / \(deleted\)$/.exec(rest)?.[0] ?? "";
  const parts = rest.slice(0, rest.length - deleted.length).split("/");
  return start + parts.map((part, i) => {
    if (part === "") return "";
    return i === 0 && start !== "/root/" ? names.user(part) : names.pathSegment(part);
  }).join("/") + deleted;
}

/** What opens doors. */
const CREDENTIALS: readonly Token[] = [
  {
    pattern: `(?<=://)[^\\s/@:'"]+(?::[^\\s/@'"]*)?(?=@)`,
    replace: (found, names) => {
      const colon = found.indexOf(":");
      if (colon === -1) return names.user(found);
      return `${names.user(found.slice(0, colon))}:${names.secret(found.slice(colon + 1))}`;
    },
  },
  {
    pattern: `(?:${SECRET_KEYS})[\\w-]{0,40}["']?[ \\t]*[=:][ \\t]*` +
      `(?:"[^"\\n]+|'[^'\\n]+|(?:(?:Bearer|Basic|Digest) )?[^\\s"',;&)]+)`,
    replace: (found, names) =>
      afterMark(
        found,
        /^[\w-]*["']?[ \t]*[=:][ \t]*["']?(?:(?:Bearer|Basic|Digest) )?/i,
        (rest) => names.secret(rest),
      ),
  },
  {
    pattern: "(?<!\\w)(?:AKIA[0-9A-Z]{16}|gh[pousr]_\\w{20,}|glpat-[\\w-]{16,}|xox[abprs]-[\\w-]{10,}|" +
      "eyJ[\\w-]{8,}\\.[\\w-]+(?:\\.[\\w-]+)?|Bearer [\\w.~+/=-]{8,})",
    replace: (found, names) => names.secret(found),
  },
];

/** What a word before it tells. */
const NAMED: readonly Token[] = [
  {
    pattern: `(?<![a-z])(?:${COMMAND_KEYS})=[^\\n]+`,
    replace: (found, names) => afterMark(found, /^\w+=/, (rest) => names.argument(rest)),
  },
  {
    pattern: `(?<![a-z])(?:${USER_KEYS})=["']?${WORD}+`,
    replace: (found, names) => afterMark(found, /^\w+=["']?/, (rest) => names.user(rest)),
  },
  {
    pattern: `(?<![a-z])(?:hostname|domain|server)=["']?(?![\\d.]+(?:$|[^\\w.-]))[\\w.-]+`,
    replace: (found, names) => afterMark(found, /^\w+=["']?/, (rest) => rest === "?" ? rest : names.host(rest)),
  },
  {
    pattern: `(?<=\\bserver )(?![\\d.]+\\b)[\\w.-]+(?= (?:not responding|OK|error))`,
    replace: (found, names) => names.host(found),
  },
  {
    pattern: `(?:serial[ _]?(?:number|no)?|S/N|wwn|wwid)[ \\t]?[=:][ \\t]*[\\w.-]{4,}(?!/)`,
    replace: (found, names) => afterMark(found, /^.*?[=:][ \t]*/, (rest) => names.serial(rest)),
  },
];

const HARDWARE: readonly Token[] = [
  {
    pattern:
      `(?:(?<!${HEX})|(?<=pod))${HEX}{8}${SEPARATOR}${HEX}{4}${SEPARATOR}${HEX}{4}${SEPARATOR}${HEX}{4}${SEPARATOR}${HEX}{12}(?!${HEX})`,
    replace: (found, names) => names.uuid(found),
  },
  { pattern: `(?<![0-9a-z])${HEX}{32}(?![0-9a-z])`, replace: (found, names) => names.uuid(found) },
  {
    pattern: `(?<!\\w)enx${HEX}{12}(?!\\w)`,
    replace: (found, names) => `enx${names.mac(found.slice(3).replace(/..(?!$)/g, "$&:")).replaceAll(":", "")}`,
  },
];

const ADDRESSES: readonly Token[] = [
  {
    pattern: `(?<![^\\s<>()"',;=|\\[\\]/:])[^\\s@<>()"',;:=|\\[\\]/]{1,64}@[^\\s@<>()"',;:=|\\[\\]/]+`,
    replace: mail,
  },
  {
    pattern: `(?<![0-9A-Za-z_])(?:${HEX}{0,4}:){2,19}(?:${QUAD}|${HEX}{0,4})(?![0-9A-Za-z_])`,
    replace: colons,
  },
  { pattern: `(?<!${HEX})(?:${HEX}{2}-){5}${HEX}{2}(?!${HEX})`, replace: (found, names) => names.mac(found) },
  // Not the release of a kernel: 5.10.0-136.12.0.86.oe2203.
  { pattern: `(?<![0-9])(?<![0-9]\\.)(?<!\\d-(?=${QUAD}\\.[a-z]))${QUAD}(?![0-9])`, replace: quad },
  {
    pattern:
      `(?<![\\w.-])(?:(?:[a-z0-9-]{1,63}\\.){2,}(?:${DOMAINS})|[a-z0-9-]{1,63}\\.(?:com|net|org|edu|gov))(?![\\w-])`,
    replace: (found, names) => names.host(found),
  },
];

/** In the order in which they are tried at a place. */
function tokens(pathEnd: string): readonly Token[] {
  return [
    ...CREDENTIALS,
    ...NAMED,
    ...HARDWARE,
    {
      pattern: `(?:/(?:home|Users)/|(?<![\\w.-])/root/)${pathEnd}+`,
      replace: (found, names) => homePath(found, names),
    },
    ...ADDRESSES,
  ];
}

/** Replaces in pieces of text. Bound to one bundle. */
export interface TextRedactor {
  readonly names: Pseudonyms;
  /** Of any text; a path in a home ends at a blank or a mark. */
  text(text: string): string;
  /** Of lines at whose end a path may stand, with blanks in it. */
  endingInPath(text: string): string;
}

function compiled(list: readonly Token[], names: Pseudonyms): (text: string) => string {
  const regex = new RegExp(list.map(({ pattern }) => `(${pattern})`).join("|"), "gim");
  return (text) =>
    text.replace(regex, (found: string, ...groups: unknown[]) => {
      const index = groups.findIndex((group) => group !== undefined);
      return (list[index] as Token).replace(found, names);
    });
}

/** A host that is named like a program or an English word is replaced only where a host name must stand. */
function ownName(hostname: string | undefined): readonly Token[] {
  const short = hostname?.split(".", 1)[0] ?? "";
  if (short === "" || short.toLowerCase() === "localhost") return [];
  const name = short.replace(/[^\w-]/g, "\\$&");
  const distinct = short.length >= 4 && /[\d-]/.test(short);
  const pattern = distinct ? `(?<![0-9a-z])${name}(?![0-9a-z])` : `(?<=@)${name}(?![\\w.-])`;
  return [{ pattern, replace: (found, names) => names.host(found) }];
}

export function textRedactor(names: Pseudonyms, hostname: string | undefined): TextRedactor {
  const own = ownName(hostname);
  // What the host's name is a part of comes before the name itself.
  return {
    names,
    text: compiled([...tokens(PATH_END), ...own], names),
    endingInPath: compiled([...tokens("[^\\n]"), ...own], names),
  };
}
