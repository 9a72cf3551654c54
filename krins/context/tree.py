"""Where source files come from: a folder on disk, a commit of a git repository, or memory.

A tree lists the files that have a grammar and reads them. What it passes over is counted by reason: no grammar, a
symbolic link, a submodule (or any other repository inside), larger than 1 MiB (sources of that size are generated),
not a regular file, a name that is not UTF-8. What only the bytes tell, `read` raises as `Unreadable`.

Invariants: paths are relative to the root, with "/"; no link below the root is followed, so nothing outside is listed
and nothing twice; equal stamps of one path mean equal content. In a git work tree git's ignore rules decide, whether a
file is committed yet or not; elsewhere, and where git is not installed, all folders are walked but hidden ones and
`JUNK_FOLDERS`.
Left out: what files hold (`krins.context.parsing`), and writing.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from krins.context import git
from krins.context.languages import language_of
from krins.errors import ContextError

MAX_BYTES = 1 << 20
JUNK_FOLDERS = frozenset(["node_modules", "bower_components", "__pycache__", "venv", "dist", "build", "target"])
"""What tools and builds leave: not walked into, wherever it is, just as hidden folders."""
_SNIFFED_BYTES = 8192
_CLOCK_TICK_NS = 2_000_000_000
"""The coarsest timestamps of a file system in use (FAT)."""
_LINK, _SUBMODULE, _TOO_LARGE, _UNREADABLE = "symbolic link", "submodule", "larger than 1 MiB", "unreadable"
_KINDS = {git.LINK: _LINK, git.SUBMODULE: _SUBMODULE}


class Unreadable(ContextError):
    """A file is no source text, or not there any more; `reason` is what to count it under."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(f"{path}: {reason}", "leave it out, or list the tree again")
        self.reason = reason


class Entry(NamedTuple):
    size: int
    """Bytes."""
    stamp: str


class Listing(NamedTuple):
    entries: Mapping[str, Entry]
    """By path, sorted."""
    skipped: Mapping[str, int]
    """How many files, by reason."""


class Tree(Protocol):
    def list(self) -> Listing:
        """The files as they are now.

        Raises:
            ContextError: there is no such tree, or git cannot read it.
        """
        ...

    def read(self, path: str) -> bytes:
        """The content of a listed file: UTF-8, of at most `MAX_BYTES`.

        Raises:
            Unreadable: it is binary (a NUL byte in the first 8 KiB, as for git), not UTF-8, too large by now, gone
                ("vanished"), or may not be read.
        """
        ...


def blob_digest(content: bytes) -> str:
    """Git's name for a content: hexadecimal SHA-1 of `blob`, its size, a NUL byte and the bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class MemoryTree:
    """Files given as such; text is taken as UTF-8."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}

    def list(self) -> Listing:
        files = self._files.items()
        found = ((os.fsencode(path), Entry(len(content), blob_digest(content))) for path, content in files)
        return _listing(_with_grammar(found))

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise Unreadable("vanished", path)
        return _text(self._files[path], path)


