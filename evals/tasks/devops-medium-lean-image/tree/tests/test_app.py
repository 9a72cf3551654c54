import unittest

from guestbook.app import page


class PageTest(unittest.TestCase):
    def test_entries_are_escaped(self):
        self.assertIn("<li><b>Ann</b> &lt;3</li>", page([("Ann", "<3")]))


if __name__ == "__main__":
    unittest.main()
