"""Reads the text of unit files, in systemd's syntax."""

from dataclasses import dataclass


class UnitError(Exception):
    """A file is no unit file; the message says where."""


@dataclass(frozen=True)
class Assignment:
    section: str
    key: str
    value: str
    path: str
    """Of the file that it stands in."""
    line: int
    """That it begins on."""


def parse(text, path):
    """The assignments in a file, in order."""
    section = None
    found = []
    for line, content in _logical_lines(text):
        if content.startswith("["):
            if not content.endswith("]"):
                raise UnitError(f"{path}:{line}: not a section")
            section = content[1:-1]
            continue
        key, equals, value = content.partition("=")
        if not equals:
            raise UnitError(f"{path}:{line}: not an assignment")
        if section is None:
            raise UnitError(f"{path}:{line}: outside any section")
        found.append(Assignment(section, key.strip(), value.strip(), path, line))
    return found


def _logical_lines(text):
    """Number and content of each line that says something; a backslash at its end joins the next one to it."""
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", ";")):
            continue  # within joined lines, too
        start = start if joined else number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        if (joined + line).strip():
            yield start, (joined + line).strip()
        joined = ""
    if joined.strip():
        yield start, joined.strip()
