// The cart: a list of { name, cents, quantity }.

import { formatAmount } from "./numbers.mjs";
import { translate } from "./translate.mjs";

export function cartSummary(locale, lines) {
  const count = lines.reduce((sum, line) => sum + line.quantity, 0);
  if (lines.length === 0) return translate(locale, "cart.empty");
  const items = translate(locale, "cart.items", { count });
  const cents = lines.reduce((sum, line) => sum + line.cents * line.quantity, 0);
  return `${items} · ${translate(locale, "cart.total", { amount: formatAmount(locale, cents) })}`;
}
