// A whole page.

import { header } from "./header.mjs";
import { el, text } from "./html.mjs";

export function page(state, title, content) {
  const head = el("head", {}, el("title", {}, text(title)));
  const body = el("body", { class: `density-${state.density}` }, header(state), el("main", {}, content));
  const attributes = { lang: "en", "data-theme": state.theme, style: `font-size: ${state.fontSize}px` };
  return `<!doctype html>\n${el("html", attributes, head, body)}`;
}
