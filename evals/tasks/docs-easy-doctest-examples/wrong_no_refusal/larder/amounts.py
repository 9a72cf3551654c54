"""Amounts: a number and a unit, such as 1 1/2 cup."""

from fractions import Fraction

from larder.units import factor


def parse_amount(text):
    """Number and unit of a text.

    The number may be whole, a fraction, or both. A text without a number or a unit is refused.

    >>> parse_amount("250 g")
    (Fraction(250, 1), 'g')
    >>> parse_amount("1 1/2 cup")
    (Fraction(3, 2), 'cup')
    """
    *numbers, unit = text.split()
    if not numbers or unit[0].isdigit():
        raise ValueError(f"not an amount: {text!r}")
    return sum(map(Fraction, numbers)), unit


def scale(amount, times):
    """An amount, so many times.

    >>> scale((Fraction(1, 2), "l"), 3)
    (Fraction(3, 2), 'l')
    """
    number, unit = amount
    return number * times, unit


def convert(amount, unit):
    """The same amount in another unit of its kind.

    >>> convert((Fraction(3), "tbsp"), "ml")
    (Fraction(45, 1), 'ml')
    """
    number, old = amount
    one, other = factor(old, unit)
    return Fraction(number) * one / other, unit


def format_amount(amount):
    """An amount as cooks write it.

    >>> format_amount((Fraction(3, 2), "cup"))
    '1 1/2 cup'
    """
    number, unit = amount
    whole, rest = divmod(Fraction(number), 1)
    parts = [str(whole)] if whole or not rest else []
    return " ".join([*parts, *([str(rest)] if rest else []), unit])


def shopping_list(amounts):
    """What to buy, by name, of pairs of a name and an amount: sums, each in the unit that came first.

    >>> shopping_list([("milk", (1, "cup")), ("flour", (Fraction(1, 2), "kg")), ("milk", (120, "ml"))])
    {'flour': '1/2 kg', 'milk': '1 1/2 cup'}
    """
    sums = {}
    for name, (number, unit) in amounts:
        if name in sums:
            have, first = sums[name]
            sums[name] = (have + convert((number, unit), first)[0], first)
        else:
            sums[name] = (Fraction(number), unit)
    return {name: format_amount(sums[name]) for name in sorted(sums)}


def _is_round(number):
    return Fraction(number).denominator == 1


def is_exact(amount, unit):
    """Whether an amount is a whole number of another unit.

    >>> is_exact((Fraction(1, 2), "l"), "cup")
    False
    >>> is_exact((Fraction(1, 2), "l"), "ml")
    True
    """
    return _is_round(convert(amount, unit)[0])
