"""Helpers for texts: what to look for, and how much to show."""

EXCERPT_LENGTH = 60


def like_pattern(text):
    """A pattern for LIKE with ESCAPE '\\' that finds `text` as it stands, anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def excerpt(body, length=EXCERPT_LENGTH):
    """The beginning of a body on one line, cut at `length` characters."""
    line = " ".join(body.split())
    return line if len(line) <= length else line[: length - 3].rstrip() + "..."
