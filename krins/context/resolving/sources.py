"""The files of a tree as resolving sees them: by number, by path, and by the end of their path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from krins.context.facts import FileFacts
from krins.interfaces import IntArray


class Sources:
    """Files are numbered by their place in `paths`."""

    def __init__(self, paths: Sequence[str], facts: Sequence[FileFacts], definition_units: Sequence[IntArray]) -> None:
        """`definition_units` are, of each file, the file's unit that each definition stands in."""
        self.paths = paths
        self.facts = facts
        self.definition_units = definition_units
        self.ids: Mapping[str, int] = {path: file for file, path in enumerate(paths)}

    def ending(self, path: str) -> list[int]:
        """Files whose path is `path` or ends in it, at a slash."""
        same_name = self._by_name.get(path.rpartition("/")[2], ())
        return [file for file in same_name if f"/{self.paths[file]}".endswith(f"/{path}")]

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[int]]:
        by_name: dict[str, list[int]] = defaultdict(list)
        for file, path in enumerate(self.paths):
            by_name[path.rpartition("/")[2]].append(file)
        return by_name
