// In the browser: carries clicks to the reducer, and the state to the page and into the storage.

import { header } from "./header.mjs";
import { reduce, restore, save } from "./settings.mjs";

const KEY = "reading-list-settings";

export function start(document, storage) {
  let state = restore(storage.getItem(KEY));

  function show() {
    const root = document.documentElement;
    root.dataset.theme = state.theme;
    root.style.fontSize = `${state.fontSize}px`;
    document.body.className = `density-${state.density}`;
    document.querySelector(".site-header").outerHTML = header(state);
  }

  document.addEventListener("click", (event) => {
    const source = event.target.closest("[data-action]");
    if (!source) return;
    state = reduce(state, { type: source.dataset.action });
    storage.setItem(KEY, save(state));
    show();
  });

  show();
}
