import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class PagesTest(unittest.TestCase):
    def test_examples_of_the_tutorial(self):
        command = [sys.executable, "tools/run_page.py", "docs/tutorial.md"]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual((ran.stdout.strip(), ran.returncode), ("", 0))
