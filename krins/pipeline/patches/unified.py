"""Unified diffs as models write them: with wrong counts and line numbers, or none, with or without `a/` and `b/`.

A hunk ends where the next begins or the diff ends, not where its header's counts say: both `unidiff` 1.0 and
`whatthepatch` 1.0 end it there, so that of a hunk whose header says too little they lose lines without a word, and of
one that says too much take the next file's header for lines; which is why neither is used. The counts only tell which
blank lines at a hunk's end are the file's, and whether a diff without a fence was cut off.

A context line may lack the blank before it. Modes but those of links and submodules are passed over, for a tree has
none. Invariants: one pass; each line looked at a bounded number of times; a header and a body that cannot be told
apart by their form (a removed "-- x" above an added "++ y") are told by whether they name files. Left out: applying;
copies and binary patches, which raise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from krins.errors import PatchFailed, PatchRefused
from krins.pipeline.patches.edits import FilePatch, Hunk, HunkLine, Kind
from krins.pipeline.patches.markdown import EXTENDED_HEADERS, names_files
from krins.pipeline.patches.names import is_path, tree_path
from krins.pipeline.patches.quoting import unquoted

_NUMBERS = re.compile(r"@@+ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@.*", re.DOTALL)
_INDEX = re.compile(r"index ([0-9a-f]{4,64})\.\.[0-9a-f]{4,64}(?: (\d{6}))?")
_NOTHING = "/dev/null"
_MODES = {"120000": "a symbolic link", "160000": "a submodule"}


@dataclass(slots=True)
class _RawHunk:
    header: str
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    """What a diff says of one file."""

    git_header: str = ""
    extended: list[str] = field(default_factory=list)
    old_name: str | None = None
    new_name: str | None = None
    hunks: list[_RawHunk] = field(default_factory=list)

    @property
    def has_names(self) -> bool:
        return self.old_name is not None


def read_diff(lines: Sequence[str], tree: Collection[str], only_path: str | None, may_be_cut: bool) -> list[FilePatch]:
    """What a diff says, file by file; `only_path` is the file of hunks under no header. `may_be_cut`: it ends where the
    answer ends, without a sign that this is its end.

    Raises:
        PatchFailed: it cannot be read, or its last hunk is shorter than its header says and may have been cut off.
        PatchRefused: it makes a link or a submodule.
    """
    sections = list(_sections(lines, tree))
    patches = [_patch(section, tree, only_path) for section in sections]
    if may_be_cut and sections and sections[-1].hunks and _is_short(sections[-1].hunks[-1]):
        raise PatchFailed(f"{patches[-1].path}: the last hunk is shorter than it says: cut off?", "put it into a fence")
    return patches


def _sections(lines: Sequence[str], tree: Collection[str]) -> Iterator[_Section]:
    section = _Section()
    at = 0
    while at < len(lines):
        line = lines[at]
        is_names = _names_files(lines, at, bool(section.hunks), tree)
        if line.startswith("diff --git ") or (is_names and (section.has_names or section.hunks)):
            if section.hunks or section.has_names or section.git_header:
                yield section
            section = _Section()
        if is_names:
            section.old_name, section.new_name = _name(line), _name(lines[at + 1])
            at += 1
        else:
            _take(section, line)
        at += 1
    if section.hunks or section.has_names or section.git_header:
        yield section


def _take(section: _Section, line: str) -> None:
    """A line that names no files."""
    if line.startswith("diff --git "):
        section.git_header = line
    elif line.startswith("@@"):
        section.hunks.append(_RawHunk(line))
    elif section.hunks:
        section.hunks[-1].lines.append(line)
    elif f"{line} ".startswith(EXTENDED_HEADERS):  # the blank at its end may be lost with its value
        section.extended.append(line)
    elif line.startswith(("+", "-", " ")):
        section.hunks.append(_RawHunk("", [line]))


def _names_files(lines: Sequence[str], at: int, is_in_hunk: bool, tree: Collection[str]) -> bool:
    if not names_files(lines, at):
        return False
    if not is_in_hunk:
        return True
    old, new = _name(lines[at]), _name(lines[at + 1])
    if not all(name == _NOTHING or is_path(name, tree) for name in (old, new)):
        return False
    are_prefixed = old.startswith(("a/", _NOTHING)) and new.startswith(("b/", _NOTHING))
    return are_prefixed or (at + 2 < len(lines) and lines[at + 2].startswith("@@"))


def _name(line: str) -> str:
    """The file in a line that names one: behind `--- ` or `+++ `, before a tab and a time."""
    return unquoted(line[4:].partition("\t")[0].strip())


def _patch(section: _Section, tree: Collection[str], only_path: str | None) -> FilePatch:
    old, new = _paths(section, tree, only_path)
    path = new or old
    if path is None:
        raise PatchFailed("a diff's hunk names no file", "write --- and +++ lines above it")
    _check_extended(section, path)
    hunks = [_hunk(raw, f"hunk {number}", number == len(section.hunks)) for number, raw in enumerate(section.hunks, 1)]
    blob = next((match[1] for line in section.extended if (match := _INDEX.match(line))), "")
    if new is None:
        return FilePatch(path, hunks, Kind.DELETED, old_blob=blob)
    if old is None or _creates(path, hunks, tree):
        return FilePatch(path, hunks, Kind.CREATED)
    return FilePatch(path, hunks, old_path=old if old != new else None, old_blob=blob)


def _creates(path: str, hunks: Sequence[Hunk], tree: Collection[str]) -> bool:
    """Models often give a new file's own name where /dev/null should stand."""
    return path not in tree and len(hunks) == 1 and not hunks[0].old


