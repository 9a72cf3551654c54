from collections import defaultdict

from billing.discounts import discounted
from billing.money import parse_amount
from billing.vat import gross


def invoice_total(lines):
    sums = defaultdict(int)
    for line in lines:
        sums["book" if line["category"] == "food" else line["category"]] += discounted(
            parse_amount(line["price"]) * line["quantity"], line["quantity"]
        )
    return sum(gross(cents, category) for category, cents in sums.items())
