"""Other currencies, at the day's rate."""

from billing.money import half_up


class Rates:
    """Units of a currency for one euro, in ten thousandths."""

    def __init__(self, per_euro):
        self._per_euro = dict(per_euro)

    def convert(self, cents, currency):
        if currency == "EUR":
            return cents
        if currency not in self._per_euro:
            raise KeyError(f"no rate for {currency}")
        return half_up(cents * self._per_euro[currency], 10_000)
