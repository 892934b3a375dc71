/**
 * What a report can do besides being read: sort tables, copy commands. It works on the whole document by delegation, so that it serves
 * reports that are put into a page later, and it is text, so that its hash can stand in the Content-Security-Policy.
 */
export const REPORT_SCRIPT = `"use strict";
document.documentElement.classList.add("scripted");
function sortRows(button) {
  const head = button.closest("th");
  const rows = [...head.closest("table").tBodies[0].rows];
  const descending = head.getAttribute("aria-sort") !== "descending";
  const value = (row) => row.cells[head.cellIndex].dataset.value;
  const numeric = head.classList.contains("number");
  const compare = (a, b) => numeric ? a - b : a < b ? -1 : a > b ? 1 : 0;
  rows.sort((a, b) => (descending ? -1 : 1) * compare(value(a), value(b)));
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  head.closest("table").tBodies[0].append(...rows);
}
function copyText(button) {
  const range = document.createRange();
  range.selectNodeContents(button.parentElement.querySelector("pre"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button === null) return;
  if (button.dataset.do === "sort") sortRows(button);
  if (button.dataset.do === "copy") copyText(button);
});
`;

/** SHA-256 of {@linkcode REPORT_SCRIPT} as a policy names it; a test recomputes it. */
export const REPORT_SCRIPT_HASH = "sha256-SZireaTwKaeWLZ8EhUVljje0AixfkzsqlUlgBHcttlM=";
