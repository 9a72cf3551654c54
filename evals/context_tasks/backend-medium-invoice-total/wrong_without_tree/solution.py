from decimal import ROUND_HALF_UP, Decimal


def invoice_total(lines):
    total = Decimal(0)
    for line in lines:
        net = Decimal(line["price"]) * line["quantity"]
        rate = Decimal("0.07") if line["category"] in ("book", "food") else Decimal("0.19")
        total += (net * (1 + rate)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return int(total * 100)
