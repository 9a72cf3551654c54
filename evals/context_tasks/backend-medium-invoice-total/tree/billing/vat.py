"""Value added tax."""

from billing.money import half_up

FULL_RATE = 19
"""Percent, for whatever has no rate of its own."""
RATES = {"book": 7, "food": 7, "service": 19}


def rate_of(category):
    return RATES.get(category, FULL_RATE)


def gross(net_cents, category):
    """Net cents with tax, rounded half up."""
    return half_up(net_cents * (100 + rate_of(category)), 100)
