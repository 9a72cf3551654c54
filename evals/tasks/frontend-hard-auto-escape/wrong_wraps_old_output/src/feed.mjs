// The feed. A description there is text which feed readers take for HTML, and so the markup of a post is escaped.

import { escapeHtml, html as template, raw } from "./html.mjs";
import { postPath } from "./links.mjs";
import { renderPost } from "./posts.mjs";

// As before: what is inserted has been escaped.
function html(strings, ...values) {
  return template(strings, ...values.map(raw)).toString();
}

function renderItem(address, post) {
  return html`<item>
<title>${escapeHtml(post.title)}</title>
<link>${address}${postPath(post)}</link>
<description>${escapeHtml(renderPost(post))}</description>
</item>`;
}

export function renderFeed(address, posts) {
  return html`<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel>
<title>Village blog</title>
<link>${address}</link>
${posts.map((post) => renderItem(address, post)).join("\n")}
</channel></rss>
`;
}
