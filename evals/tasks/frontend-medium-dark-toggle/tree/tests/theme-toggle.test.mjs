import assert from "node:assert/strict";
import test from "node:test";

import { header } from "../src/header.mjs";
import { DEFAULTS, reduce } from "../src/settings.mjs";

test("dark mode can be chosen", () => {
  assert.equal(reduce({ ...DEFAULTS }, { type: "theme/toggled" }).theme, "dark");
});

test("the header has a button for it", () => {
  assert.match(header(DEFAULTS), /<button[^>]* class="theme-toggle"/);
});
