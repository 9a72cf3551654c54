import unittest

from tools.contrast import contrast


class ContrastTest(unittest.TestCase):
    def test_extremes(self):
        self.assertAlmostEqual(contrast("#000000", "#ffffff"), 21)
        self.assertEqual(contrast("#1c2733", "#1c2733"), 1)

    def test_either_way_round(self):
        self.assertEqual(contrast("#0b5cad", "#ffffff"), contrast("#ffffff", "#0b5cad"))

    def test_a_known_pair(self):
        self.assertEqual(round(contrast("#777777", "#ffffff"), 2), 4.48)


if __name__ == "__main__":
    unittest.main()
