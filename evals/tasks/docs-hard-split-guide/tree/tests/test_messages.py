import unittest

from portside.messages import explain


class MessagesTest(unittest.TestCase):
    def test_known_failures_have_a_link(self):
        self.assertRegex(explain("Permission denied"), r"^Permission denied \(see https://.*#ports-below-1024\)$")

    def test_others_have_none(self):
        self.assertEqual(explain("Out of cheese"), "Out of cheese")
