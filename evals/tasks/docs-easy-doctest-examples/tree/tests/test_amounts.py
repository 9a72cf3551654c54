import unittest
from fractions import Fraction

from larder.amounts import format_amount, is_exact, parse_amount, shopping_list


class AmountsTest(unittest.TestCase):
    def test_reading_and_writing(self):
        for text in ("1 1/2 cup", "250 g", "1/4 l", "0 oz"):
            self.assertEqual(format_amount(parse_amount(text)), text)

    def test_no_amount(self):
        for text in ("salt", "", "250"):
            with self.assertRaises((ValueError, IndexError)):
                parse_amount(text)

    def test_sums(self):
        self.assertEqual(shopping_list([("milk", (1, "l")), ("milk", (Fraction(1), "cup"))]), {"milk": "1 6/25 l"})

    def test_exact(self):
        self.assertTrue(is_exact((Fraction(1, 2), "kg"), "g"))
