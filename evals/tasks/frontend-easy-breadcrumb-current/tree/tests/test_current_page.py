import unittest

from recipes.breadcrumb import breadcrumb


class CurrentPageTest(unittest.TestCase):
    def test_last_entry_is_no_link(self):
        text = breadcrumb([("Home", "/"), ("Soups", "/soups/")])
        self.assertIn('<li><a href="/">Home</a></li>', text)
        self.assertIn('aria-current="page"', text)
        self.assertNotIn('href="/soups/"', text)


if __name__ == "__main__":
    unittest.main()
