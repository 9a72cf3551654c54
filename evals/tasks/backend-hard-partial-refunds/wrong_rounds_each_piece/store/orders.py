"""Orders, as the log has them."""

from dataclasses import dataclass, field

from store.allocation import spread


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int
    unit_cents: int

    @property
    def goods_cents(self):
        return self.quantity * self.unit_cents


@dataclass(frozen=True)
class Refund:
    day: str
    cents: int


@dataclass
class Order:
    number: int
    placed_on: str
    lines: list
    discount_cents: int
    shipping_cents: int
    shipped_on: str | None = None
    refunds: list = field(default_factory=list)
    returned: list = field(default_factory=list)
    """Pieces of each line that were given back."""

    def __post_init__(self):
        self.returned = [0 for _ in self.lines]

    @property
    def total_cents(self):
        return sum(self.paid_by_line()) + self.shipping_cents

    def paid_by_line(self):
        """What the customer paid for each line: the goods less the line's share of the discount."""
        goods = [line.goods_cents for line in self.lines]
        shares = spread(self.discount_cents, goods)
        return [cents - share for cents, share in zip(goods, shares, strict=True)]

    def left_by_line(self):
        """Pieces of each line that the customer keeps."""
        return [line.quantity - returned for line, returned in zip(self.lines, self.returned, strict=True)]

    @property
    def is_refunded(self):
        return not any(self.left_by_line())

    @property
    def refunded_cents(self):
        return sum(refund.cents for refund in self.refunds)

    def give_back(self, pieces, day):
        """Take back `pieces` of each line, none more than is left, and note what that is worth."""
        before = self._due_cents()
        self.returned = [returned + more for returned, more in zip(self.returned, pieces, strict=True)]
        self.refunds.append(Refund(day, self._due_cents() - before))

    def _due_cents(self):
        """What is due to the customer for all that was given back so far."""
        shares = zip(self.paid_by_line(), self.returned, self.lines, strict=True)
        goods = sum(paid // line.quantity * returned for paid, returned, line in shares)
        return goods + (self.shipping_cents if self.is_refunded else 0)


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
            order = orders[number]
            # Events from before pieces could be given back have none, and mean the whole order.
            order.give_back(event.get("pieces", order.left_by_line()), event["day"])
    return orders
