// Messages in the language of the reader.

import en from "./catalogs/en.mjs";
import fr from "./catalogs/fr.mjs";
import pl from "./catalogs/pl.mjs";
import { formatNumber } from "./numbers.mjs";

const CATALOGS = { en, fr, pl };
const FALLBACK = "en";

// "pl-PL" and "pl" are both "pl".
export function languageOf(locale) {
  return locale.split("-")[0].toLowerCase();
}

// The message for a key, with {names} replaced by values. What the language lacks is shown in English, and a key that
// nobody knows as it is.
export function translate(locale, key, values = {}) {
  const message = CATALOGS[languageOf(locale)]?.[key] ?? CATALOGS[FALLBACK][key] ?? key;
  return fill(message, locale, values);
}

function fill(message, locale, values) {
  return message.replace(/\{(\w+)\}/g, (placeholder, name) => {
    const value = values[name];
    if (value === undefined) return placeholder;
    return typeof value === "number" ? formatNumber(locale, value) : value;
  });
}
