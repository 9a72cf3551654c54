import re
import unittest
from pathlib import Path

STYLES = Path(__file__).parent.parent / "styles"


class StylesTest(unittest.TestCase):
    def test_only_the_tokens_name_colours(self):
        for name in ("base.css", "components.css"):
            self.assertIsNone(re.search(r"#[0-9a-fA-F]{3,8}\b", (STYLES / name).read_text()), name)

    def test_every_token_that_is_used_is_there(self):
        tokens = (STYLES / "tokens.css").read_text()
        for name in ("base.css", "components.css"):
            for token in re.findall(r"var\((--[\w-]+)\)", (STYLES / name).read_text()):
                self.assertIn(f"{token}:", tokens)


if __name__ == "__main__":
    unittest.main()
