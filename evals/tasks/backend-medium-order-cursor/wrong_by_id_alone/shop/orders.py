"""Orders in the database."""

STATUSES = ("open", "shipped", "cancelled")
COLUMNS = ("id", "placed_on", "status", "total_cents")


class OrderRepository:
    def __init__(self, connection):
        self._connection = connection

    def place(self, customer_id, placed_on, total_cents, status="open"):
        """Store an order and return its id."""
        with self._connection:
            cursor = self._connection.execute(
                "INSERT INTO orders (customer_id, placed_on, total_cents, status) VALUES (?, ?, ?, ?)",
                (customer_id, placed_on, total_cents, status),
            )
        return cursor.lastrowid

    def set_status(self, order_id, status):
        with self._connection:
            self._connection.execute("UPDATE orders SET status = ? WHERE id = ?", (status, order_id))

    def delete(self, order_id):
        """For orders that were entered twice."""
        with self._connection:
            self._connection.execute("DELETE FROM orders WHERE id = ?", (order_id,))

    def page(self, customer_id, limit, before=None, status=None):
        """At most `limit` orders of a customer, the latest first, placed before the day `before` if it is given."""
        conditions, values = ["customer_id = ?"], [customer_id]
        if before is not None:
            day, order_id = before
            conditions.append("id < ?" if order_id else "placed_on < ?")
            values.append(order_id or day)
        if status is not None:
            conditions.append("status = ?")
            values.append(status)
        rows = self._connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM orders WHERE {' AND '.join(conditions)}"
            " ORDER BY placed_on DESC, id DESC LIMIT ?",
            (*values, limit),
        )
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def turnover(self, customer_id):
        """Cents of all orders that were not cancelled."""
        row = self._connection.execute(
            "SELECT COALESCE(SUM(total_cents), 0) FROM orders WHERE customer_id = ? AND status <> 'cancelled'",
            (customer_id,),
        ).fetchone()
        return row[0]
