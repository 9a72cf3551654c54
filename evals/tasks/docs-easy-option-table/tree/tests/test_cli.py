import unittest

from keepsafe.cli import make_parser


class ParserTest(unittest.TestCase):
    def test_short_spellings(self):
        options = make_parser().parse_args(["backups", "-m", "3", "-p", "*.zip", "-n"])
        self.assertEqual((options.keep_monthly, options.pattern, options.dry_run), (3, "*.zip", True))

    def test_the_lock_can_be_left_out(self):
        self.assertTrue(make_parser().parse_args(["backups"]).lock)
        self.assertFalse(make_parser().parse_args(["backups", "--no-lock"]).lock)
