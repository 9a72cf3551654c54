"""Requests that add to the log, as functions to a status and a body."""

from store.orders import load_orders


def post_order(log, body, day):
    """POST /orders. The body has `lines` and may have `discount_cents` and `shipping_cents`."""
    lines = body.get("lines") or []
    if not lines or any(line["quantity"] < 1 or line["unit_cents"] < 0 for line in lines):
        return 422, {"error": "an order has lines of at least one piece"}
    goods = sum(line["quantity"] * line["unit_cents"] for line in lines)
    discount = body.get("discount_cents", 0)
    if not 0 <= discount <= goods:
        return 422, {"error": "the discount is more than the goods"}
    number = len(load_orders(log)) + 1
    shipping = body.get("shipping_cents", 0)
    log.append(
        {
            "type": "placed",
            "order": number,
            "day": day,
            "lines": lines,
            "discount_cents": discount,
            "shipping_cents": shipping,
        }
    )
    return 201, {"order": number, "total_cents": goods - discount + shipping}


def post_shipment(log, number, day):
    """POST /orders/NUMBER/shipment"""
    order = load_orders(log).get(number)
    if order is None:
        return 404, {"error": "no such order"}
    if order.shipped_on or order.refunded_on:
        return 409, {"error": "there is nothing to ship"}
    log.append({"type": "shipped", "order": number, "day": day})
    return 201, {"order": number}


def post_refund(log, number, body, day):
    """POST /orders/NUMBER/refunds gives back all that was paid, shipping included."""
    order = load_orders(log).get(number)
    if order is None:
        return 404, {"error": "no such order"}
    if order.refunded_on:
        return 409, {"error": "there is nothing to refund"}
    log.append({"type": "refunded", "order": number, "day": day})
    return 201, {"order": number, "refunded_cents": order.total_cents}
