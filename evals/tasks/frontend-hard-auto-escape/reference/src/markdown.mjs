// The little Markdown that users may write: paragraphs, **bold** and `code`. Gives markup, in which all else is escaped.

import { escapeHtml, raw } from "./html.mjs";

export function renderMarkdown(source) {
  const paragraphs = source
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== "")
    .map((paragraph) => `<p>${inline(paragraph)}</p>`);
  return raw(paragraphs.join("\n"));
}

function inline(text) {
  return escapeHtml(text)
    .replace(/\*\*(.+?)\*\*/g, "<strong>$1</strong>")
    .replace(/`(.+?)`/g, "<code>$1</code>");
}
