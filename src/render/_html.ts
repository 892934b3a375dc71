/** Markup that cannot be broken out of: whatever is put into a template is escaped, unless it comes out of one. */
import { printable } from "./_printable.ts";

/** Finished markup. Only {@linkcode markup} makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template. False and undefined are left out. */
export type Content = Markup | string | number | false | undefined | readonly Content[];

const ENTITIES: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Line ends stay (for `pre`); all other characters that act or reorder are shown as what they are. */
function escape(text: string): string {
  return text.split("\n").map(printable).join("\n").replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

function textOf(content: Content): string {
  if (content === undefined || content === false) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "object") return content.map(textOf).join("");
  return escape(String(content));
}

/** A template tag: the template is markup, what is put in is text. Attributes must stand in quotes. */
export function markup(template: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(template.map((part, i) => (i === 0 ? part : `${textOf(values[i - 1])}${part}`)).join(""));
}

/** Text in which what stands between backticks is code. */
export function prose(text: string): Markup {
  return markup`${text.split(/`([^`]+)`/).map((part, i) => (i % 2 === 1 ? markup`<code>${part}</code>` : part))}`;
}
