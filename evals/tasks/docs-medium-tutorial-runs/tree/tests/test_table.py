import unittest
from fractions import Fraction

from rowboat import NoSuchColumn, Table, at_least, one_of


class TableTest(unittest.TestCase):
    def setUp(self):
        self.table = Table({"name": ["a", "b", "c"], "size": [2, 10, 2]})

    def test_rows(self):
        self.assertEqual(self.table.where(size=at_least(3))["name"], ("b",))
        self.assertEqual(self.table.where(size=2, name=one_of("b", "c"))["name"], ("c",))

    def test_order(self):
        self.assertEqual(self.table.sorted_by("size")["name"], ("a", "c", "b"))

    def test_sums(self):
        self.assertEqual(self.table.count_by("size"), {2: 2, 10: 1})
        self.assertEqual(self.table.mean("size"), Fraction(14, 3))

    def test_no_such_column(self):
        with self.assertRaises(NoSuchColumn):
            self.table["weight"]
