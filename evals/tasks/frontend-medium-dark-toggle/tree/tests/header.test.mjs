import assert from "node:assert/strict";
import test from "node:test";

import { header } from "../src/header.mjs";
import { page } from "../src/page.mjs";
import { DEFAULTS } from "../src/settings.mjs";

test("the largest font cannot grow", () => {
  assert.match(header({ ...DEFAULTS, fontSize: 24 }), /data-action="font\/larger" disabled>/);
});

test("the menu is hidden until it is opened", () => {
  assert.match(header(DEFAULTS), /<ul id="menu" hidden>/);
  assert.match(header({ ...DEFAULTS, menuOpen: true }), /<ul id="menu">/);
});

test("the page shows the theme", () => {
  assert.match(page({ ...DEFAULTS, theme: "dark" }, "Unread", ""), /<html lang="en" data-theme="dark"/);
});
