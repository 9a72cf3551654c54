"""Amounts as whole cents, and as text."""


def parse_amount(text):
    """Cents of a decimal string: "12.50" is 1250, "3" is 300."""
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int((fraction + "00")[:2])


def format_amount(cents, currency="EUR"):
    """1250 as "12.50 EUR"."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d} {currency}"


def half_up(numerator, denominator):
    """A quotient of whole numbers that are not negative, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
