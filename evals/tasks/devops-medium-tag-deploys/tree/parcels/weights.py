"""Postage by weight."""

STEPS = ((500, 290), (1000, 450), (5000, 790))
"""Up to so many grams, so many cents."""


def postage(grams):
    for most, cents in STEPS:
        if grams <= most:
            return cents
    raise ValueError("too heavy for a parcel")
