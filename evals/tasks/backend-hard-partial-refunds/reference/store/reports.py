"""What the owner of the shop looks at."""

from store.orders import load_orders


def revenue(log, day):
    """Cents of the orders that were placed on a day, less what was refunded on it."""
    orders = load_orders(log).values()
    taken = sum(order.total_cents for order in orders if order.placed_on == day)
    return taken - sum(refund.cents for order in orders for refund in order.refunds if refund.day == day)


def pieces_sold(log):
    """Article to pieces, without those that were given back; articles of which none is left are not in it."""
    sold = {}
    for order in load_orders(log).values():
        for line, left in zip(order.lines, order.left_by_line(), strict=True):
            if left:
                sold[line.sku] = sold.get(line.sku, 0) + left
    return sold
