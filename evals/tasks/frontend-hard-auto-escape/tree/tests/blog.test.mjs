import assert from "node:assert/strict";
import test from "node:test";

import { renderFeed } from "../src/feed.mjs";
import { escapeHtml } from "../src/html.mjs";
import { renderMarkdown } from "../src/markdown.mjs";
import { renderIndexPage, renderPostPage } from "../src/page.mjs";

const POST = { id: 7, title: "Harvest", text: "It **rains**.", tags: ["weather"], summary: "Wet" };

test("five characters are escaped", () => {
  assert.equal(escapeHtml(`<a href="x" title='y'>&`), "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;");
});

test("Markdown", () => {
  const markup = String(renderMarkdown("It **rains**.\n\n`<br>`"));
  assert.equal(markup, "<p>It <strong>rains</strong>.</p>\n<p><code>&lt;br&gt;</code></p>");
});

test("a post with its tags", () => {
  const page = renderPostPage(POST, []);
  assert.ok(page.includes('<footer><a class="tag" href="/tags/weather">weather</a></footer>'));
  assert.ok(page.includes("<p>Be the first.</p></main>"));
});

test("a comment", () => {
  const page = renderPostPage(POST, [{ author: "Ann", website: "https://ann.example", text: "Here too." }]);
  assert.ok(
    page.includes('<li id="comment-1"><a href="https://ann.example" rel="nofollow"><b>Ann</b></a><p>Here too.</p></li>'),
  );
});

test("the index", () => {
  assert.ok(renderIndexPage([POST]).includes('<ul><li><a href="/posts/7">Harvest</a>: Wet</li></ul>'));
  assert.ok(renderIndexPage([]).includes("<p>Nothing yet.</p>"));
});

test("the feed", () => {
  assert.ok(renderFeed("https://blog.example", [POST]).includes("<title>Harvest</title>\n<link>https://blog.example/posts/7</link>"));
});
