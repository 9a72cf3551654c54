"""From a model's answer to a change of a source tree.

Models answer in unified diffs, search/replace blocks or whole files, in fences or not, and not always in one of them:
the format is told from the answer. Here it becomes one `Change`, whose diff is made anew from what came of it.

Invariants: a change is whole or not at all: one hunk that does not apply, or one block that is cut off, and there is
none; the same answer and tree give the same change; reading takes time in proportion to the answer and the tree. Where
an answer ends between two files that it names, nobody can tell from it that more was to come: whoever knows that a
model was stopped by a limit says so. Left out: which paths may be changed (`guard`), and a base that has moved
(`merging`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from krins.domain import Change
from krins.errors import NoPatch, PatchFailed, boundary
from krins.pipeline.patches.applying import Result, patched, united, written
from krins.pipeline.patches.diffs import unified_diff
from krins.pipeline.patches.edits import FilePatch
from krins.pipeline.patches.markdown import Part, begins_diff, parts_of
from krins.pipeline.patches.search_replace import read_blocks
from krins.pipeline.patches.texts import answer_lines
from krins.pipeline.patches.unified import read_diff
from krins.pipeline.patches.whole_files import lone_file, named_files, nothing_found, path_of

MOST_ANSWER_CHARACTERS = 2**22
_DIFF_LANGUAGES = frozenset(["diff", "patch", "udiff"])


def change_of(answer: str, tree: Mapping[str, str], only_path: str | None = None) -> Change:
    """What an answer makes of a tree (relative POSIX path to text).

    `only_path`: the file of what names none: of hunks without a header, and of an answer that is one code block.

    Raises:
        NoPatch: the answer holds no change, or one that changes nothing.
        PatchFailed: it cannot be read, is cut off, or does not apply.
        PatchRefused: it makes a link or a submodule.
        GitMissing, StorageFault: its diff could not be made.
    """
    if len(answer) > MOST_ANSWER_CHARACTERS:
        most = f"an answer may have {MOST_ANSWER_CHARACTERS:,}"
        raise PatchFailed(f"the answer has {len(answer):,} characters; {most}", "change less")
    with boundary(PatchFailed, "the answer is no text", "write whole characters", catch=UnicodeEncodeError):
        answer.encode()
    after: dict[str, str] = dict(tree)
    for path, text in _result(answer_lines(answer), tree, only_path).items():
        if text is None:
            after.pop(path, None)
        else:
            after[path] = text
    if after == dict(tree):
        raise NoPatch("the answer's change changes nothing", "change what the task asks for")
    after = dict(sorted(after.items()))
    return Change(tree, after, unified_diff(tree, after))


def _result(lines: Sequence[str], tree: Mapping[str, str], only_path: str | None) -> Result:
    blocks = read_blocks(lines, tree, only_path)
    parts = parts_of(lines, blocks.taken)
    for part in parts:
        if part.is_fenced and not part.is_closed and (part.is_taken or any(line.strip() for line in part.lines)):
            raise PatchFailed("the answer is cut off: its last code block does not end", "close every fence")
    diffs = [part for part in parts if _is_diff(part)]
    fenced = [part for part in parts if not _is_diff(part) and not part.is_taken and part.is_closed]
    patches = [patch for part in diffs for patch in _read(part, tree, only_path)]
    files = named_files(fenced, tree, only_path)
    if not (blocks.patches or patches or files):
        lone = lone_file(lines, fenced, only_path) if only_path is not None and not diffs else None
        if lone is None:
            raise nothing_found(fenced)
        files = [lone]
    return united([patched(blocks.patches, tree), patched(patches, tree), written(files, tree)])


def _is_diff(part: Part) -> bool:
    if not part.is_fenced or part.language in _DIFF_LANGUAGES:
        return True
    first = next((number for number, line in enumerate(part.lines) if line.strip()), None)
    return first is not None and (part.lines[first].startswith("@@ -") or begins_diff(part.lines, first))


def _read(part: Part, tree: Mapping[str, str], only_path: str | None) -> Sequence[FilePatch]:
    path = (path_of(part, tree) if part.is_fenced else None) or only_path
    return read_diff(part.lines, tree, path, may_be_cut=not part.is_fenced and not part.is_closed)


__all__ = ["MOST_ANSWER_CHARACTERS", "change_of"]
