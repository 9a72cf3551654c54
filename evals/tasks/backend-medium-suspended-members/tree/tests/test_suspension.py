import unittest

from wiki.site import Site


class SuspensionTest(unittest.TestCase):
    def test_a_suspended_reader(self):
        site = Site()
        site.members.add("ada", "ada@wiki.example")
        site.members.add("ben", "ben@wiki.example")
        site.members.grant("ben", "lab", "reader")
        site.pages.add("Plans", "lab", "ada", "secret plans")
        site.members.suspend("ben")
        self.assertEqual(site.view("ben", "Plans"), (403, "not allowed"))
        site.members.resume("ben")
        self.assertEqual(site.view("ben", "Plans"), (200, "secret plans"))


if __name__ == "__main__":
    unittest.main()
