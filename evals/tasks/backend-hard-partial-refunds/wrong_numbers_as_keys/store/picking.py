"""What the people in the warehouse have to pack."""

from store.orders import load_orders


def to_pack(log):
    """Pairs of an order's number and what goes into its parcel, as pairs of article and pieces, line by line.

    Orders that have been shipped or wholly refunded are not in it, nor are pieces that were given back.
    """
    return [
        (order.number, [(line.sku, left) for line, left in zip(order.lines, order.left_by_line(), strict=True) if left])
        for order in load_orders(log).values()
        if not order.shipped_on and not order.is_refunded
    ]
