"""Pictures in pages."""

from pathlib import PurePosixPath

WIDTHS = (480, 960, 1920)


def variants(path):
    """Names of a picture's sizes: `a/b.png` gives `a/b-480.png` and so on."""
    source = PurePosixPath(path)
    return [str(source.with_name(f"{source.stem}-{width}{source.suffix}")) for width in WIDTHS]


def figure(path, caption):
    return f"![{caption}]({path})\n*{caption}*"
