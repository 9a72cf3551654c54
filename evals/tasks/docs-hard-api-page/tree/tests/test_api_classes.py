import unittest
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs/api.md"


class ApiClassesTest(unittest.TestCase):
    def test_a_class_and_a_method(self):
        text = PAGE.read_text()
        self.assertIn("\n### Loan\n\n```python\nLoan(number, reader, begun, renewed=0)\n```\n", text)
        self.assertIn("\n#### Loan.renew\n\n```python\nrenew(times=1)\n```\n\nNot described.\n", text)

    def test_a_name_becomes_a_link(self):
        self.assertIn("Made by [`lend`](#lend), never directly.", PAGE.read_text())