class WorkTree:
    """Files on disk below `root`, which may be a folder inside a git work tree.

    A file that has changed within two seconds before a listing gets a stamp that no other listing gives: another
    change within the same tick of the file system's clock would not show (git calls such files racily clean).
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tracked: tuple[Mapping[bytes, bytes] | None, tuple[tuple[str, Entry | str], ...]] = (None, ())
        """What git had in its index when it was last asked, and what that comes to."""

    def list(self) -> Listing:
        if not self._root.is_dir():
            raise ContextError(f"{self._root}: is not a folder", "name the folder that holds the sources")
        return _listing(self._stamped(self._found()))

    def _found(self) -> Iterator[tuple[str, Entry | str]]:
        """What git has in its index and what could be added to it; all files, where that is not for git to say."""
        with ThreadPoolExecutor(1) as background:
            # Git looks into every folder for what could be added, which takes longer than all the rest together.
            untracked = background.submit(git.untracked, self._root, "--exclude=.krins/")
            tracked = git.tracked(self._root)
            if tracked is None:
                yield from _with_grammar(_walked(self._root))
                return
            if tracked is not self._tracked[0]:
                found = _with_grammar((name, _KINDS.get(mode, "")) for name, mode in tracked.items())
                self._tracked = tracked, tuple(found)
            yield from self._tracked[1]
            others = ((name, _SUBMODULE if name.endswith(b"/") else "") for name in untracked.result())
            yield from _with_grammar(others)

    def read(self, path: str) -> bytes:
        try:
            with (self._root / path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise Unreadable("vanished", path) from None
        except OSError:
            raise Unreadable(_UNREADABLE, path) from None
        return _text(content, path)

    def _stamped(self, found: Iterable[tuple[str, Entry | str]]) -> Iterator[tuple[str, Entry | str]]:
        """As it is on disk now; what git knows and the disk does not is a deleted file."""
        root, racy_ns = str(self._root), time.time_ns() - _CLOCK_TICK_NS

        @cache
        def is_behind_link(folder: str) -> bool:
            outer = folder.rpartition("/")[0]
            return folder != "" and (is_behind_link(outer) or stat.S_ISLNK(os.lstat(f"{root}/{folder}").st_mode))

        for path, reason in found:
            try:
                if not reason and is_behind_link(path.rpartition("/")[0]):
                    reason = _LINK
                yield path, reason or _entry(os.lstat(f"{root}/{path}"), racy_ns)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                yield path, _UNREADABLE


class GitTree:
    """The files of a commit, in a repository with or without a work tree; of one folder if `repository` is inside.

    May be read from several threads. Stamps are the names of blobs.

    Raises:
        ContextError: git is not installed, there is no repository, or no such commit in it.
    """

    def __init__(self, repository: Path, commit: str) -> None:
        self._repository = repository
        self.commit = git.commit_name(repository, commit)
        """Its full name: what `commit` names may move on."""

    def list(self) -> Listing:
        return self._listing

    def read(self, path: str) -> bytes:
        entry = self._listing.entries.get(path)
        if entry is None:
            raise Unreadable("vanished", path)
        return _text(self._blobs.content(entry.stamp), path)

    @cached_property
    def _listing(self) -> Listing:
        files = git.committed(self._repository, self.commit)
        found = ((file.name, _KINDS.get(file.mode) or _committed_entry(file)) for file in files)
        return _listing(_with_grammar(found))

    @cached_property
    def _blobs(self) -> git.Blobs:
        return git.Blobs(self._repository)


def _committed_entry(file: git.Committed) -> Entry | str:
    return Entry(file.size, file.blob) if file.size >= 0 else _UNREADABLE


def _listing(found: Iterable[tuple[str, Entry | str]]) -> Listing:
    entries: dict[str, Entry] = {}
    skipped: Counter[str] = Counter()
    for path, entry in found:
        if isinstance(entry, str):
            skipped[entry] += 1
        elif entry.size > MAX_BYTES:
            skipped[_TOO_LARGE] += 1
        else:
            entries[path] = entry
    return Listing(dict(sorted(entries.items())), dict(sorted(skipped.items())))


def _with_grammar(found: Iterable[tuple[bytes, Entry | str]]) -> Iterator[tuple[str, Entry | str]]:
    """Names as text, each with what is known of it: an entry, why it is passed over, or nothing yet (empty)."""
    for name, known in found:
        try:
            path = name.decode()
        except UnicodeDecodeError:
            yield "", "name not UTF-8"
            continue
        is_open = not known or isinstance(known, Entry)
        yield path, "no grammar" if is_open and language_of(path) is None else known


def _text(content: bytes, path: str) -> bytes:
    if len(content) > MAX_BYTES:
        raise Unreadable(_TOO_LARGE, path)
    if b"\0" in content[:_SNIFFED_BYTES]:
        raise Unreadable("binary", path)
    try:
        content.decode()
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8", path) from None
    return content


def _entry(status: os.stat_result, racy_ns: int) -> Entry | str:
    if stat.S_ISLNK(status.st_mode):
        return _LINK
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    # Changing the content sets the time of change, which programs cannot set back as they can that of modification.
    stamp = f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size} {status.st_ino}"
    return Entry(status.st_size, stamp if status.st_ctime_ns < racy_ns else f"{stamp} {racy_ns}")


def _walked(root: Path) -> Iterator[tuple[bytes, str]]:
    unreadable: list[OSError] = []
    for folder, subfolders, files in os.walk(root, onerror=unreadable.append):
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in JUNK_FOLDERS]
        prefix = Path(folder).relative_to(root)
        yield from ((os.fsencode(prefix / name), "") for name in files)
        yield from ((os.fsencode(prefix / name), _LINK) for name in subfolders if Path(folder, name).is_symlink())
    yield from ((b"", _UNREADABLE) for _ in unreadable)


__all__ = [
    "JUNK_FOLDERS",
    "MAX_BYTES",
    "Entry",
    "GitTree",
    "Listing",
    "MemoryTree",
    "Tree",
    "Unreadable",
    "WorkTree",
    "blob_digest",
]
