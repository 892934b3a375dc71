/** Pages that load and send nothing. */
import { type Markup, markup } from "./_html.ts";
import { REPORT_SCRIPT, REPORT_SCRIPT_HASH } from "./_html_script.ts";
import { REPORT_STYLE } from "./_html_style.ts";

function pageOf(title: string, scriptPolicy: string, body: string): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline';${scriptPolicy} base-uri 'none'; form-action 'none'`;
  const head = markup`<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
${head.text}
<style>${REPORT_STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** A page in which nothing runs. */
export function stillPage(title: string, body: Markup): string {
  return pageOf(title, "", body.text);
}

/** A page of reports, with the script that they have. */
export function reportPage(title: string, body: Markup): string {
  const script = `<script>${REPORT_SCRIPT}</script>`;
  return pageOf(title, ` script-src '${REPORT_SCRIPT_HASH}';`, `${body.text}\n${script}`);
}
