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
from krins.pipeline.patches.numbers import are_in_order, is_copied, numbered
from krins.pipeline.patches.placing import PatchedFile
from krins.pipeline.patches.texts import TextLines

Result = Mapping[str, str | None]
"""By path the text that a file has after the change; None where it is gone."""

_COMMENT = re.compile(r"\{?(?:#+|//+|/\*+|<!--|--+|;+|%+)\s*(.*)")
_MARKS = " \t()[]<>{}-=*#/"
"""What a comment's words may be put between, its end among it."""
_OWN = r"(?:(?:the|your|this|my|our|original|existing|previous)\s)*"
_NOUN = (
    r"(?:code|file|program|module|script|source|class(?:es)?|functions?|methods?|implementations?|imports?|lines?"
    r"|contents?|logic|body|tests?|definitions?|routes?|handlers?|components?)"
)
_REST = rf"(?:the\s)?(?:rest|remainder)\sof\s{_OWN}(?:\w+\s)?{_NOUN}"
_OTHERS = (
    rf"(?:(?:keep|include|insert|add|all)\s)*(?:the\s|your\s)?(?:other|existing|remaining|previous|original)\s"
    rf"(?:\w+\s)?{_NOUN}|(?:everything|all)\selse"
)
_STATE = (
    r"(?:(?:is|are|remains?|stays?|continues?|kept|left)\s)?(?:here\s)?(?:unchanged|untouched|not\sshown|as[\s-]is"
    r"|(?:exactly\s)?(?:(?:the\s)?same(?:\sas\s(?:before|above))?|as\s(?:before|above|it\swas))"
    r"|omitted(?:\sfor\sbrevity)?)"
)
_LEFT_OUT = re.compile(
    rf"{_REST}(?:(?:\sgoes)?\shere|\s{_STATE})?|(?:{_OTHERS})(?:(?:\sgoes)?\shere|\s{_STATE})"
    rf"|same\sas\s(?:before|above)|(?:{_NOUN}\s)?omitted\sfor\sbrevity",
    re.IGNORECASE,
)
"""All words of a comment that stands for lines that the model did not write out."""
_LEFT_OUT_IF_MARKED = re.compile(
    rf"{_STATE}|{_NOUN}\s{_STATE}|{_OTHERS}|(?:the\s)?(?:rest|remainder)(?:\sof\s[\w\s]{{1,40}})?(?:\s{_STATE})?",
    re.IGNORECASE,
)
"""The same, of words in brackets or with dots: without them, these may head a section."""
_KEY = re.compile(rf"(?=.*\b(?:rest|existing|unchanged|remaining|remains|previous)\b).*\b{_NOUN}\b.*", re.IGNORECASE)
_MOST_WORDS_IN_DOTS = 6
_LONGEST_COMMENT = 200


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
    lines = _without_numbers(file, old.lines, known)
    bare = {line.strip() for line in known}
    left_out = next((line for line in lines if line.strip() not in bare and _leaves_out(line)), None)
    if left_out is not None:
        raise PatchFailed(f"{file.path}: {left_out.strip()[:120]!r} is not the whole file", "write all of its lines")
    if old.has_crlf:
        lines = [line.removesuffix("\r") + "\r" for line in lines]
    return TextLines(lines, old.ends_in_newline).text


def _without_numbers(file: WholeFile, before: Sequence[str], known: Container[str]) -> list[str]:
    """Without copied line numbers; those of lines that have changed as well, where most lines are numbered in order.

    Raises:
        PatchFailed: most lines are numbered in order, and none as the file has it.
    """
    matches = [numbered(line) for line in file.lines]
    copied = [match is not None and is_copied(match, before, known) for match in matches]
    are_all = are_in_order(file.lines) and sum(match is not None for match in matches) > 1
    if are_all and before and not any(copied) and not any(map(numbered, before)):
        raise PatchFailed(f"{file.path}: its lines are numbered", "write the lines without their numbers")
    are_all = are_all and any(copied)
    return [
        match[2] if match and (is_number or (are_all and line not in known)) else line
        for line, match, is_number in zip(file.lines, matches, copied, strict=True)
    ]


def _leaves_out(line: str) -> bool:
    """Whether a line is a comment that stands for others: by its words, all of them, or by dots around a few."""
    match = _COMMENT.fullmatch(line.strip()) if len(line) < _LONGEST_COMMENT else None
    if match is None:
        return False
    text = match[1].replace("…", "...").strip(_MARKS)
    words = text.strip(_MARKS + ".,;:!")
    begins, ends = text.startswith("..."), text.endswith("...")
    if not words:
        return begins
    if begins and (_KEY.fullmatch(words) or (ends and len(words.split()) <= _MOST_WORDS_IN_DOTS)):
        return True
    is_marked = begins or ends or match[1][0] in "([<{"
    return bool(_LEFT_OUT.fullmatch(words) or (is_marked and _LEFT_OUT_IF_MARKED.fullmatch(words)))


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
