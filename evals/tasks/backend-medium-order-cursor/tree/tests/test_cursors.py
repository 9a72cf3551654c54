import unittest

from shop.cursors import BadCursor, decode_cursor


class CursorsTest(unittest.TestCase):
    def test_what_is_no_cursor(self):
        for text in ("2023", "a", "%%%%", "eWVzdGVyZGF5", "MjAyMy0xMS0"):
            with self.subTest(text), self.assertRaises(BadCursor):
                decode_cursor(text)


if __name__ == "__main__":
    unittest.main()
