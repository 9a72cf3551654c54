"""What the people in the warehouse have to pack."""

from store.orders import load_orders


def to_pack(log):
    """Pairs of an order's number and what goes into its parcel, as pairs of article and pieces, line by line.

    Orders that have been shipped or refunded are not in it.
    """
    return [
        (order.number, [(line.sku, line.quantity) for line in order.lines])
        for order in load_orders(log).values()
        if not order.shipped_on and not order.refunded_on
    ]
