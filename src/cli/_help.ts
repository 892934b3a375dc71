import { version } from "../core/version.ts";

const help = `nailhouse ${version}: finds the memory that will not move out

  nailhouse collect       capture a bundle of this host, before it is rebooted
  nailhouse record        sample this host every minute, so that a later bundle tells its last days
  nailhouse analyze PATH  who held the memory, how much, since when, and what to do
  nailhouse compare A B   whether a fix worked: what changed from one bundle to the other
  nailhouse redact IN OUT the same bundle without names, addresses and arguments, to be passed on
  nailhouse explain       the causes it knows
  nailhouse completion    what the Tab key completes, for bash, zsh and fish
  nailhouse new           an analyzer or a collector of your own, to start from

nailhouse COMMAND --help tells more; nailhouse --version tells the version.

  nailhouse collect -o bundle.tgz && nailhouse analyze bundle.tgz
  ssh host 'sh -s' < collect.sh > bundle.tgz      # without a runtime there: nailhouse collect --emit-script > collect.sh
  nailhouse analyze / --fail-on likely            # this host, now
`;

/** What is said to a first word that is no command. The built program says it before anything is loaded: see .ci/cli_start.js. */
export const answers: ReadonlyMap<string, string> = new Map([
  ["--version", `${version}\n`],
  ["--help", help],
  ["-h", help],
  ["help", help],
]);
