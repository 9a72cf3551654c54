// Numbers as they are written in a language.

export function formatNumber(locale, number) {
  return new Intl.NumberFormat(locale).format(number);
}

export function formatAmount(locale, cents) {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return new Intl.NumberFormat(locale, digits).format(cents / 100);
}
