/** The offline page: takes bundles, has a worker analyze each, and shows the reports. Nothing leaves it. */
import type { DoneMessage, WorkerMessage } from "./_messages.ts";

/** A bundle that was given to the page. */
interface Item {
  readonly name: string;
  readonly file: Blob;
  /** Its line in the list. */
  readonly row: HTMLLIElement;
  done?: DoneMessage;
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
let shown: Item | undefined;

function make<K extends keyof HTMLElementTagNameMap>(tag: K, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function add(name: string, file: Blob): void {
  const row = make("li");
  row.append(make("span", name), make("small", "waiting"));
  list.append(row);
  waiting.push({ name, file, row });
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
  const cancel = make("button", "Cancel");
  cancel.type = "button";
  const note = make("small", "reading");
  item.row.replaceChildren(make("span", item.name), bar, note, cancel);
  status.textContent = `Analyzing ${item.name}.`;

  const end = (): void => {
    // Its memory goes with it.
    worker.terminate();
    running = undefined;
    next();
  };
  const fail = (message: string): void => {
    item.row.replaceChildren(make("span", item.name), make("small", message));
    item.row.className = "failed";
    status.textContent = `${item.name}: ${message}`;
    end();
  };
  cancel.addEventListener("click", () => fail("cancelled"));
  worker.addEventListener("error", (event) => fail(`nailhouse failed: ${event.message}`));
  worker.addEventListener("message", ({ data }: MessageEvent<WorkerMessage>) => {
    if (data.kind === "progress") {
      bar.value = data.readBytes;
      if (data.readBytes === item.file.size) note.textContent = "analyzing";
    } else if (data.kind === "failed") fail(data.message);
    else {
      finish(item, data);
      end();
    }
  });
  worker.postMessage(item.file);
}

function finish(item: Item, done: DoneMessage): void {
  item.done = done;
  const button = make("button", item.name);
  button.type = "button";
  button.addEventListener("click", () => show(item));
  item.row.replaceChildren(button, make("small", done.headline));
  status.textContent = `${item.name}: ${done.headline}`;
  if (shown === undefined) show(item);
}

function show(item: Item): void {
  if (item.done === undefined) return;
  shown = item;
  // Markup of the renderer, in which all text is escaped; the policy lets no other script run either.
  view.innerHTML = item.done.markup;
  tools.hidden = false;
  document.title = `${item.name}: ${item.done.headline}`;
  for (const button of list.querySelectorAll("button")) {
    if (item.row.contains(button)) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

/** Hands a file to the browser's own way of saving. */
function save(ending: string, type: string, content: (done: DoneMessage) => string): void {
  if (shown?.done === undefined) return;
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([content(shown.done)], { type }));
  link.download = `${shown.name.replace(/\.(?:tgz|tar|tar\.\w+|txt|log)$/, "")}.${ending}`;
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
  if (log.value.trim() === "") status.textContent = "There is no log to analyze: paste one first.";
  else add("pasted log", new Blob([log.value]));
});
element("save-json", HTMLButtonElement).addEventListener(
  "click",
  () => save("json", "application/json", ({ json }) => json),
);
element("save-html", HTMLButtonElement).addEventListener("click", () => save("html", "text/html", ({ html }) => html));
element("print", HTMLButtonElement).addEventListener("click", () => print());

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  for (const file of event.dataTransfer?.files ?? []) add(file.name, file);
});
