import unittest

from store.allocation import spread


class SpreadTest(unittest.TestCase):
    def test_nothing_is_lost(self):
        self.assertEqual(spread(100, [1, 1, 1]), [34, 33, 33])
        self.assertEqual(spread(10, [3, 1, 2]), [5, 2, 3])

    def test_nothing_to_go_by(self):
        self.assertEqual(spread(0, [0, 0]), [0, 0])


if __name__ == "__main__":
    unittest.main()
