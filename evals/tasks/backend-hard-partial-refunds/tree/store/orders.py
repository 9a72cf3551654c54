"""Orders, as the log has them."""

from dataclasses import dataclass

from store.allocation import spread


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int
    unit_cents: int

    @property
    def goods_cents(self):
        return self.quantity * self.unit_cents


@dataclass
class Order:
    number: int
    placed_on: str
    lines: list
    discount_cents: int
    shipping_cents: int
    shipped_on: str | None = None
    refunded_on: str | None = None

    @property
    def total_cents(self):
        return sum(self.paid_by_line()) + self.shipping_cents

    def paid_by_line(self):
        """What the customer paid for each line: the goods less the line's share of the discount."""
        goods = [line.goods_cents for line in self.lines]
        shares = spread(self.discount_cents, goods)
        return [cents - share for cents, share in zip(goods, shares, strict=True)]


def load_orders(log):
    """Number to order, in the order of the log."""
    orders = {}
    for event in log.events():
        number = event["order"]
        if event["type"] == "placed":
            lines = [Line(line["sku"], line["quantity"], line["unit_cents"]) for line in event["lines"]]
            orders[number] = Order(number, event["day"], lines, event["discount_cents"], event["shipping_cents"])
        elif event["type"] == "shipped":
            orders[number].shipped_on = event["day"]
        elif event["type"] == "refunded":
            orders[number].refunded_on = event["day"]
    return orders
