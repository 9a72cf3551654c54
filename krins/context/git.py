"""Git as code context uses it: which files there are, and what they hold.

Names are bytes, as git has them. All raise `GitMissing` where git is not installed, `NoRepository` where the folder is
in none, and ContextError with git's own words where it fails otherwise.

Invariants: git looks at the repository of the folder that it is asked in, whatever a hook around it has set. Left out:
anything that changes a repository.
"""

from __future__ import annotations

import os
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from krins.errors import ContextError

_LOCATIONS = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "COMMON_DIR", "NAMESPACE", "OBJECT_DIRECTORY"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "QUARANTINE_PATH", "CONFIG", "GRAFT_FILE", "SHALLOW_FILE"),
    )
)
"""Set inside git's hooks; they would make git look at another repository."""
_DAMAGED = "look with `git fsck` whether the repository is whole"


_UNKNOWN_SIZES = {b"-": 0, b"BAD": -1}
LINK, SUBMODULE = b"120000", b"160000"
"""Modes in git's index and trees."""


class GitMissing(ContextError):
    """There is no git on this machine."""


class NoRepository(ContextError):
    """A folder is in no git repository."""


class Committed(NamedTuple):
    """A file of a commit."""

    name: bytes
    mode: bytes
    blob: str
    size: int
    """Bytes; 0 for a submodule, whose content is elsewhere, and -1 where the repository lacks the content."""


def commit_name(repository: Path, commit: str) -> str:
    """The full name of a commit."""
    done = _run(repository, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    if done.returncode:
        raise ContextError(f"{repository}: no commit {commit!r}: {_words(done)}", "`git log` lists the commits")
    return done.stdout.decode().strip()


def has_commits(folder: Path) -> bool:
    """Whether anything was ever committed to what is checked out."""
    done = _run(folder, "rev-parse", "--quiet", "--verify", "HEAD")
    return done.returncode == 0 or bool(done.stderr.strip())  # git is silent where HEAD is not there yet


def committed(folder: Path, commit: str) -> Iterator[Committed]:
    """The files of a commit; those below `folder`, with names relative to it, where that is inside a work tree."""
    for row in _rows(folder, "ls-tree", "-r", "-z", "-l", commit):
        head, _, name = row.partition(b"\t")
        mode, _, blob, size = head.split()
        yield Committed(name, mode, blob.decode(), int(size) if size.isdigit() else _UNKNOWN_SIZES[size])


def tracked(folder: Path) -> Mapping[bytes, bytes] | None:
    """Modes of files below `folder` in git's index, by name relative to it; the same object while they are the same.

    None without git, outside a work tree, and in a folder that git is told to ignore: git cannot tell files there.
    """
    try:
        printed = _printed(folder, "ls-files", "-z", "--stage")
    except (GitMissing, NoRepository):
        return None
    if not printed and _run(folder, "check-ignore", "--quiet", ".").returncode != 1:
        return None
    return _modes(printed)


@lru_cache(4)
def _modes(printed: bytes) -> Mapping[bytes, bytes]:
    """Of rows `MODE BLOB STAGE`, a tab, the name; a file with merge conflicts has several stages."""
    return MappingProxyType({row.partition(b"\t")[2]: row[: len(LINK)] for row in printed.split(b"\0")[:-1]})


def untracked(folder: Path, *options: str) -> list[bytes]:
    """Files that are neither in the index nor ignored; another repository inside is one name that ends in "/"."""
    return _rows(folder, "ls-files", "-z", "--others", "--exclude-standard", *options)


def log(folder: Path, commit: str, n_commits: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Message and changed files below `folder` (relative to it) of the last commits, newest first, merges left out."""
    options = ("--no-merges", "--name-only", "--no-renames", "--relative", "-z", "--format=%x01%B")
    rows = _rows(folder, "log", *options, f"--max-count={n_commits}", commit, "--", ".")
    # A commit is its message and then its files, each ended by NUL, which none of them holds; a message begins with \1.
    starts = [at for at, row in enumerate(rows) if row.startswith(b"\1")]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        message, *paths = (row.decode(errors="replace") for row in rows[start:end])
        yield message[1:].strip(), tuple(path for path in (path.removeprefix("\n") for path in paths) if path)


class Blobs:
    """Contents by the names of their blobs, out of a `git cat-file --batch` that lives as long as this object.

    May be used from several threads.
    """

    def __init__(self, repository: Path) -> None:
        self._process = subprocess.Popen(
            ["git", "-C", str(repository), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        self._lock = threading.Lock()
        weakref.finalize(self, _end, self._process)

    def content(self, blob: str) -> bytes:
        """The bytes of a blob.

        Raises:
            ContextError: the repository does not have it, or git has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            try:
                stdin.write(f"{blob}\n".encode())
                stdin.flush()
            except OSError:
                raise ContextError("git cat-file has ended", _DAMAGED) from None
            # `NAME blob SIZE`; anything else, such as the rest of an answer that was interrupted, is no answer.
            head = stdout.readline().split()
            if head[:2] != [blob.encode(), b"blob"]:
                raise ContextError(f"git has no content {blob}", _DAMAGED)
            content = stdout.read(int(head[2]))
            stdout.read(1)
        return content


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()  # a forked process may hold the pipe open, so that closing it here does not end it
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(BrokenPipeError):
            pipe.close()
    process.wait()


def _rows(folder: Path, *arguments: str) -> list[bytes]:
    """What git prints, in its format of rows that end in NUL."""
    return _printed(folder, *arguments).split(b"\0")[:-1]


def _printed(folder: Path, *arguments: str) -> bytes:
    done = _run(folder, *arguments)
    if done.returncode:
        command = f"git -C {folder} {' '.join(arguments)}"
        raise ContextError(f"{command}: {_words(done)}", "see with `git status` and `git fsck` what is wrong there")
    return done.stdout


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, env=_environment())
    except FileNotFoundError:
        raise GitMissing("git is not on the PATH", "install git, or name a folder instead of a commit") from None
    if done.returncode and b"not a git repository" in done.stderr:
        raise NoRepository(f"{folder}: {_words(done)}", "name a folder of a git repository")
    return done


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    """Why git failed, on one line."""
    return " ".join(done.stderr.decode(errors="replace").removeprefix("fatal: ").split())


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _LOCATIONS} | {"LC_ALL": "C"}


__all__ = ["LINK", "SUBMODULE", "Blobs", "Committed", "commit_name", "committed", "log", "tracked", "untracked"]
