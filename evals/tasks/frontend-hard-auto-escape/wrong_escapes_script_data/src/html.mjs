// Templates of HTML.

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeHtml(value) {
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

// Markup that is inserted into templates as it is.
export class SafeHtml {
  #markup;

  constructor(markup) {
    this.#markup = markup;
  }

  toString() {
    return this.#markup;
  }
}

// For text that is known to be safe.
export function raw(text) {
  return new SafeHtml(String(text));
}

// Joins a template and its values, and escapes these.
export function html(strings, ...values) {
  return new SafeHtml(strings.reduce((markup, string, place) => markup + insertion(values[place - 1]) + string));
}

function insertion(value) {
  if (value instanceof SafeHtml) return value.toString();
  if (Array.isArray(value)) return value.map(insertion).join("");
  if (value === null || value === undefined || value === false) return "";
  return escapeHtml(value);
}

// The items with a separator between them, for a template.
export function separated(items, separator) {
  return items.flatMap((item, place) => (place === 0 ? [item] : [separator, item]));
}
