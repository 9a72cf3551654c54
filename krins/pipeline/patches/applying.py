"""Makes of a tree what edits say.

Invariants: all of an answer's edits apply, or none does. The hunks of one patch are placed in the file as it was before
all of them, and none may change what another changes; patches of the same file follow one on another. Left out: reading
edits, and finding places (`krins.pipeline.patches.placing`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise

from krins.errors import PatchFailed
from krins.pipeline.patches.edits import FilePatch, Hunk, Kind, WholeFile
from krins.pipeline.patches.numbers import is_copied, numbered
from krins.pipeline.patches.placing import PatchedFile
from krins.pipeline.patches.texts import TextLines

Result = Mapping[str, str | None]
"""By path the text that a file has after the change; None where it is gone."""

_LEFT_OUT = re.compile(
    r"\s*(?:#|//|/\*|<!--|--|;|%)[^\w.…]*(?:\.\.\.|…)?[^.…]{0,60}"
    r"\b(?:rest|existing|unchanged|remaining|remains|as before|same as|previous)\b[^.…]{0,80}(?:\.\.\.|…)?\W*",
    re.IGNORECASE,
)
"""A comment that stands for lines that the model did not write out; with dots on one side of it, see `_leaves_out`."""


def patched(patches: Iterable[FilePatch], tree: Mapping[str, str]) -> Result:
    """
    Raises:
        PatchFailed: a patch does not apply.
    """
    files: dict[str, PatchedFile | None] = {}

    def file_at(path: str) -> PatchedFile | None:
        if path not in files:
            files[path] = PatchedFile(path, tree[path]) if path in tree else None
        return files[path]

    for patch in patches:
        source = patch.old_path or patch.path
        if patch.old_path and file_at(patch.path):
            raise PatchFailed(f"{source}: cannot be moved to {patch.path}, which is there already", "name another")
        files[patch.path] = _patched(patch, file_at(source))
        if patch.old_path:
            files[patch.old_path] = None
    return {path: file.text if file else None for path, file in files.items()}


def _patched(patch: FilePatch, file: PatchedFile | None) -> PatchedFile | None:
    if patch.kind is Kind.CREATED:
        return _created(patch, file)
    if file is None:
        raise PatchFailed(f"{patch.path}: there is no such file to change", "name files as the tree does")
    if patch.hunks:
        _change(patch, file)
    if patch.kind is not Kind.DELETED:
        return file
    if patch.hunks and file.text:
        raise PatchFailed(f"{patch.path}: is deleted, but not all of its lines are", "delete all of them")
    return None


def _created(patch: FilePatch, file: PatchedFile | None) -> PatchedFile:
    lines = [line for hunk in patch.hunks for line in hunk.lines]
    if file is not None:
        raise PatchFailed(f"{patch.path}: is to be created, and is there already", "change it instead")
    if any(line.mark != "+" for line in lines):
        raise PatchFailed(f"{patch.path}: is to be created, and not all lines are added ones", 'begin each with "+"')
    ends_in_newline = _newline_at_end(patch.hunks) is not False
    return PatchedFile(patch.path, TextLines([line.text for line in lines], ends_in_newline).text)


def _change(patch: FilePatch, file: PatchedFile) -> None:
    is_its_text = file.is_blob(patch.old_blob)
    placed = [(found, hunk) for hunk in patch.hunks for found in file.replacements(hunk, is_its_text)]
    placed.sort(key=lambda pair: pair[0][:2])
    for (first, one), (second, other) in pairwise(placed):
        if second.start < first.end or (first.start, first.end) == (second.start, second.end):
            both = f"{patch.path}: {one.name} and {other.name} both change line {second.start + 1}"
            raise PatchFailed(both, "change a line once")
    file.replace([found for found, _ in placed], _newline_at_end(patch.hunks))


def _newline_at_end(hunks: Sequence[Hunk]) -> bool | None:
    said = [hunk.newline_at_end for hunk in hunks if hunk.newline_at_end is not None]
    return said[-1] if said else None


def written(files: Iterable[WholeFile], tree: Mapping[str, str]) -> Result:
    """Files written anew, with line ends, and with or without a newline at the end, as the files had them before.

    Raises:
        PatchFailed: a file leaves out lines, or is given twice and not the same.
    """
    result: dict[str, str | None] = {}
    for file in files:
        text = _written(file, tree.get(file.path))
        if result.setdefault(file.path, text) != text:
            raise PatchFailed(f"{file.path}: is written twice, and not the same", "write each file once")
    return result


def _written(file: WholeFile, before: str | None) -> str:
    old = TextLines.of(before or "")
    known = set(old.lines)
    lines = [_without_number(line, old.lines, known) for line in file.lines]
    left_out = next((line for line in lines if line not in known and _leaves_out(line)), None)
    if left_out is not None:
        raise PatchFailed(f"{file.path}: {left_out.strip()[:120]!r} is not the whole file", "write all of its lines")
    if old.has_crlf:
        lines = [line.removesuffix("\r") + "\r" for line in lines]
    return TextLines(lines, old.ends_in_newline).text


def _without_number(line: str, before: Sequence[str], known: Container[str]) -> str:
    match = numbered(line)
    return match[2] if match and is_copied(match, before, known) else line


def _leaves_out(line: str) -> bool:
    return len(line) < 200 and ("..." in line or "…" in line) and _LEFT_OUT.fullmatch(line) is not None


def united(results: Iterable[Result]) -> Result:
    """What several readings of one answer say together.

    Raises:
        PatchFailed: two of them make different texts of one file.
    """
    together: dict[str, str | None] = {}
    for result in results:
        for path, text in result.items():
            if together.setdefault(path, text) != text:
                raise PatchFailed(f"{path}: is changed in two formats, and not the same", "use one format for a file")
    return together
