import unittest

from accounts.greeting import has_birthday, salutation


class GreetingTest(unittest.TestCase):
    def test_nickname_comes_first(self):
        self.assertEqual(salutation({"name": "Ada Moss", "nickname": "Addie"}), "Dear Addie")
        self.assertEqual(salutation({"name": "Ada Moss", "nickname": None}), "Dear Ada Moss")

    def test_birthday(self):
        self.assertTrue(has_birthday({"birthday": "1990-02-28"}, "2024-02-28"))
        self.assertFalse(has_birthday({"birthday": None}, "2024-02-28"))


if __name__ == "__main__":
    unittest.main()
