import unittest

from keepsafe.rotation import date_of, kept, matches


class RotationTest(unittest.TestCase):
    def test_the_date_is_in_the_name(self):
        self.assertEqual(str(date_of("db-2024-03-09.tar.gz")), "2024-03-09")
        self.assertIsNone(date_of("notes.txt"))

    def test_several_patterns(self):
        self.assertTrue(matches("a.tar.zst", "*.tar.gz|*.tar.zst"))
        self.assertFalse(matches("a.zip", "*.tar.gz|*.tar.zst"))

    def test_the_newest_of_each_period_stays(self):
        names = [f"db-2024-03-{day:02d}.tar.gz" for day in range(1, 11)]
        self.assertEqual(kept(names, 2, 0, 0), names[-2:])
        self.assertEqual(kept(names, 0, 2, 0), ["db-2024-03-03.tar.gz", "db-2024-03-10.tar.gz"])
