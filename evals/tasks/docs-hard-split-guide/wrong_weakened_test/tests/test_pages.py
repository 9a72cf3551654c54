import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class PagesTest(unittest.TestCase):
    def test_links_lead_to_files(self):
        for page in ROOT.rglob("*.md"):
            for link in re.findall(r"\]\(([^)\s#]+)", page.read_text()):
                if "://" not in link:
                    self.assertTrue((page.parent / link).is_file(), f"{page.name}: {link}")

    def test_pages_are_in_the_navigation(self):
        pages = re.findall(r"page: (\S+)", (ROOT / "docs/nav.yml").read_text())
        found = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
        self.assertTrue(pages and found)
