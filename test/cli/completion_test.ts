/** The Tab key, in the real shells. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nailhouse-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

function nailhouse(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(root, "dist/cli.js"), ...args], { encoding: "utf8" });
}

function has(shell: string): boolean {
  return spawnSync(shell, ["-c", "exit"]).status === 0;
}

/** The script, as a file that the shell can load. */
function script(shell: string): string {
  const path = join(folder, shell === "zsh" ? "_nailhouse" : shell);
  writeFileSync(path, nailhouse("completion", shell).stdout);
  return path;
}

/** What is typed, and what is offered. Each must come from a command's own declarations. */
const typed: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["nailhouse comp", ["compare", "completion"]],
  ["nailhouse analyze --fo", ["--format"]],
  ["nailhouse analyze -f ", ["html", "json", "markdown", "ndjson", "text"]],
  ["nailhouse analyze --fail-on l", ["likely"]],
  ["nailhouse explain socket-backlog-u", ["socket-backlog-udp", "socket-backlog-unix"]],
  ["nailhouse collect --only sl", ["slab"]],
  ["nailhouse completion ", ["bash", "fish", "zsh"]],
  ["nailhouse analyze samples/user-leak.s", ["samples/user-leak.sos.tar.gz"]],
];

describe.skipIf(!has("bash"))("nailhouse completion bash (needs bash)", () => {
  it.each(typed)("%s", (line, offered) => {
    const words = line.split(" ").map((word) => `'${word}'`).join(" ");
    const program = `. ${script("bash")}; COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      $(complete -p nailhouse | grep -o -- '-F [^ ]*' | cut -c4-); printf '%s\\n' "\${COMPREPLY[@]}"`;
    const stdout = execFileSync("bash", ["-c", program], { cwd: root, encoding: "utf8" });
    expect(stdout.trim().split("\n").sort()).toEqual(offered);
  });
});

describe.skipIf(!has("fish"))("nailhouse completion fish (needs fish)", () => {
  it.each(typed)("%s", (line, offered) => {
    const program = `source ${script("fish")}; complete -C '${line}'`;
    const stdout = execFileSync("fish", ["--no-config", "-c", program], { cwd: root, encoding: "utf8" });
    expect(stdout.trim().split("\n").map((each) => each.split("\t")[0]).sort()).toEqual(offered);
  });
});

/** A terminal with zsh in it, in which somebody presses Tab. */
const TERMINAL = `
zmodload zsh/zpty
zpty terminal "TERM=dumb zsh -f -i"
zpty -w terminal "fpath=($1 \\$fpath); autoload -Uz compinit; compinit -u -D; nailhouse() { print -r -- READY:\\$* }; nailhouse"
zpty -r terminal line '*READY:[[:cntrl:]]*'
zpty -w -n terminal "$2"$'\\t\\n'
zpty -r terminal line '*READY:*[[:cntrl:]]'
print -r -- "\${line##*READY:}"
zpty -d terminal
`;

describe.skipIf(!has("zsh"))("nailhouse completion zsh (needs zsh)", () => {
  it.each(typed.filter(([, offered]) => offered.length === 1))("%s", (line, offered) => {
    script("zsh");
    const { stdout } = spawnSync("zsh", ["-f", "-c", TERMINAL, "zsh", folder, line], {
      cwd: root,
      encoding: "utf8",
      timeout: 20_000,
    });
    const before = line.slice("nailhouse ".length, line.lastIndexOf(" ") + 1);
    expect(stdout.trim()).toBe(`${before}${offered[0]}`);
  });
});

describe("what was mistyped", () => {
  it.each([
    [["analze"], 'no command "analze"; perhaps analyze'],
    [["analyze", "--fromat", "json"], "no option --fromat; perhaps --format"],
    [["explain", "shmem-laek"], 'no cause "shmem-laek"; perhaps shmem-leak'],
    [["new", "--x"], "no option --x; this command has none"],
    [["xyzzy"], "the commands are collect, record"],
    [["completion", "tcsh"], 'bash, zsh, fish, not "tcsh"'],
  ])("nailhouse %j", (args, hint) => {
    const { status, stderr } = nailhouse(...args);
    expect(stderr).toContain(hint);
    expect(status).toBe(2);
  });
});
