"""Real commits as selection tasks: the message is the task, the parent tree the code, what changed is what is needed.

A commit counts if it changes code and tests of at most `MAX_FILES` files, with some code that was there before. The
task is its message without file names, paths, issue numbers and trailers, so that it does not name its answer. Needed
(*gold*) are the units, and their files, whose lines the commit changes or deletes, or in the midst of which it inserts;
what is inserted between two units needs no body, and of a file that is only added to that way the file alone is gold.
Gold of tests is kept apart. History is that of the parent.

Left out: renames (an old file is deleted, a new one added), merges, and what a commit should have changed.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from krins.context.graph import CodeGraph
from krins.context.history import Change, read_history
from krins.context.index import CodeIndex
from krins.context.naming import is_test
from krins.context.tree import GitTree, Listing

MAX_FILES = 40
MIN_WORDS = 3

_TRAILER = re.compile(
    r"^\s*(co-authored-by|signed-off-by|reviewed-by|closes?|fix(es)?|refs?|\(cherry|backport)\b.*[:#]", re.I
)
_FILE_NAMES = re.compile(r"\S*\.(py|pyi|rst|md|txt|toml|cfg|ya?ml|html|js|ts|c|h)\b|\S*\w/\w\S*|\(?#\d+\)?", re.I)
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+", re.M)


@dataclass(frozen=True)
class Case:
    """One commit as a task."""

    commit: str
    task: str
    tree: GitTree
    graph: CodeGraph
    history: Sequence[Change]
    gold_files: frozenset[int]
    gold_units: frozenset[int]
    gold_tests: frozenset[int]
    """Units of test files that the commit changes."""


class Moving:
    """A tree that stands at one commit after another, so that one index learns each content once."""

    def __init__(self) -> None:
        self.here: GitTree | None = None

    def list(self) -> Listing:
        assert self.here is not None
        return self.here.list()

    def read(self, path: str) -> bytes:
        assert self.here is not None
        return self.here.read(path)


def cases(repository: Path, n_cases: int, cache: Path | None = None) -> Iterator[Case]:
    """The last `n_cases` commits that count, newest first."""
    moving = Moving()
    index = CodeIndex(moving, cache)
    found = 0
    for name, message, files in _log(repository):
        if found == n_cases:
            return
        task = task_of(message)
        if not _counts(files) or len(task.split()) < MIN_WORDS:
            continue
        moving.here = GitTree(repository, f"{name}^")
        graph = index.update()
        changed = [path for status, path in files if status in "MD" and path in graph.file_ids]
        code = [path for path in changed if not is_test(path)]
        if not code:
            continue
        yield Case(
            commit=name,
            task=task,
            tree=moving.here,
            graph=graph,
            history=read_history(repository, f"{name}^"),
            gold_files=frozenset(graph.file_ids[path] for path in code),
            gold_units=_units(repository, name, graph, code),
            gold_tests=_units(repository, name, graph, [path for path in changed if is_test(path)]),
        )
        found += 1


def task_of(message: str) -> str:
    subject, *body = message.splitlines() or [""]
    return _FILE_NAMES.sub(" ", "\n".join([subject, *(line for line in body if not _TRAILER.match(line))])).strip()


def _counts(files: Sequence[tuple[str, str]]) -> bool:
    has_old_code = any(status in "MD" and not is_test(path) for status, path in files)
    return len(files) <= MAX_FILES and has_old_code and any(is_test(path) for _, path in files)


def _units(repository: Path, commit: str, graph: CodeGraph, paths: Sequence[str]) -> frozenset[int]:
    if not paths:
        return frozenset()
    units = set()
    for path in paths:
        file = graph.file_ids[path]
        unit_of_line = graph.facts[file].unit_of_line
        patch = _git(repository, "diff", "-U0", "--no-renames", f"{commit}^", commit, "--", path)
        for start, length in _HUNK.findall(patch):
            first, n = int(start) - 1, int(length or 1)
            if n:
                touched = unit_of_line[first : first + n].tolist()
            else:  # inserted after line `start`
                both = unit_of_line[first : first + 2].tolist()
                touched = both[:1] if first >= 0 and len(both) == 2 and both[0] == both[1] else []
            units |= {int(graph.first_unit[file]) + unit for unit in touched}
    return frozenset(units)


def _log(repository: Path) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Name, message, and status and path of each file."""
    text = _git(repository, "log", "--no-merges", "--no-renames", "--name-status", "-z", "--format=%x01%H%n%B", "HEAD")
    rows = text.split("\0")
    starts = [at for at, row in enumerate(rows) if row.startswith("\1")]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        name, _, message = rows[start][1:].partition("\n")
        files = [row.removeprefix("\n") for row in rows[start + 1 : end] if row.strip()]
        yield name, message.strip(), tuple(zip(files[::2], files[1::2], strict=True))


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=True)
    return done.stdout.decode(errors="replace")
