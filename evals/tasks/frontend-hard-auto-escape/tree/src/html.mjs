// Templates of HTML.

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeHtml(value) {
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

// Joins a template and its values. What comes from a user must be given through escapeHtml.
export function html(strings, ...values) {
  return strings.reduce((markup, string, place) => markup + values[place - 1] + string);
}
