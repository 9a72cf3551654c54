"""Receipts as text."""

from store.orders import load_orders

WIDTH = 32


def receipt(log, number):
    order = load_orders(log)[number]
    rows = [(f"{line.quantity} x {line.sku}", line.goods_cents) for line in order.lines]
    if order.discount_cents:
        rows.append(("Discount", -order.discount_cents))
    if order.shipping_cents:
        rows.append(("Shipping", order.shipping_cents))
    rows.append(("Total", order.total_cents))
    if order.refunds:
        rows.append(("Refunded", -order.refunded_cents))
    return "\n".join(_row(text, cents) for text, cents in rows) + "\n"


def _row(text, cents):
    sign = "-" if cents < 0 else ""
    amount = f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    return text.ljust(WIDTH - len(amount)) + amount
