import unittest

from wiki.digest import recipients
from wiki.site import Site


class SiteTest(unittest.TestCase):
    def setUp(self):
        self.site = Site()
        for name in ("ada", "ben", "cy"):
            self.site.members.add(name, f"{name}@wiki.example")
        self.site.members.grant("ada", "lab", "admin")
        self.site.members.grant("ben", "lab", "reader")
        self.site.pages.add("Plans", "lab", "ada", "secret plans")
        self.site.pages.add("Welcome", "lab", "ada", "plans for all", public=True)

    def test_private_pages(self):
        self.assertEqual(self.site.view("ben", "Plans"), (200, "secret plans"))
        self.assertEqual(self.site.view("cy", "Plans"), (403, "not allowed"))
        self.assertEqual(self.site.view(None, "Plans"), (401, "sign in"))
        self.assertEqual(self.site.view(None, "Welcome"), (200, "plans for all"))

    def test_roles(self):
        self.assertEqual(self.site.save("ben", "Plans", "lab", "better plans")[0], 403)
        self.assertEqual(self.site.grant("ada", "ben", "lab", "editor")[0], 200)
        self.assertEqual(self.site.save("ben", "Plans", "lab", "better plans")[0], 200)
        self.assertEqual(self.site.history("ada", "Plans"), (200, ["ada", "ben"]))

    def test_search(self):
        self.assertEqual(self.site.search("ben", "plans"), (200, ["Plans", "Welcome"]))
        self.assertEqual(self.site.search(None, "PLANS"), (200, ["Welcome"]))

    def test_uploaders_keep_their_files(self):
        self.site.members.grant("cy", "lab", "editor")
        self.site.attach("cy", "Plans", "map.txt", "x marks it")
        self.site.members.get("cy").roles.clear()
        self.assertEqual(self.site.download("cy", "Plans", "map.txt"), (200, "x marks it"))

    def test_tokens(self):
        self.site.tokens.register("ben", "s3cret")
        self.assertEqual(self.site.api("s3cret", "view", "Plans"), (200, "secret plans"))
        self.assertEqual(self.site.api("guess", "view", "Plans"), (401, "unknown token"))

    def test_digest(self):
        self.site.members.get("ada").wants_digest = False
        self.assertEqual(recipients(self.site.members, "lab"), ["ben@wiki.example"])


if __name__ == "__main__":
    unittest.main()
