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
    if order.shipped_on or order.is_refunded:
        return 409, {"error": "there is nothing to ship"}
    log.append({"type": "shipped", "order": number, "day": day})
    return 201, {"order": number}


def post_refund(log, number, body, day):
    """POST /orders/NUMBER/refunds. The body may have `pieces`; without them, everything that is left is given back.

    The last piece brings back the shipping, too.
    """
    order = load_orders(log).get(number)
    if order is None:
        return 404, {"error": "no such order"}
    if order.is_refunded:
        return 409, {"error": "there is nothing to refund"}
    pieces = _pieces_by_line(order, body["pieces"]) if "pieces" in body else order.left_by_line()
    if pieces is None:
        return 422, {"error": "pieces must be some of those that are left"}
    order.give_back(pieces, day)
    log.append({"type": "refunded", "order": number, "day": day, "pieces": pieces})
    cents = order.refunds[-1].cents if "pieces" in body else order.total_cents
    return 201, {"order": number, "refunded_cents": cents}


def _pieces_by_line(order, entries):
    """How many pieces of each line a request gives back; None if that cannot be."""
    left = order.left_by_line()
    pieces = [0 for _ in left]
    for entry in entries:
        line, quantity = entry["line"], entry["quantity"]
        if type(line) is not int or not 1 <= line <= len(left) or type(quantity) is not int or quantity < 1:
            return None
        pieces[line - 1] += quantity
    if not entries or any(wanted > there for wanted, there in zip(pieces, left, strict=True)):
        return None
    return pieces
