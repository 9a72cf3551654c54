// The feed. A description there is text which feed readers take for HTML, and so the markup of a post is escaped.

import { html, separated } from "./html.mjs";
import { postPath } from "./links.mjs";
import { renderPost } from "./posts.mjs";

function renderItem(address, post) {
  return html`<item>
<title>${post.title}</title>
<link>${address}${postPath(post)}</link>
<description>${renderPost(post).toString()}</description>
</item>`;
}

export function renderFeed(address, posts) {
  const feed = html`<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel>
<title>Village blog</title>
<link>${address}</link>
${separated(posts.map((post) => renderItem(address, post)), "\n")}
</channel></rss>
`;
  return feed.toString();
}
