import unittest

from accounts.profile import get_profile, patch_profile
from accounts.store import ProfileStore


class ProfileTest(unittest.TestCase):
    def setUp(self):
        self.store = ProfileStore()
        self.store.add(7, name="Ada Moss", email="ada@moss.example", phone="+4930123456")

    def patch(self, **body):
        return patch_profile(self.store, 7, body)

    def test_changes_what_is_given(self):
        status, profile = self.patch(nickname=" Ada ", birthday="1990-02-28")
        self.assertEqual(status, 200)
        self.assertEqual((profile["nickname"], profile["birthday"]), ("Ada", "1990-02-28"))
        self.assertEqual(profile["phone"], "+4930123456")

    def test_changes_nothing_if_there_is_a_problem(self):
        status, body = self.patch(name="Ada", phone="none of your business", shoe_size=39)
        self.assertEqual(status, 422)
        self.assertEqual(body["problems"], {"phone": "is no phone number", "shoe_size": "unknown field"})
        self.assertEqual(get_profile(self.store, 7)[1]["name"], "Ada Moss")

    def test_logs_what_differs(self):
        self.patch(name="Ada Moss", email="ADA@new.example")
        self.assertEqual(
            self.store.changes(7),
            [{"member": 7, "field": "email", "before": "ada@moss.example", "after": "ada@new.example"}],
        )

    def test_null_clears_the_phone_number(self):
        status, profile = self.patch(phone=None)
        self.assertEqual((status, profile["phone"]), (200, None))


if __name__ == "__main__":
    unittest.main()
