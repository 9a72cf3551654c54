import re
import unittest
from pathlib import Path

import tidewatch
from tidewatch.convert import convert

ROOT = Path(__file__).parent.parent


class PackageTest(unittest.TestCase):
    def test_the_package_knows_its_version(self):
        stated = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        self.assertEqual(tidewatch.__version__, stated.group(1))

    def test_every_release_has_a_link(self):
        text = (ROOT / "CHANGELOG.md").read_text()
        for name in re.findall(r"^## \[(.*?)\]", text, re.MULTILINE):
            self.assertIn(f"\n[{name}]: https://", text)

    def test_heights(self):
        harbour = tidewatch.Harbour("x", [{"cm": 150, "hours": 12, "phase": 0}])
        self.assertEqual((harbour.height(0), harbour.height_cm(12)), (1.5, 150))

    def test_old_format(self):
        self.assertIn('"cm": 150.0', convert("x\n150 12.4 0\n"))
