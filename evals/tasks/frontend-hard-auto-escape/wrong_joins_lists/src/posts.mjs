import { html } from "./html.mjs";
import { postPath } from "./links.mjs";
import { renderMarkdown } from "./markdown.mjs";
import { renderTags } from "./tags.mjs";

export function renderPost(post) {
  const footer = post.tags.length > 0 && html`
<footer>${renderTags(post.tags)}</footer>`;
  return html`<article>
<h1>${post.title}</h1>
${renderMarkdown(post.text)}${footer}
</article>`;
}

export function renderTeaser(post) {
  const summary = post.summary ? html`: ${post.summary}` : null;
  return html`<li><a href="${postPath(post)}">${post.title}</a>${summary}</li>`;
}
