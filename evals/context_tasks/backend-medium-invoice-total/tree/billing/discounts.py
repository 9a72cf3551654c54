"""Volume discounts."""

STEPS = ((50, 12), (10, 5))
"""From so many pieces of one article, so many percent off; the largest first."""


def percent_off(quantity):
    return next((percent for least, percent in STEPS if quantity >= least), 0)


def discounted(net_cents, quantity):
    """Net cents less the discount, rounded down, in the customer's favour."""
    return net_cents * (100 - percent_off(quantity)) // 100
