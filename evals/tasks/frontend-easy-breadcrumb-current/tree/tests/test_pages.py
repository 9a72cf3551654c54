import unittest

from recipes.breadcrumb import breadcrumb
from recipes.pages import category_page, recipe_page


class PagesTest(unittest.TestCase):
    def test_no_trail_no_navigation(self):
        self.assertEqual(breadcrumb([]), "")

    def test_category_page_links_to_its_recipes(self):
        self.assertIn('<a href="/soups/leek-soup.html">Leek soup</a>', category_page(["Soups"], ["Leek soup"]))

    def test_recipe_page_has_the_way_back(self):
        text = recipe_page(["Soups", "Cold"], "Gazpacho", ["Blend.", "Chill."])
        self.assertIn('<li><a href="/soups/cold/">Cold</a></li>', text)
        self.assertIn('<ol class="steps"><li>Blend.</li><li>Chill.</li></ol>', text)


if __name__ == "__main__":
    unittest.main()
