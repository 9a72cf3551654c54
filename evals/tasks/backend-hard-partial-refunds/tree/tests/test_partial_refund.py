import unittest

from store.handlers import post_order, post_refund
from store.log import EventLog
from store.reports import revenue


class PartialRefundTest(unittest.TestCase):
    def test_two_of_four_mugs(self):
        log = EventLog()
        mugs = {"sku": "mug", "quantity": 4, "unit_cents": 500}
        post_order(log, {"lines": [mugs], "shipping_cents": 390}, "2024-06-01")
        answer = post_refund(log, 1, {"pieces": [{"line": 1, "quantity": 2}]}, "2024-06-03")
        self.assertEqual(answer, (201, {"order": 1, "refunded_cents": 1000}))
        self.assertEqual(revenue(log, "2024-06-03"), -1000)


if __name__ == "__main__":
    unittest.main()
