/** The offline page: takes bundles, has a worker analyze each, and shows the reports. Nothing leaves it. */
import { printable } from "../render/_printable.ts";
import type { DoneMessage, WorkerMessage } from "./_messages.ts";

/** A file that was given to the page. */
interface Item {
  /** Safe to show: names of files have characters, too, that reorder what is read. */
  readonly name: string;
  readonly file: Blob;
  /** Its line in the list. */
  readonly row: HTMLLIElement;
}

/** A bundle that was analyzed: a file may hold several. */
interface Result {
  /** Safe to show, too. */
  readonly name: string;
  readonly headline: string;
  readonly done: DoneMessage;
  readonly row: HTMLLIElement;
}

function element<E extends HTMLElement>(id: string, type: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`The page has no ${type.name} called ${id}`);
  return found;
}

const input = element("files", HTMLInputElement);
const log = element("log", HTMLTextAreaElement);
const list = element("bundles", HTMLUListElement);
const status = element("status", HTMLParagraphElement);
const view = element("view", HTMLElement);
const tools = element("tools", HTMLDivElement);

const workerUrl = URL.createObjectURL(
  new Blob([element("worker", HTMLScriptElement).text], { type: "text/javascript" }),
);
const waiting: Item[] = [];
/** The bundle that is analyzed now: one at a time, so that memory is that of the largest. */
let running: Item | undefined;
let shown: Result | undefined;
/** Whether the next result is shown at once: that of what was given last, unless the reader has chosen another one since. */
let showsNext = true;

function make<K extends keyof HTMLElementTagNameMap>(tag: K, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function cancelButton(cancel: () => void): HTMLButtonElement {
  const button = make("button", "Cancel");
  button.type = "button";
  button.className = "cancel";
  button.addEventListener("click", cancel);
  return button;
}

/** What came of a file, where that is no report. */
function tell({ name, row }: Item, told: string): void {
  const message = printable(told);
  row.replaceChildren(make("span", name), make("small", message));
  row.className = "failed";
  status.textContent = `${name}: ${message}`;
}

function listed(fileName: string, file: Blob): Item {
  const item = { name: printable(fileName), file, row: make("li") };
  list.append(item.row);
  return item;
}

function add(fileName: string, file: Blob): void {
  const item = listed(fileName, file);
  const cancel = cancelButton(() => {
    waiting.splice(waiting.indexOf(item), 1);
    tell(item, "cancelled");
  });
  cancel.setAttribute("aria-label", `Cancel ${item.name}`);
  item.row.append(make("span", item.name), make("small", "waiting"), cancel);
  waiting.push(item);
  showsNext = true;
  next();
}

function next(): void {
  if (running !== undefined) return;
  running = waiting.shift();
  if (running !== undefined) start(running);
}

function start(item: Item): void {
  const worker = new Worker(workerUrl);
  const bar = make("progress");
  bar.max = item.file.size;
  bar.setAttribute("aria-label", `reading ${item.name}`);
  const note = make("small", "reading");
  const end = (): void => {
    // Its memory goes with it.
    worker.terminate();
    running = undefined;
    next();
  };
  const fail = (message: string): void => {
    tell(item, message);
    end();
  };
  item.row.replaceChildren(make("span", item.name), bar, note, cancelButton(() => fail("cancelled")));
  status.textContent = `Analyzing ${item.name}.`;

  worker.addEventListener("error", (event) => fail(`nailhouse failed: ${event.message}`));
  worker.addEventListener("message", ({ data }: MessageEvent<WorkerMessage>) => {
    if (data.kind === "progress") {
      bar.value = data.readBytes;
      if (data.readBytes === item.file.size) note.textContent = "analyzing";
    } else if (data.kind === "failed") fail(data.message);
    else if (data.kind === "done") finish(item, data);
    else {
      if (data.problems.length === 0) item.row.remove();
      else tell(item, data.problems.join("; "));
      end();
    }
  });
  worker.postMessage(item.file);
}

/** Lists a result above the file, of which others may come. */
function finish(item: Item, done: DoneMessage): void {
  const row = make("li");
  const name = done.path === "" ? item.name : `${item.name}: ${printable(done.path)}`;
  const result: Result = { name, headline: printable(done.headline), done, row };
  const button = make("button", result.name);
  button.type = "button";
  button.addEventListener("click", () => show(result));
  row.append(button, make("small", result.headline));
  item.row.before(row);
  status.textContent = `${result.name}: ${result.headline}`;
  if (showsNext) show(result);
}

function show(result: Result): void {
  shown = result;
  showsNext = false;
  // Markup of the renderer, in which all text is escaped; the policy lets no other script run either.
  view.innerHTML = result.done.markup;
  // Who was deep in another report reads this one from its beginning.
  if (view.getBoundingClientRect().top < 0) view.scrollIntoView();
  tools.hidden = false;
  document.title = `${result.name}: ${result.headline}`;
  for (const button of list.querySelectorAll("button")) {
    if (result.row.contains(button)) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

/** Hands a file to the browser's own way of saving. */
function save(ending: string, type: string, content: (done: DoneMessage) => string): void {
  if (shown === undefined) return;
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([content(shown.done)], { type }));
  link.download = `${shown.name.replace(/\.(?:zip|tgz|tbz2?|txz|tzst|tar|tar\.\w+|txt|log)$/, "")}.${ending}`;
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

input.addEventListener("change", () => {
  for (const file of input.files ?? []) add(file.name, file);
  input.value = "";
});
element("paste", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  add("pasted text", new Blob([log.value]));
});
element("save-json", HTMLButtonElement).addEventListener(
  "click",
  () => save("json", "application/json", ({ json }) => json),
);
element("save-html", HTMLButtonElement).addEventListener("click", () => save("html", "text/html", ({ html }) => html));
element("print", HTMLButtonElement).addEventListener("click", () => print());

/** Text may be dragged, too: into the field, which takes it by itself. */
function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes("Files") === true;
}

for (const kind of ["dragenter", "dragover"] as const) {
  document.addEventListener(kind, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!hasFiles(event)) return;
  event.preventDefault();
  for (const dropped of event.dataTransfer?.items ?? []) {
    const file = dropped.getAsFile();
    if (file === null) continue;
    // Of a page that is a file itself Chromium lets no folder be read.
    if (dropped.webkitGetAsEntry()?.isDirectory === true) {
      tell(listed(file.name, file), "Cannot read the bundle: it is a folder: pack it as .zip or .tar first");
    } else add(file.name, file);
  }
});
