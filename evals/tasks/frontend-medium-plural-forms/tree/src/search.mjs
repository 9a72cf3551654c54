// The search page.

import { translate } from "./translate.mjs";

export function resultsHeading(locale, count, query) {
  if (count === 0) return translate(locale, "search.none", { query });
  const form = count === 1 ? "one" : "many";
  return translate(locale, `search.results_${form}`, { count, query });
}
