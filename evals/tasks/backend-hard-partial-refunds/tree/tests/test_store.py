import unittest

from store.handlers import post_order, post_refund, post_shipment
from store.log import EventLog
from store.picking import to_pack
from store.receipts import receipt
from store.reports import pieces_sold, revenue

MUGS = {"sku": "mug", "quantity": 3, "unit_cents": 500}
BOOK = {"sku": "book", "quantity": 1, "unit_cents": 1200}


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.log = EventLog()

    def order(self, *lines, **more):
        return post_order(self.log, {"lines": lines, **more}, "2024-06-01")

    def test_order(self):
        self.assertEqual(
            self.order(MUGS, BOOK, discount_cents=100, shipping_cents=390), (201, {"order": 1, "total_cents": 2990})
        )
        self.assertEqual(to_pack(self.log), [(1, [("mug", 3), ("book", 1)])])
        self.assertEqual(pieces_sold(self.log), {"mug": 3, "book": 1})

    def test_shipment(self):
        self.order(MUGS)
        self.assertEqual(post_shipment(self.log, 1, "2024-06-02")[0], 201)
        self.assertEqual(post_shipment(self.log, 1, "2024-06-02")[0], 409)
        self.assertEqual(to_pack(self.log), [])

    def test_refund(self):
        self.order(MUGS, shipping_cents=390)
        self.assertEqual(post_refund(self.log, 1, {}, "2024-06-03"), (201, {"order": 1, "refunded_cents": 1890}))
        self.assertEqual(post_refund(self.log, 1, {}, "2024-06-04")[0], 409)
        self.assertEqual(pieces_sold(self.log), {})
        self.assertEqual((revenue(self.log, "2024-06-01"), revenue(self.log, "2024-06-03")), (1890, -1890))

    def test_receipt(self):
        self.order(MUGS, discount_cents=100)
        self.assertEqual(
            receipt(self.log, 1),
            "3 x mug                    15.00\nDiscount                   -1.00\nTotal                      14.00\n",
        )


if __name__ == "__main__":
    unittest.main()
