import unittest

from shop.customers import add_customer
from shop.export import export_orders
from shop.handlers import list_orders
from shop.orders import OrderRepository
from shop.schema import open_shop


class OrdersTest(unittest.TestCase):
    def setUp(self):
        self.connection = open_shop()
        self.customer = add_customer(self.connection, "Corner Shop")
        self.orders = OrderRepository(self.connection)

    def place(self, *days):
        return [self.orders.place(self.customer, day, 1000) for day in days]

    def pages(self, **query):
        pages, cursor = [], None
        while True:
            status, body = list_orders(
                self.connection, self.customer, {**query, **({"cursor": cursor} if cursor else {})}
            )
            self.assertEqual(status, 200)
            pages.append([order["id"] for order in body["orders"]])
            cursor = body["next_cursor"]
            if cursor is None:
                return pages

    def test_latest_orders_come_first(self):
        first, second, third = self.place("2024-03-01", "2024-03-05", "2024-03-02")
        self.assertEqual(self.pages(limit="2"), [[second, third], [first]])

    def test_no_page_follows_a_last_one_that_is_full(self):
        first, second = self.place("2024-03-01", "2024-03-02")
        self.assertEqual(self.pages(limit="2"), [[second, first]])

    def test_status(self):
        first, second = self.place("2024-03-01", "2024-03-02")
        self.orders.set_status(second, "shipped")
        self.assertEqual(self.pages(status="open"), [[first]])

    def test_bad_cursor(self):
        for cursor in ("?", "abc", "bm90IGEgZGF5"):
            self.assertEqual(
                list_orders(self.connection, self.customer, {"cursor": cursor}), (400, {"error": "bad cursor"})
            )

    def test_orders_of_one_day_on_two_pages(self):
        first, second, third = self.place("2024-03-01", "2024-03-01", "2024-03-01")
        self.assertEqual(self.pages(limit="2"), [[third, second], [first]])

    def test_export(self):
        self.orders.place(self.customer, "2024-03-01", 1205, "shipped")
        self.orders.place(self.customer, "2024-02-11", 99)
        self.assertEqual(
            export_orders(self.connection, self.customer),
            "order;placed on;status;total\n1;2024-03-01;shipped;12,05\n2;2024-02-11;open;0,99\n",
        )


if __name__ == "__main__":
    unittest.main()
