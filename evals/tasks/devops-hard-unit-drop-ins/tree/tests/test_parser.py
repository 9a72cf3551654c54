import unittest

from unitlint.parser import Assignment, UnitError, parse


class ParserTest(unittest.TestCase):
    def test_joined_lines(self):
        text = "[Service]\nExecStart=/bin/a \\\n# why\n  --b\nUser=c\n"
        self.assertEqual(
            parse(text, "x.service"),
            [
                Assignment("Service", "ExecStart", "/bin/a    --b", "x.service", 2),
                Assignment("Service", "User", "c", "x.service", 5),
            ],
        )

    def test_outside_any_section(self):
        with self.assertRaisesRegex(UnitError, "x.service:1: outside any section"):
            parse("User=c\n", "x.service")


if __name__ == "__main__":
    unittest.main()
