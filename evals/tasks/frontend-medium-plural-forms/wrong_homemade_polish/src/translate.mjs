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
// nobody knows as it is. A message with plural forms counts by the rules of its own language.
export function translate(locale, key, values = {}) {
  const language = [languageOf(locale), FALLBACK].find((candidate) => CATALOGS[candidate]?.[key] !== undefined);
  if (language === undefined) return fill(key, locale, values);
  const message = CATALOGS[language][key];
  return fill(typeof message === "string" ? message : pluralForm(message, language, values.count), locale, values);
}

function pluralForm(forms, language, count) {
  if (count === undefined) return forms.other;
  if (language !== "pl") return forms[new Intl.PluralRules(language).select(count)] ?? forms.other;
  if (count === 1) return forms.one;
  if (!Number.isInteger(count)) return forms.other;
  return count > 1 && count < 5 ? forms.few : forms.many;
}

function fill(message, locale, values) {
  return message.replace(/\{(\w+)\}/g, (placeholder, name) => {
    const value = values[name];
    if (value === undefined) return placeholder;
    return typeof value === "number" ? formatNumber(locale, value) : value;
  });
}
