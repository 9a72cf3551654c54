import { escapeHtml, html as template, raw } from "./html.mjs";
import { tagPath } from "./links.mjs";

// As before: what is inserted has been escaped.
function html(strings, ...values) {
  return template(strings, ...values.map(raw)).toString();
}

// Empty if there are no tags.
export function renderTags(tags) {
  return tags.map((tag) => html`<a class="tag" href="${tagPath(tag)}">${escapeHtml(tag)}</a>`).join(" ");
}
