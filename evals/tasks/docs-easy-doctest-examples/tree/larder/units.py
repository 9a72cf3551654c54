"""Kitchen units."""

GRAMS = {"g": 1, "kg": 1000, "oz": 28}
MILLILITRES = {"ml": 1, "l": 1000, "cup": 240, "tbsp": 15}
KINDS = (GRAMS, MILLILITRES)


def factor(unit, other):
    """How many of `other` one `unit` is, as a pair of whole numbers."""
    for kind in KINDS:
        if unit in kind and other in kind:
            return kind[unit], kind[other]
    raise ValueError(f"no way from {unit} to {other}")
