"""All orders of a customer as CSV, for their bookkeeping."""

from shop.orders import OrderRepository

PER_PAGE = 50


def export_orders(connection, customer_id):
    """One line an order, the latest first, below a line of headings."""
    repository = OrderRepository(connection)
    lines = ["order;placed on;status;total"]
    skip = 0
    while page := repository.page(customer_id, PER_PAGE, skip=skip):
        lines += [_line(order) for order in page]
        skip += len(page)
    return "\n".join(lines) + "\n"


def _line(order):
    whole, cents = divmod(order["total_cents"], 100)
    return f"{order['id']};{order['placed_on']};{order['status']};{whole},{cents:02d}"
