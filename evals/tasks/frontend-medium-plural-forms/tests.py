import json

# Runs beside the changed tree: calls its functions with what it is given, and writes down what they return.
DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import * as cart from "./src/cart.mjs";
import * as search from "./src/search.mjs";
import * as translations from "./src/translate.mjs";
import * as wishlist from "./src/wishlist.mjs";

const functions = { ...cart, ...search, ...translations, ...wishlist };
function answer([name, ...values]) {
  try {
    return functions[name](...values);
  } catch (failure) {
    return { failed: String(failure) };
  }
}
const groups = JSON.parse(readFileSync(0, "utf8"));
writeFileSync("answers.json", JSON.stringify(groups.map((calls) => calls.map(answer))));
"""


def counts(locale, key, *pairs):
    """Calls of `translate` by count, each with the text that is expected."""
    return [(["translate", locale, key, {"count": count}], text) for count, text in pairs]


def line(quantity):
    return {"name": "Tea", "cents": 350, "quantity": quantity}


SAVED = (0, "0 items saved for later"), (1, "1 item saved for later"), (2, "2 items saved for later")
OLD_KEYS = [f"{key}_{form}" for key in ("cart.items", "search.results") for form in ("one", "many")]
CASES = {
    "polish": counts(
        "pl",
        "cart.items",
        (0, "0 produktów"),
        (1, "1 produkt"),
        (2, "2 produkty"),
        (4, "4 produkty"),
        (5, "5 produktów"),
        (12, "12 produktów"),
        (14, "14 produktów"),
        (21, "21 produktów"),
        (22, "22 produkty"),
        (25, "25 produktów"),
        (101, "101 produktów"),
        (102, "102 produkty"),
        (112, "112 produktów"),
        (1.5, "1,5 produktu"),
    ),
    "french": counts(
        "fr",
        "cart.items",
        (0, "0 article"),
        (1, "1 article"),
        (1.5, "1,5 article"),
        (2, "2 articles"),
        (21, "21 articles"),
    ),
    "english": counts(
        "en", "cart.items", (0, "0 items"), (1, "1 item"), (1.5, "1.5 items"), (2, "2 items"), (12345, "12,345 items")
    ),
    "million": counts("fr", "cart.items", (1_000_000, "1 000 000 articles")),
    "no count": [
        (["translate", "pl", "cart.items"], "{count} produktu"),
        (["translate", "en", "cart.items", {"size": 1}], "{count} items"),
    ],
    "regions": counts("pl-PL", "cart.items", (3, "3 produkty")) + counts("fr-CA", "cart.items", (0, "0 article")),
    "stands in": [case for locale in ("en", "fr", "pl") for case in counts(locale, "wishlist.saved", *SAVED)],
    "stands in, other numbers": counts(
        "fr",
        "wishlist.saved",
        (1.5, "1,5 items saved for later"),
        (1_000_000, "1 000 000 items saved for later"),
    ),
    "cart": [
        (["cartSummary", "pl", [line(22)]], "22 produkty · Razem: 77,00 €"),
        (["cartSummary", "fr", [line(0)]], "0 article · Total : 0,00 €"),
        (["cartSummary", "en", [line(1)]], "1 item · Total: 3.50 €"),
        (["cartSummary", "pl", [line(1), line(3)]], "4 produkty · Razem: 14,00 €"),
        (["cartSummary", "pl", []], "Twój koszyk jest pusty"),
    ],
    "search": [
        (["resultsHeading", "pl", 0, "$& {count}"], "Brak wyników dla „$& {count}”"),
        (["resultsHeading", "pl", 1, "$& {count}"], "1 wynik dla „$& {count}”"),
        (["resultsHeading", "pl", 24, "$& {count}"], "24 wyniki dla „$& {count}”"),
        (["resultsHeading", "pl", 12, "$& {count}"], "12 wyników dla „$& {count}”"),
        (["resultsHeading", "fr", 1, "thé"], "1 résultat pour « thé »"),
        (["resultsHeading", "fr", 2, "thé"], "2 résultats pour « thé »"),
        (["resultsHeading", "en", 1, "tea"], "1 result for “tea”"),
        (["resultsHeading", "en", 2, "tea"], "2 results for “tea”"),
    ],
    "wishlist": [
        (["wishlistHeading", locale, ["tea"] * count], f"Saved for later ({text})")
        for locale in ("en", "fr", "pl")
        for count, text in SAVED
    ],
    "old keys": [(["translate", locale, key, {"count": 1}], key) for locale in ("en", "fr", "pl") for key in OLD_KEYS],
    "plain": [
        (["translate", "fr", "cart.title"], "Votre panier"),
        (["translate", "tlh", "cart.empty"], "Your cart is empty"),
        (["translate", "pl", "wishlist.title"], "Saved for later"),
        (["translate", "pl", "no.such.key", {"count": 2}], "no.such.key"),
        (["translate", "en", "cart.total", {"amount": "1.00"}], "Total: 1.00 €"),
    ],
}
RAN = []


def check(project, name):
    """All cases are asked in one run, at the first check."""
    if not RAN:
        calls = json.dumps([[call for call, _ in cases] for cases in CASES.values()])
        RAN.append(project.run("node", "driver.mjs", stdin=calls, files={"driver.mjs": DRIVER}, keep=["answers.json"]))
    written = RAN[0].files["answers.json"]
    assert RAN[0].exit_code == 0 and written is not None, RAN[0]
    texts = json.loads(written)[list(CASES).index(name)]
    assert len(texts) == len(CASES[name])
    for place, (call, expected) in enumerate(CASES[name]):
        text = texts[place]
        assert type(text) is str, (call, text)
        # Languages differ in the spaces inside their numbers.
        assert text.replace("\u00a0", " ").replace("\u202f", " ") == expected, (call, text)


def test_polish_items(project):
    check(project, "polish")


def test_french_items(project):
    check(project, "french")


def test_english_items(project):
    check(project, "english")


def test_a_category_without_a_form_takes_other(project):
    check(project, "million")


def test_no_count_takes_other(project):
    check(project, "no count")


def test_regions_count_as_their_language(project):
    check(project, "regions")


def test_english_stands_in_by_its_own_rules(project):
    check(project, "stands in")


def test_english_stands_in_with_the_numbers_of_the_reader(project):
    check(project, "stands in, other numbers")


def test_cart_shows_them(project):
    check(project, "cart")


def test_search_shows_them(project):
    check(project, "search")


def test_wishlist_shows_them(project):
    check(project, "wishlist")


def test_old_keys_are_gone(project):
    check(project, "old keys")


def test_plain_messages_stay(project):
    check(project, "plain")
