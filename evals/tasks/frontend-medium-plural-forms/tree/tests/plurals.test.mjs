import assert from "node:assert/strict";
import test from "node:test";

import { resultsHeading } from "../src/search.mjs";
import { translate } from "../src/translate.mjs";

test("Polish has more than two forms", () => {
  assert.equal(translate("pl", "cart.items", { count: 1 }), "1 produkt");
  assert.equal(translate("pl", "cart.items", { count: 2 }), "2 produkty");
  assert.equal(translate("pl", "cart.items", { count: 5 }), "5 produktów");
});

test("the search page uses them", () => {
  assert.equal(resultsHeading("pl", 3, "herbata"), "3 wyniki dla „herbata”");
});
