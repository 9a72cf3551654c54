import { html } from "./html.mjs";
import { safeUrl } from "./links.mjs";
import { renderMarkdown } from "./markdown.mjs";

function renderAuthor(comment) {
  if (!comment.website) return html`<b>${comment.author}</b>`;
  return html`<a href="${safeUrl(comment.website)}" rel="nofollow"><b>${comment.author}</b></a>`;
}

function renderComment(comment, number) {
  return html`<li id="comment-${number + 1}">${renderAuthor(comment)}${renderMarkdown(comment.text)}</li>`;
}

export function renderComments(comments) {
  const heading = html`<h2>Comments (${comments.length})</h2>`;
  if (comments.length === 0) return html`${heading}<p>Be the first.</p>`;
  return html`${heading}<ol>${comments.map(renderComment).join("\n")}</ol>`;
}
