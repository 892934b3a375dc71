/** Writes analyzers/README.md and collectors/README.md from what the plug-ins say of themselves. */
import { writeFileSync } from "node:fs";
import { analyzers } from "../analyzers/mod.ts";
import { collectors } from "../collectors/mod.ts";
import { causesPage, collectorsPage } from "../src/render/catalogue.ts";

writeFileSync("analyzers/README.md", causesPage(analyzers));
writeFileSync("collectors/README.md", collectorsPage(collectors));
