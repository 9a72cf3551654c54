// Whole pages, as strings that are sent to the browser.

import { renderComments } from "./comments.mjs";
import { escapeHtml, html as template, raw } from "./html.mjs";
import { renderPost, renderTeaser } from "./posts.mjs";

// As before: what is inserted has been escaped.
function html(strings, ...values) {
  return template(strings, ...values.map(raw)).toString();
}

// Data for scripts. Inside a script element entities mean nothing, so "<" is written in JavaScript's way.
function renderData(data) {
  return html`<script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`;
}

function layout(title, content, data) {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title} - Village blog</title></head>
<body>
<main>${content}</main>
${data === undefined ? "" : renderData(data)}
</body>
</html>
`;
}

export function renderPostPage(post, comments) {
  const content = renderPost(post) + "\n" + renderComments(comments);
  return layout(escapeHtml(post.title), content, { id: post.id, title: post.title, tags: post.tags });
}

export function renderIndexPage(posts) {
  const list = posts.map(renderTeaser).join("\n");
  return layout("All posts", list === "" ? html`<p>Nothing yet.</p>` : html`<ul>${list}</ul>`);
}
