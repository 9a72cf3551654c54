import doctest
import unittest

from larder import amounts


class ExamplesTest(unittest.TestCase):
    def test_examples_hold(self):
        self.assertEqual(doctest.testmod(amounts, report=False).failed, 0)
