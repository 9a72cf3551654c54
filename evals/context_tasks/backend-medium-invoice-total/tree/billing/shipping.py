"""What sending a parcel costs, in cents."""

FREE_FROM_CENTS = 4900
ZONES = {"inland": 490, "eu": 1290, "world": 2490}
HEAVY_FROM_GRAMS = 10_000
HEAVY_EXTRA_CENTS = 600


def shipping_costs(goods_cents, zone, weight_grams):
    base = 0 if zone == "inland" and goods_cents >= FREE_FROM_CENTS else ZONES[zone]
    return base + (HEAVY_EXTRA_CENTS if weight_grams >= HEAVY_FROM_GRAMS else 0)
