import { html, separated } from "./html.mjs";
import { tagPath } from "./links.mjs";

// Items for a template.
export function renderTags(tags) {
  return separated(tags.map((tag) => html`<a class="tag" href="${tagPath(tag)}">${tag}</a>`), " ");
}
