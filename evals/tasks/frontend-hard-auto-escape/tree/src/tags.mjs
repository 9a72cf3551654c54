import { escapeHtml, html } from "./html.mjs";
import { tagPath } from "./links.mjs";

// Empty if there are no tags.
export function renderTags(tags) {
  return tags.map((tag) => html`<a class="tag" href="${tagPath(tag)}">${escapeHtml(tag)}</a>`).join(" ");
}