def _check_extended(section: _Section, path: str) -> None:
    for line in section.extended:
        if f"{line} ".startswith(("copy ", "Binary files ", "GIT binary patch")):
            raise PatchFailed(f"{path}: {line[:60]!r} cannot be read", "change text, without copies")
        for mode, what in _MODES.items():
            if not line.startswith("rename") and line.split()[-1] == mode:
                raise PatchRefused(f"{path}: the change makes {what} (mode {mode})", "change regular files alone")


def _paths(section: _Section, tree: Collection[str], only_path: str | None) -> tuple[str | None, str | None]:
    """The paths before and after; None where there is no file."""
    heads = {line.partition(" ")[0] for line in section.extended if not line.startswith(("index", "old", "new mode"))}
    if "rename" in heads:
        return _renamed(section.extended, "rename from "), _renamed(section.extended, "rename to ")
    if section.old_name is not None and section.new_name is not None:
        return _without_prefixes(section.old_name, section.new_name, section.git_header, tree)
    if not section.git_header:
        return only_path, only_path
    path = _path_of_git(section.git_header)
    is_new = any(line.startswith("new file mode") for line in section.extended)
    return None if is_new else path, None if "deleted" in heads else path


def _renamed(extended: Sequence[str], head: str) -> str:
    """The name in one of a move's two lines."""
    name = next((unquoted(line.removeprefix(head)) for line in extended if line.startswith(head)), "")
    if not name.strip():
        raise PatchFailed(f"a diff moves a file, and its line {head.strip()!r} is missing or names none", "name both")
    return name


def _path_of_git(header: str) -> str:
    """The path in `diff --git a/PATH b/PATH`, where both are the same."""
    rest = header.removeprefix("diff --git ").rstrip()
    half = rest[: len(rest) // 2]
    return tree_path(unquoted(half.strip()).removeprefix("a/"))


def _without_prefixes(old: str, new: str, git_header: str, tree: Collection[str]) -> tuple[str | None, str | None]:
    """The two paths without `a/` and `b/`, where these are git's and not folders of the tree."""
    bare_old, bare_new = (name.removeprefix(prefix) for name, prefix in ((old, "a/"), (new, "b/")))
    are_gits = bool(git_header) or (bare_old == bare_new and bare_old != old and bare_new != new)
    paths = []
    for name, bare in ((old, bare_old), (new, bare_new)):
        is_folder = not are_gits and any(path.startswith(name[:2]) for path in tree) and bare not in tree
        paths.append(None if name == _NOTHING else tree_path(name if is_folder else bare))
    before, after = paths
    if before is None or after is None or before == after:
        return before, after
    if after in tree and before not in tree:
        return after, after
    raise PatchFailed(f"a diff is of {before} and {after}, and does not say that it moves one", "name one file")


def _is_short(raw: _RawHunk) -> bool:
    match = _NUMBERS.fullmatch(raw.header)
    if match is None:
        return False
    n_old = sum(not line.startswith(("+", "\\")) for line in raw.lines)
    n_new = sum(not line.startswith(("-", "\\")) for line in raw.lines)
    return n_old < int(match[2] or 1) or n_new < int(match[4] or 1)


def _hunk(raw: _RawHunk, name: str, is_last: bool) -> Hunk:
    match = _NUMBERS.fullmatch(raw.header)
    raw_lines = _without_blank_end(raw.lines, match)
    lines: list[HunkLine] = []
    unended: set[str] = set()
    for line in raw_lines:
        if line.startswith("\\"):
            unended |= {lines[-1].mark} if lines else set()
        elif line.startswith(("+", "-", " ")):
            lines.append(HunkLine(line[0], line[1:]))  # type: ignore[arg-type]
        else:
            lines.append(HunkLine(" ", line))
    newline_at_end = not unended & {"+", " "} if unended else None
    return Hunk(
        f"{name} ({raw.header[:40]})" if match else name, lines, int(match[1]) if match else None, newline_at_end
    )


def _without_blank_end(lines: Sequence[str], numbers: re.Match[str] | None) -> Sequence[str]:
    """Without the empty lines at the end of a hunk, which are between it and what follows; unless the header counts
    them in."""
    end = len(lines)
    while end and not lines[end - 1].strip("\r"):
        end -= 1
    if numbers is None or end == len(lines):
        return lines[:end]
    n_old = sum(not line.startswith(("+", "\\")) for line in lines[:end])
    n_new = sum(not line.startswith(("-", "\\")) for line in lines[:end])
    missing = int(numbers[2] or 1) - n_old
    counted = missing == int(numbers[4] or 1) - n_new and 0 <= missing <= len(lines) - end
    return lines[: end + missing] if counted else lines[:end]
