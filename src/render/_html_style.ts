/** How a report looks: light, dark, narrow and on paper. Each pair of text and ground has a contrast of 4.5 at least, each mark one of 3. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f8; --card: #ffffff; --ink: #1a1e23; --faint: #57606a; --rule: #d5dade; --soft: #eef0f3;
  --link: #0b57b4; --held: #b3261e; --held-2: #7d120c; --on-held: #ffffff; --good: #1a6b3c; --warn: #8a5200;
  --processes: #3a6ea8; --shared: #1f7f76; --huge-pages: #8a6a2c; --kernel: #7656a3; --unaccounted: #4d545c;
  --cache: #76876d; --free: #e3e7eb; --on-group: #ffffff; --on-free: #1a1e23;
}
@media (prefers-color-scheme: dark) { :root {
  --ground: #111417; --card: #1a1e23; --ink: #e8ebee; --faint: #a5afb9; --rule: #363d45; --soft: #242a30;
  --link: #8ab8f5; --held: #ff9384; --held-2: #c4463a; --on-held: #1a0a08; --good: #7fd4a0; --warn: #f0b860;
  --processes: #7fb0ea; --shared: #5cc7ba; --huge-pages: #d3ad68; --kernel: #b99ce2; --unaccounted: #b4bcc5;
  --cache: #93a58a; --free: #2b3239; --on-group: #12161a; --on-free: #e8ebee;
} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
.report { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1, h2, h3, h4, h5, p, ul, ol, dl, figure, pre { margin: 0; }
h1 { font-size: clamp(1.35rem, 1rem + 2vw, 2.1rem); line-height: 1.2; letter-spacing: -0.015em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 0.75rem; }
h3 { font-size: 1.1rem; line-height: 1.35; overflow-wrap: anywhere; }
h4 { font-size: 0.95rem; margin: 1.25rem 0 0.4rem; }
h5 { font-size: 0.9rem; font-weight: 600; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.86em; }
pre code, small code { font-size: 1em; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.brand { color: var(--faint); font-size: 0.85rem; margin-bottom: 0.6rem; }
.masthead { background: var(--card); border: 1px solid var(--rule); border-left: 6px solid var(--good); border-radius: 8px; padding: 1.25rem 1.5rem; }
.masthead.found { border-left-color: var(--held); }
.masthead.unclear { border-left-color: var(--warn); }
.masthead .answer { margin: 0.9rem 0 0; }
.masthead .commands { margin-top: 0.6rem; }
.facts-list { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 0.75rem 1.25rem; margin-top: 1.1rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
.facts-list dt { color: var(--faint); font-size: 0.8rem; }
.facts-list dd { margin: 0; overflow-wrap: anywhere; }
.facts-list .double { grid-column: span 2; } .facts-list .wide { grid-column: 1 / -1; }
.badge { display: inline-block; font-size: 0.78rem; font-weight: 600; line-height: 1.4; padding: 0.05rem 0.5rem; border: 1px solid currentColor; border-radius: 999px; white-space: nowrap; vertical-align: 0.12em; letter-spacing: 0; }
.badge.confirmed { color: var(--held); } .badge.likely { color: var(--warn); } .badge.possible { color: var(--faint); }
.contents { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; font-size: 0.9rem; }
.bar { display: flex; gap: 2px; height: 3rem; border-radius: 5px; overflow: hidden; }
.segment { min-width: 1px; display: flex; align-items: center; padding: 0; overflow: hidden; color: var(--on-group); }
.segment b { font-weight: 600; font-size: 0.85rem; line-height: 1.2; padding: 0 0.6rem; white-space: nowrap; }
.segment i { font-style: normal; font-weight: 400; display: block; }
.processes { background: var(--processes); } .shared { background: var(--shared); } .huge-pages { background: var(--huge-pages); }
.kernel { background: var(--kernel); } .cache { background: var(--cache); }
.unaccounted { background: repeating-linear-gradient(90deg, var(--unaccounted) 0 3px, var(--card) 3px 5px); }
.free { background: var(--free); color: var(--on-free); box-shadow: inset 0 0 0 1px var(--faint); }
.held { background: repeating-linear-gradient(45deg, var(--held) 0 7px, var(--held-2) 7px 10px); color: var(--on-held); }
.segment.held b, .segment.unaccounted b { background: var(--held); padding: 0.15rem 0.5rem; margin-left: 0.35rem; border-radius: 4px; }
.segment.unaccounted b { background: var(--unaccounted); }
.magnifier { display: block; width: 100%; height: 1.6rem; } .magnifier polygon { fill: var(--rule); }
.caption { font-size: 0.85rem; color: var(--faint); margin: 0 0 0.35rem; }
.legend { list-style: none; padding: 0; margin-top: 0.75rem; display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; font-size: 0.88rem; }
.swatch { display: inline-block; width: 0.85em; height: 0.85em; border-radius: 2px; margin-right: 0.45em; vertical-align: -0.06em; }
details { margin-top: 0.75rem; }
summary { cursor: pointer; color: var(--link); width: fit-content; }
summary h3, summary h4 { display: inline; color: var(--ink); margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: 0.5rem; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0; border-bottom: 1px solid var(--rule); font-weight: 400; }
thead th { font-weight: 600; font-size: 0.82rem; color: var(--faint); white-space: nowrap; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.compared td { white-space: normal; } .compared caption { text-align: left; }
.accounts tbody th { padding-left: 1.3em; text-indent: -1.3em; }
.accounts small { display: block; text-indent: 0; color: var(--faint); font-size: 0.78rem; overflow-wrap: anywhere; }
.accounts .share { width: 30%; min-width: 5rem; }
.accounts .share span { display: inline-block; height: 0.8em; vertical-align: middle; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; pointer-events: none; }
.scripted th button { pointer-events: auto; min-height: 24px; min-width: 24px; cursor: pointer; text-decoration: underline dotted; text-underline-offset: 3px; }
th[aria-sort="descending"] button::after { content: " ▾"; } th[aria-sort="ascending"] button::after { content: " ▴"; }
.captures { margin-top: 0.5rem; font-size: 0.9rem; overflow-wrap: anywhere; }
.captures div { display: grid; grid-template-columns: 2fr 3fr; gap: 0 1rem; padding: 0.35rem 0; border-bottom: 1px solid var(--rule); }
.captures dd { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem; margin-top: 0.75rem; }
figure { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 0.75rem 0.75rem 0.5rem; break-inside: avoid; }
figcaption { font-size: 0.88rem; line-height: 1.35; margin-bottom: 0.4rem; } figcaption span { display: block; color: var(--faint); font-size: 0.82rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--rule); stroke-width: 1; } svg .mark { stroke: var(--faint); stroke-width: 1; }
svg .line { fill: none; stroke: var(--processes); stroke-width: 2; stroke-linejoin: round; } svg .dot { fill: var(--processes); }
svg .wedge { fill: var(--held); fill-opacity: 0.18; } svg .forecast { fill: none; stroke: var(--held); stroke-width: 1.5; stroke-dasharray: 5 3; }
.finding { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1.1rem 1.25rem; margin-top: 1rem; }
.finding.lesser { padding: 0.6rem 1.25rem; } .finding.lesser > details { margin: 0; } .finding.lesser h3 { font-size: 0.98rem; font-weight: 500; }
.finding .cause { display: block; color: var(--faint); font-weight: 500; font-size: 0.92rem; }
summary .cause { display: inline-block !important; }
.host { border-left: 4px solid var(--good); padding: 0.7rem 1rem; margin-top: 0.6rem; } .host.found { border-left-color: var(--held); } .host.unclear { border-left-color: var(--warn); }
.host > summary { width: auto; padding-left: 1.1rem; text-indent: -1.1rem; } .host h3 { font-size: 1rem; }
.host > summary .cause { display: inline !important; } .host > summary .headline { display: block; text-indent: 0; }
.host > article { margin: 1.25rem 0 0.75rem; } .causes th[scope="row"] { white-space: nowrap; }
.facts { list-style: none; padding: 0; margin-top: 0.4rem; }
.remedies { list-style: none; padding: 0; display: grid; gap: 0.9rem; margin: 0.2rem 0 0.9rem; }
.remedies > li { border-left: 3px solid var(--rule); padding-left: 0.8rem; }
.remedies .check, .caption { color: var(--faint); font-size: 0.9rem; }
.commands { display: flex; gap: 0.5rem; align-items: start; margin: 0.35rem 0; }
.commands pre { flex: 1; min-width: 0; }
pre { background: var(--soft); border-radius: 5px; padding: 0.5rem 0.75rem; overflow-x: auto; }
.commands button { display: none; font: inherit; font-size: 0.85rem; padding: 0.3rem 0.7rem; border: 1px solid var(--rule); border-radius: 5px; background: var(--card); color: var(--ink); cursor: pointer; }
.scripted .commands button { display: block; }
.evidence { padding-left: 1.4rem; display: grid; gap: 0.75rem; margin-top: 0.5rem; }
.evidence > li, .remedies > li, .others > li, .charts > figure { min-width: 0; } .evidence pre { margin-top: 0.25rem; } .where { color: var(--faint); }
.others { padding-left: 1.2rem; display: grid; gap: 0.3rem; margin-top: 0.5rem; overflow-wrap: anywhere; }
.events { list-style: none; padding: 0 0 0 1rem; margin-left: 0.4rem; border-left: 2px solid var(--faint); display: grid; gap: 0.5rem; overflow-wrap: anywhere; }
.events .when { display: block; font-size: 0.85rem; color: var(--faint); } .events .when span { margin-left: calc(-1rem - 0.5em); margin-right: 0.5rem; background: var(--ground); }
.events .global-oom .when span { color: var(--held); } .events .memcg-oom .when span { color: var(--warn); } .events small { color: var(--faint); }
footer { color: var(--faint); font-size: 0.85rem; margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: 0.75rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 40rem) {
  .report { padding: 0.75rem 0.75rem 3rem; } .masthead { padding: 1rem; } .finding { padding: 0.9rem; }
  .accounts { table-layout: fixed; } .accounts thead .number { width: 5rem; } .accounts .share { display: none; }
  /* Below the numbers, too; what is too long for a line is scrolled in it. */
  .accounts small { margin-right: -10rem; }
  .accounts small code + code { display: inline-block; max-width: 100%; vertical-align: bottom; white-space: nowrap; overflow-x: auto; }
  /* What is longer than a number has lines of its own. */
  .owners tr { display: grid; grid-template-columns: minmax(0, 1fr) repeat(3, minmax(3.9rem, auto)); column-gap: 0.5rem; border-bottom: 1px solid var(--rule); padding: 0.35rem 0; }
  .owners th, .owners td { padding: 0; border: 0; overflow-wrap: anywhere; } .owners tr > :last-child { grid-column: 1 / -1; }
  .words tr { display: grid; grid-template-columns: 4.5rem 1fr 1fr; column-gap: 0.5rem; border-bottom: 1px solid var(--rule); padding: 0.35rem 0; }
  .words th, .words td { padding: 0; border: 0; overflow-wrap: anywhere; } .words tr > :nth-child(2) { grid-column: 2 / -1; } .words tr > :nth-child(3) { grid-column: 2; }
  .causes thead { display: none; } .causes tr { display: block; border-bottom: 1px solid var(--rule); padding: 0.35rem 0; }
  .causes th, .causes td { display: block; border: 0; padding: 0; overflow-wrap: anywhere; } .causes th { font-weight: 600; }
  .causes td::before { content: attr(data-title) ": "; color: var(--faint); }
  .captures div { grid-template-columns: 1fr; } .segment b { padding: 0 0.35rem; font-size: 0.75rem; }
}
@media print {
  :root { color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { background: none; font-size: 10.5pt; } .report { padding: 0; max-width: none; } .contents, .commands button { display: none !important; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .masthead, tr, .captures div, .evidence li, .remedies li { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; } .accounts small code + code { white-space: normal; }
}
`;
