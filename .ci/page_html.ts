/** Puts the offline page together: one file, with its scripts inside and named by their hashes in the policy. */
import { createHash } from "node:crypto";
import { REPORT_SCRIPT, REPORT_SCRIPT_HASH } from "../src/render/_html_script.ts";
import { REPORT_STYLE } from "../src/render/_html_style.ts";

const STYLE = `
body.dropping { outline: 4px dashed var(--link); outline-offset: -8px; }
.intake { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1.25rem 0; }
.intake h1 { margin-bottom: 0.35rem; }
.intake > p { color: var(--faint); max-width: 46rem; }
.drop { display: block; margin-top: 1rem; padding: 1.5rem; border: 2px dashed var(--faint); border-radius: 8px; background: var(--card); text-align: center; cursor: pointer; }
.drop:focus-within { outline: 3px solid var(--link); outline-offset: 2px; }
.drop strong { color: var(--link); }
.drop small { display: block; color: var(--faint); margin-top: 0.25rem; }
.intake textarea { display: block; width: 100%; min-height: 9rem; margin: 0.5rem 0; padding: 0.6rem; font: 0.85rem ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; color: var(--ink); background: var(--card); border: 1px solid var(--faint); border-radius: 5px; }
.intake button { font: inherit; font-size: 0.9rem; padding: 0.3rem 0.8rem; border: 1px solid var(--faint); border-radius: 5px; background: var(--card); color: var(--ink); cursor: pointer; }
.intake button:hover { border-color: var(--link); }
#bundles { list-style: none; padding: 0; margin-top: 1rem; display: grid; gap: 0.4rem; }
#bundles li { display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: center; overflow-wrap: anywhere; }
#bundles small { color: var(--faint); } #bundles .failed small { color: var(--held); }
#bundles button[aria-current] { border-color: var(--link); box-shadow: inset 4px 0 0 var(--link); }
progress { accent-color: var(--link); width: 12rem; }
.tools { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 1rem; }
.tools[hidden] { display: none; }
@media (max-width: 40rem) { .intake { padding: 0.75rem 0.75rem 0; } }
@media print { .intake { display: none; } }
`;

const BODY = `<header class="intake">
<h1>nailhouse</h1>
<p>Who holds the memory of a Linux host: open a bundle, a sosreport or an OOM log. All of it is analyzed in this page; nothing is sent anywhere.</p>
<label class="drop"><strong>Choose bundles</strong> or drop them anywhere<small>.tgz, .tar.gz, .tar.xz, .tar.zst, .tar.bz2, .tar, .zip; or a kernel log or the output of commands as text</small><input id="files" class="unseen" type="file" multiple></label>
<details><summary>Or paste a kernel log, or what free, slabtop, ss and the like printed</summary>
<form id="paste"><label class="unseen" for="log">Kernel log or output of commands</label><textarea id="log" required placeholder="[ 1234.5] friend invoked oom-killer: gfp_mask=..." spellcheck="false"></textarea><button>Analyze the text</button></form></details>
<ul id="bundles" aria-label="Bundles"></ul>
<p id="status" class="unseen" role="status"></p>
<div id="tools" class="tools" hidden><button type="button" id="save-json">Save as JSON</button><button type="button" id="save-html">Save as HTML</button><button type="button" id="print">Print</button></div>
</header>
<main id="view"></main>`;

function hashOf(script: string): string {
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}

/** Inside a page a script ends where this stands, wherever it stands. */
function checked(script: string): string {
  if (/<\/script|<!--/i.test(script)) throw new RangeError("A script of the page contains what ends or hides it");
  return script;
}

/**
 * The whole page.
 *
 * @param page The page's own script, built.
 * @param worker Its worker's, built. It runs from a blob, and may compile WebAssembly (.xz).
 */
export function pageHtml(page: string, worker: string): string {
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    `script-src '${hashOf(page)}' '${REPORT_SCRIPT_HASH}' 'wasm-unsafe-eval'`,
    "worker-src blob:",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>nailhouse</title>
<style>${REPORT_STYLE}${STYLE}</style>
</head>
<body>
${BODY}
<script type="text/plain" id="worker">${checked(worker)}</script>
<script>${REPORT_SCRIPT}</script>
<script>${checked(page)}</script>
</body>
</html>
`;
}
