"""Lines of an invoice."""

from billing.discounts import discounted
from billing.money import parse_amount
from billing.vat import gross


def gross_line_total(price, quantity, category):
    """Cents that one line comes to: pieces at their net price, less the volume discount, with tax."""
    net = parse_amount(price) * quantity
    return gross(discounted(net, quantity), category)


def describe_line(name, price, quantity):
    return f"{quantity} x {name} at {price}"
