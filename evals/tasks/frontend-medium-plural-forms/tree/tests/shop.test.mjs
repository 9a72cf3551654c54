import assert from "node:assert/strict";
import test from "node:test";

import { cartSummary } from "../src/cart.mjs";
import { resultsHeading } from "../src/search.mjs";
import { translate } from "../src/translate.mjs";

test("the cart in English", () => {
  assert.equal(cartSummary("en", []), "Your cart is empty");
  assert.equal(cartSummary("en", [{ name: "Tea", cents: 350, quantity: 1 }]), "1 item · Total: 3.50 €");
  assert.equal(cartSummary("en-GB", [{ name: "Tea", cents: 350, quantity: 3 }]), "3 items · Total: 10.50 €");
});

test("the search in French", () => {
  assert.equal(resultsHeading("fr", 0, "thé"), "Aucun résultat pour « thé »");
  assert.equal(resultsHeading("fr", 2, "thé"), "2 résultats pour « thé »");
});

test("what a language lacks is shown in English", () => {
  assert.equal(translate("pl", "wishlist.title"), "Saved for later");
  assert.equal(translate("tlh", "cart.title"), "Your cart");
  assert.equal(translate("fr", "no.such.key"), "no.such.key");
});

test("values may hold anything", () => {
  assert.equal(resultsHeading("en", 2, "{count} $& <b>"), "2 results for “{count} $& <b>”");
});
