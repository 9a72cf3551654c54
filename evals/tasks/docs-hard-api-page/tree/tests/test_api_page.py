import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class ApiPageTest(unittest.TestCase):
    def test_the_page_is_up_to_date(self):
        ran = subprocess.run([sys.executable, "tools/api_page.py", "--check"], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual((ran.stdout, ran.stderr, ran.returncode), ("", "", 0))

    def test_functions_are_on_it(self):
        text = (ROOT / "docs/api.md").read_text()
        self.assertIn("\n### is_open\n\n```python\nis_open(day, holidays=frozenset())\n```\n", text)
