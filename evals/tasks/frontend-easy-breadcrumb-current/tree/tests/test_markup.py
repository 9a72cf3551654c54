import unittest

from recipes.markup import Markup, element


class ElementTest(unittest.TestCase):
    def test_text_is_escaped(self):
        self.assertEqual(element("p", {}, "a < b"), "<p>a &lt; b</p>")

    def test_markup_is_not_escaped_again(self):
        self.assertEqual(element("p", {}, Markup("<b>now</b>"), None), "<p><b>now</b></p>")

    def test_attributes(self):
        self.assertEqual(element("img", {"alt": 'a "pot"'}), '<img alt="a &quot;pot&quot;">')


if __name__ == "__main__":
    unittest.main()
