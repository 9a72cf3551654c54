import unittest

from tickets.settings import read_settings


class SettingsTest(unittest.TestCase):
    def test_queues_are_a_list(self):
        environment = {"DATABASE_URL": "a", "CACHE_URL": "b", "QUEUES": "orders,mails"}
        self.assertEqual(read_settings(environment)["queues"], ["orders", "mails"])

    def test_a_missing_setting(self):
        with self.assertRaises(KeyError):
            read_settings({"DATABASE_URL": "a"})


if __name__ == "__main__":
    unittest.main()
