// The least that any reader of a bundle in this runtime does: decompress it, and look at every line. `node _decompress.js BUNDLE.tgz`
import { createReadStream } from "node:fs";
import process from "node:process";
import { createGunzip } from "node:zlib";

const chunkSize = 2 ** 20;
const plain = createReadStream(process.argv[2], { highWaterMark: chunkSize }).pipe(createGunzip({ chunkSize }));
let lines = 0;
for await (const chunk of plain) {
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
}
console.log(lines);
