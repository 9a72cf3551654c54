"""One file of each language, named after it, in `sample_files/`; what is in them is in test_languages."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("sample_files")
SAMPLES = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
