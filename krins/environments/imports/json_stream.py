"""Large JSON, a piece at a time: the items of an array, or of an array inside an object, or of JSON lines.

Invariants: memory holds one item and some text around it; what is not JSON is an error that says how far it could be
read. Left out: arrays further inside, which come as one value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from krins.errors import TableError, boundary

_BLOCK = 1 << 16
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def members(path: Path, array: str) -> Iterator[tuple[str, Any]]:
    """The members (key, value) of the object in a file, and each item of its member `array` as a member of its own.

    Where the file holds an array, or JSON lines (`.jsonl`), what is in it comes as members called `array`.

    Raises:
        TableError: the file cannot be read, or is no JSON.
    """
    unreadable = boundary(
        TableError, f"{path}: cannot be read", "is it what its name says?", catch=(OSError, ValueError)
    )
    with unreadable, path.open(encoding="utf-8-sig") as file:
        reader = _Reader(file, path)
        if path.suffix == ".jsonl":
            while reader.peek():
                yield array, reader.value()
            return
        opening = reader.peek()
        if opening == "[":
            yield from ((array, item) for item in reader.items())
        elif opening == "{":
            yield from reader.members(array)
        reader.end(is_anything=opening in ("[", "{"))


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Reader:
    """A cursor over JSON text; `n_items` items of arrays lie behind it."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._text = ""
        self._at = 0
        self._n_items = 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._at = _end_of_space(self._text, self._at)
            if self._at < len(self._text) or not self._more(_BLOCK):
                return self._text[self._at : self._at + 1]

    def value(self) -> Any:
        """The value that begins here. A number at the end of what was read may go on, so then more is read."""
        size = _BLOCK
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise self._broken("nested too deeply") from None
            except ValueError:
                if not self._more(size):
                    raise self._broken() from None
            else:
                if end < len(self._text) or not self._more(size):
                    self._at = end
                    return value
            size *= 2  # so that a long value is not parsed again for each block of it

    def items(self) -> Iterator[Any]:
        """What is in the array that begins here."""
        self._expect("[")
        while self.peek() != "]":
            yield self.value()
            self._n_items += 1
            if self.peek() != "]":
                self._expect(",")
        self._expect("]")

    def members(self, array: str) -> Iterator[tuple[str, Any]]:
        """What is in the object that begins here, with its member `array` item by item."""
        self._expect("{")
        while self.peek() != "}":
            key = self.value()
            self._expect(":")
            if key == array and self.peek() == "[":
                yield from ((key, item) for item in self.items())
            else:
                yield key, self.value()
            if self.peek() != "}":
                self._expect(",")
        self._expect("}")

    def end(self, is_anything: bool) -> None:
        """Raises TableError where there is more, or was nothing."""
        if self.peek() or not is_anything:
            raise self._broken()

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise self._broken()
        self._at += 1

    def _more(self, size: int) -> bool:
        block = self._file.read(size)
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)

    def _broken(self, how: str = "no JSON, or cut off") -> TableError:
        behind = f" after {self._n_items:,} records" if self._n_items else ""
        return TableError(
            f"{self._path}: {how},{behind} before {self._text[self._at : self._at + 40]!r}",
            "write the log out again",
        )
