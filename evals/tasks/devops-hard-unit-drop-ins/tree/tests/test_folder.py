import unittest
from pathlib import Path

from unitlint.checks import check_all
from unitlint.environment import environment
from unitlint.order import start_order
from unitlint.units import load_units

FOLDER = Path(__file__).parent.parent / "units"


class FolderTest(unittest.TestCase):
    def test_nothing_is_wrong(self):
        self.assertEqual(check_all(load_units(FOLDER)), [])

    def test_order(self):
        self.assertEqual(start_order(FOLDER), ["database.service", "web.service"])

    def test_environment(self):
        units = load_units(FOLDER)
        self.assertEqual(environment(units["web.service"]), {"LANG": "C.UTF-8", "PORT": "8080"})


if __name__ == "__main__":
    unittest.main()
