"""Paths as git writes them in a diff: in quotes, with C's escapes, where they hold a quote, a backslash or a control.

Invariant: `unquoted(quoted(path)) == path`. Left out: octal escapes of what can be printed, which git takes as it is.
"""

from __future__ import annotations

import re

_ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_LETTERS = {character: letter for letter, character in _ESCAPES.items()}
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]')
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)


def quoted(path: str) -> str:
    if not _SPECIAL.search(path):
        return path
    return '"' + _SPECIAL.sub(lambda found: "\\" + _LETTERS.get(found[0], f"{ord(found[0]):03o}"), path) + '"'


def unquoted(name: str) -> str:
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    return _ESCAPED.sub(_character, name[1:-1].encode()).decode(errors="replace")


def _character(found: re.Match[bytes]) -> bytes:
    escaped = found[1].decode(errors="replace")
    return bytes([int(escaped, 8)]) if len(escaped) == 3 else _ESCAPES.get(escaped, escaped).encode()
