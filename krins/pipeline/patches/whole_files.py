"""Whole files in fenced blocks: each under its path, with it in the info string, or with it in a first comment.

Where a task says which file an answer of one block is (`only_path`), a block without a path is that file, or, where
there are several, the only one that has the file's language, or of several in Python the only one that defines
something. An answer without any block is that file if all of it is Python.

Invariant: what is not certainly meant as a file is none, or raises: a block of shell commands under the path of a
program, a Markdown file whose end cannot be told, one of several blocks under one heading. Left out: what a file
becomes (`krins.pipeline.patches.applying`).
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from krins.errors import NoPatch, PatchFailed
from krins.pipeline.patches.edits import WholeFile
from krins.pipeline.patches.markdown import Fence, Part
from krins.pipeline.patches.names import path_in_comment, path_in_info, path_on_line

_COMMANDS = frozenset(["bash", "console", "output", "sh", "shell", "terminal", "text", "txt", "zsh"])
_NO_COMMANDS = (".sh", ".bash", ".txt", ".zsh", ".bats")
_MARKDOWN = (".md", ".markdown", ".mdx")
_TAGS = {".py": ("py", "python", "python3"), ".js": ("javascript", "js", "jsx", "mjs"), ".ts": ("ts", "typescript")}
_MORE_TAGS = {".sh": ("bash", "sh", "shell"), ".md": ("markdown", "md"), ".yml": ("yaml", "yml"), ".yaml": ("yaml",)}
_TAGS_OF = {**_TAGS, **_MORE_TAGS, ".mjs": _TAGS[".js"], ".html": ("html",), ".css": ("css",), ".json": ("json",)}
_HEADING = ("#", "===")
_SAY_PATH = "write the path of each file on a line of its own above its block"


def path_of(part: Part, tree: Collection[str]) -> str | None:
    """The path that a part names in its info string, or on the lines above it."""
    return path_in_info(part.info, tree) or _path_above(part.above, tree)


def _path_above(above: Sequence[str], tree: Collection[str]) -> str | None:
    """On the last line that is not blank, or in the last heading: what is between may be said about the file."""
    said = [line for line in above if line.strip()]
    heading = next((line for line in reversed(said) if line.lstrip().startswith(_HEADING)), "")
    return next((path for line in (*said[-1:], heading) if (path := path_on_line(line, tree))), None)


def named_files(parts: Sequence[Part], tree: Mapping[str, str], only_path: str | None) -> list[WholeFile]:
    """The files of blocks that name theirs. With `only_path`, names that neither the tree nor it has are made up.

    Raises:
        PatchFailed: where a Markdown file ends is unclear, or which of several blocks is the file.
    """
    files: list[WholeFile] = []
    for number, part in enumerate(parts):
        path = path_of(part, tree)
        labelled = path_in_comment(part.lines[0], tree) if part.lines else None
        path = path or labelled
        if path is None or (only_path is not None and path not in tree and path != only_path):
            continue
        if part.language in _COMMANDS and not path.endswith(_NO_COMMANDS) and "." in path:
            continue
        if path.endswith(_MARKDOWN):
            _check_end(path, islice(parts, number + 1, None), tree)
        _check_alone(path, part, labelled == path, islice(parts, number + 1, None), tree)
        is_label = labelled == path and not tree.get(path, "").startswith(part.lines[0])
        files.append(WholeFile(path, part.lines[1:] if is_label else part.lines))
    return files


def _check_end(path: str, following: Iterable[Part], tree: Collection[str]) -> None:
    """A bare fence within the file would have ended it, and the next bare fence would have opened a block."""
    for part in following:
        if path_of(part, tree):
            return
        if not part.info:
            raise PatchFailed(f"{path}: its block may end at the wrong fence", "use a fence longer than those in it")


def _check_alone(path: str, part: Part, is_labelled: bool, following: Iterable[Part], tree: Collection[str]) -> None:
    """A block that has its file from a heading is none of several there ("Before:", "After:"); and one that is named
    itself is not followed by another version of it."""
    is_heading = not (is_labelled or path_in_info(part.info, tree) or _is_right_below(part.above, tree))
    below, others = [], []
    for other in following:
        if path_of(other, tree) or (other.lines and path_in_comment(other.lines[0], tree)):
            break
        is_heading = is_heading and not any(line.lstrip().startswith(_HEADING) for line in other.above)
        are_alike = not (part.language and other.language) or part.language == other.language
        if are_alike and other.language not in _COMMANDS:
            others.append(other)
            below += [other] if is_heading else []
    if _has_version(part, others) or not _are_usage(path, part, below):
        raise PatchFailed(f"{path}: several code blocks may be it", "write one block a file, with all of it")


def _is_right_below(above: Sequence[str], tree: Collection[str]) -> bool:
    last = next((line for line in reversed(above) if line.strip()), "")
    return path_on_line(last, tree) is not None


def _has_version(part: Part, others: Iterable[Part]) -> bool:
    """Whether half of another block's lines are in a block."""
    known = {line.strip() for line in part.lines}
    bodies = [[line.strip() for line in other.lines if line.strip()] for other in others]
    return any(lines and 2 * sum(line in known for line in lines) >= len(lines) for lines in bodies)


def _are_usage(path: str, part: Part, others: Sequence[Part]) -> bool:
    """Whether other blocks only use what a block defines."""
    if others and not (path.endswith(".py") and _defines("\n".join(part.lines), _DEFINING[:3])):
        return False
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        bodies = [ast.parse("\n".join(other.lines)).body for other in others]
        return all(isinstance(statement, _USING) for body in bodies for statement in body)
    return False


def lone_file(lines: Sequence[str], parts: Sequence[Part], path: str) -> WholeFile | None:
    """The file `path` in an answer that names none.

    Raises:
        PatchFailed: several blocks may be it.
    """
    if not parts:
        bare = [line for line in lines if Fence.of(line) is None]
        return WholeFile(path, bare) if path.endswith(".py") and _defines("\n".join(bare), _DEFINING) else None
    for chosen in _choices(parts, path):
        if len(chosen) == 1:
            return WholeFile(path, chosen[0].lines)
    raise PatchFailed(f"{len(parts)} code blocks may be {path}", "answer with one")


def _choices(parts: Sequence[Part], path: str) -> Iterator[Sequence[Part]]:
    yield parts
    tagged = [part for part in parts if part.language in _TAGS_OF.get(path[path.rfind(".") :], ())]
    yield tagged
    if path.endswith(".py"):
        for kinds in (_DEFINING[:3], _DEFINING):
            yield [part for part in tagged or parts if _defines("\n".join(part.lines), kinds)]


_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
_USING = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assert, ast.Assign)


def _defines(source: str, kinds: tuple[type[ast.stmt], ...]) -> bool:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(statement, kinds) for statement in body)


def nothing_found(parts: Sequence[Part]) -> NoPatch:
    """Why an answer holds no change."""
    blocks = f"{len(parts)} code blocks, none of which names a file" if parts else "no code block and no diff"
    return NoPatch(f"the answer holds no change: {blocks}", _SAY_PATH)
