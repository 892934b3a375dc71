/** What a host in trouble loads: the shipped collectors without the analyzers, which are most of this program. */
export { collectors } from "../collectors/mod.ts";
