// Whole pages, as strings that are sent to the browser.

import { renderComments } from "./comments.mjs";
import { html, raw, separated } from "./html.mjs";
import { renderPost, renderTeaser } from "./posts.mjs";

// Data for scripts. Inside a script element entities mean nothing, so "<" is written in JavaScript's way.
function renderData(data) {
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return html`<script type="application/json" id="data">${raw(json)}</script>`;
}

function layout(title, content, data) {
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title} - Village blog</title></head>
<body>
<main>${content}</main>
${data === undefined ? null : renderData(data)}
</body>
</html>
`;
  return page.toString();
}

export function renderPostPage(post, comments) {
  const content = html`${renderPost(post)}
${renderComments(comments)}`;
  return layout(post.title, content, { id: post.id, title: post.title, tags: post.tags });
}

export function renderIndexPage(posts) {
  if (posts.length === 0) return layout("All posts", html`<p>Nothing yet.</p>`);
  return layout("All posts", html`<ul>${separated(posts.map(renderTeaser), "\n")}</ul>`);
}
