"""Numbers as people read them."""

UNITS = ((1_000_000, "M"), (1_000, "k"))


def compact(number):
    """999 as "999", 1500 as "1.5k", 2000000 as "2M": at most one decimal, cut off and not rounded."""
    for size, unit in UNITS:
        if number >= size:
            tenths = number * 10 // size
            return f"{tenths // 10}{f'.{tenths % 10}' if tenths % 10 else ''}{unit}"
    return str(number)


def percent(share):
    return f"{100 * share:.1f} %"
