// The wishlist: names of articles.

import { translate } from "./translate.mjs";

export function wishlistHeading(locale, names) {
  const saved = translate(locale, "wishlist.saved", { count: names.length });
  return `${translate(locale, "wishlist.title")} (${saved})`;
}
