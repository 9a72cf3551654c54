import unittest

from larder.units import factor


class UnitsTest(unittest.TestCase):
    def test_kinds_are_apart(self):
        self.assertEqual(factor("cup", "ml"), (240, 1))
        with self.assertRaises(ValueError):
            factor("g", "ml")
