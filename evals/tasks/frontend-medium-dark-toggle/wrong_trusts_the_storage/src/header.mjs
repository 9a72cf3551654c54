// The bar at the top of each page.

import { el, text } from "./html.mjs";
import { FONT_SIZES } from "./settings.mjs";

const LINKS = [
  ["/", "Unread"],
  ["/archive", "Archive"],
  ["/tags", "Tags"],
];

function button(className, action, label, attributes = {}) {
  return el("button", { type: "button", class: className, "data-action": action, ...attributes }, text(label));
}

function menu(state) {
  const links = LINKS.map(([href, label]) => el("li", {}, el("a", { href }, text(label))));
  return el("ul", { id: "menu", hidden: !state.menuOpen }, ...links);
}

export function header(state) {
  return el(
    "header",
    { class: "site-header" },
    button("menu-toggle", "menu/toggled", "Menu", { "aria-controls": "menu" }),
    menu(state),
    button("font-smaller", "font/smaller", "A−", { disabled: state.fontSize <= FONT_SIZES.smallest }),
    button("font-larger", "font/larger", "A+", { disabled: state.fontSize >= FONT_SIZES.largest }),
    button("density-toggle", "density/toggled", state.density === "cosy" ? "Compact list" : "Cosy list"),
    button("theme-toggle", "theme/toggled", "Dark mode", { "aria-pressed": String(state.theme === "dark") }),
  );
}
