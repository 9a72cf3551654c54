"""Requests about orders, as functions to a status and a body."""

from shop.cursors import BadCursor, decode_cursor, encode_cursor
from shop.customers import customer_exists
from shop.orders import STATUSES, OrderRepository

MOST_PER_PAGE = 100


def list_orders(connection, customer_id, query):
    """GET /customers/ID/orders?limit=N&status=S&cursor=C. `query` holds the parameters as strings."""
    if not customer_exists(connection, customer_id):
        return 404, {"error": "no such customer"}
    limit = query.get("limit", "25")
    if not limit.isdecimal() or not 1 <= int(limit) <= MOST_PER_PAGE:
        return 400, {"error": f"limit must be a number from 1 to {MOST_PER_PAGE}"}
    status = query.get("status")
    if status is not None and status not in STATUSES:
        return 400, {"error": f"status must be one of {', '.join(STATUSES)}"}
    try:
        before = decode_cursor(query["cursor"]) if "cursor" in query else None
    except BadCursor:
        return 400, {"error": "bad cursor"}
    # One more than is shown tells whether there is a next page.
    found = OrderRepository(connection).page(customer_id, int(limit) + 1, before, status)
    shown = found[: int(limit)]
    more = len(found) > len(shown)
    return 200, {"orders": shown, "next_cursor": encode_cursor(shown[-1]["id"]) if more else None}
