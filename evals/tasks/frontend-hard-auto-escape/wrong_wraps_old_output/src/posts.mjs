import { escapeHtml, html as template, raw } from "./html.mjs";
import { postPath } from "./links.mjs";
import { renderMarkdown } from "./markdown.mjs";
import { renderTags } from "./tags.mjs";

// As before: what is inserted has been escaped.
function html(strings, ...values) {
  return template(strings, ...values.map(raw)).toString();
}

export function renderPost(post) {
  const tags = renderTags(post.tags);
  return html`<article>
<h1>${post.title}</h1>
${renderMarkdown(post.text)}${tags ? html`
<footer>${tags}</footer>` : ""}
</article>`;
}

export function renderTeaser(post) {
  const summary = post.summary ? html`: ${escapeHtml(post.summary)}` : "";
  return html`<li><a href="${postPath(post)}">${escapeHtml(post.title)}</a>${summary}</li>`;
}
