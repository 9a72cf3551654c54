"""SQL scripts in a folder, by name: `0001_parts.sql` comes before `0002_shelves.sql`."""

import re
from pathlib import Path

NAME = re.compile(r"[0-9]{4}_[a-z0-9_]+\.sql")


def read_scripts(folder):
    """Pairs of name (without the ending) and text, in order; other files are left aside."""
    paths = sorted(path for path in Path(folder).iterdir() if NAME.fullmatch(path.name))
    return [(path.stem, path.read_text(encoding="utf-8")) for path in paths]
