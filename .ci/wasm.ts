/** Compiles socket_rows.ts, which is AssemblyScript, to WebAssembly in a module of TypeScript: `npm run gen`. */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const SOURCE = fileURLToPath(new URL("socket_rows.ts", import.meta.url));
const TARGET = fileURLToPath(new URL("../src/bundle/_socket_rows_wasm.ts", import.meta.url));

/** The WebAssembly as it is to be now, in base64. */
export async function socketRowsNow(): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    // 1.6 MiB: a table's longest row and a piece of it, what its rows say, and what is remembered of others.
    [
      "socket_rows.ts",
      "-O3",
      "--noAssert",
      "--runtime",
      "stub",
      "--enable",
      "simd",
      "--initialMemory",
      "26",
      "-o",
      "wasm",
    ],
    {
      readFile: (name) => name === "socket_rows.ts" ? readFileSync(SOURCE, "utf8") : null,
      writeFile: (_name, contents) => {
        binary = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined) throw new Error(`Cannot compile ${SOURCE}: ${error}\n${stderr}`);
  return Buffer.from(binary).toString("base64");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = (await socketRowsNow()).match(/.{1,112}/g) as string[];
  const text = `// Generated from .ci/socket_rows.ts by npm run gen: do not edit.

/** WebAssembly, in base64. */
export const socketRowsWasm: string = [
${lines.map((line) => `  "${line}",\n`).join("")}].join("");
`;
  writeFileSync(TARGET, text);
}
