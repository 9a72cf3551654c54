// The search page.

import { translate } from "./translate.mjs";

export function resultsHeading(locale, count, query) {
  if (count === 0) return translate(locale, "search.none", { query });
  return translate(locale, "search.results", { count, query });
}
