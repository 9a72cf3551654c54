"""What a judge is shown of a change: a diff from which nothing can speak to it.

Of files that have a grammar the two sides are compared as programs, the new one elided
(`krins.pipeline.judging.elision`). In others new comments go, where a file's kind has them. Then, of every file, the
added lines that speak to a reader (`krins.pipeline.judging.speech`) are replaced by a mark that does not say why. The
mark of a line, and every mark, is the same whatever was there.

Invariants: every line shown has a mark in front that no text can leave: lines are cut wherever Unicode ends one, and
no other control or invisible character is shown; the fence holds a digest of all that is between. The same change and
prompt give the same view. A view is as long as its budget at most, marks of its cuts aside, which it shows; files that
are smaller than an equal share leave the rest of theirs to the others.
Limits: what stands in the tree before the change is shown as it is; prose that persuades without speaking to a reader
is shown in Markdown and other texts without a grammar, for there prose is the work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from krins.context.languages import language_of
from krins.domain import Change
from krins.pipeline.judging.elision import Elision, folded, known
from krins.pipeline.judging.size import MAX_CHARS
from krins.pipeline.judging.speech import is_invisible, speaking

MAX_LINE_CHARS = 400
LEFT_OUT = "(a line left out)"
_CONTEXT_LINES = 5
_BAR = "| "

_SEPARATORS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ENDED_BY_SEPARATORS = frozenset(("javascript", "typescript", "tsx", "c-sharp"))
_HASH = re.compile(r"(?:(?<=\s)|^)#(?!!).*$", re.MULTILINE)
_ANGLE = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_STAR = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_SLASHES = re.compile(r"/\*.*?(?:\*/|\Z)|(?:(?<=\s)|^)//[^\n]*", re.DOTALL | re.MULTILINE)
_DASHES = re.compile(r"/\*.*?(?:\*/|\Z)|--(?:\[\[.*?(?:\]\]|\Z)|[^\n]*)", re.DOTALL)
_COMMENTS: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("yaml", "yml", "toml", "ini", "cfg", "conf", "env", "properties", "tf"), _HASH),
    **dict.fromkeys(("dockerfile", "makefile", "gitignore", "dockerignore"), _HASH),
    **dict.fromkeys(("html", "htm", "xml", "svg", "vue", "md", "markdown"), _ANGLE),
    "css": _STAR,
    **dict.fromkeys(
        ("scss", "less", "kt", "kts", "swift", "scala", "dart", "groovy", "gradle", "proto", "jsonc"), _SLASHES
    ),
    **dict.fromkeys(("sql", "lua", "hs"), _DASHES),
}
"""By what a file's name ends in, its last dot apart, in lower case."""


@dataclass(frozen=True, slots=True)
class View:
    """A change as a judge sees it."""

    text: str
    n_speaking: int
    """Comments, strings, names, paths and lines of the change that speak to a reader. Never told to the judge."""
    n_lines_cut: int
    """Lines of the diff that the budget had no room for. A judge has not seen them, whatever it says."""


def view_of(change: Change, task: str, max_chars: int = MAX_CHARS) -> View:
    """Args:
    task: the prompt; texts and names that stand in it are shown wherever they are.
    """
    touched = [*change.deleted, *change.written]
    before = [(path, _cleaned(change.before.get(path, ""), language_of(path))) for path in touched]
    trusted = known(task, [(text, language_of(path)) for path, text in before])
    elision = Elision(trusted)
    parts, n_speaking = [], 0
    names = _paths(touched, change.before, task)
    for path, old in before:
        new = _elided(path, old, change.after.get(path, ""), elision, trusted.texts)
        body, n_masked = _masked(_diff(old, new))
        state = "deleted" if path not in change.after else "new" if path not in change.before else "changed"
        n_speaking += n_masked
        parts.append([f"{state} file {names[path]}", *body])
    shares = _shares([_size(part) for part in parts], max_chars)
    cut = [_cut(part, share) for part, share in zip(parts, shares, strict=True)]
    n_speaking += elision.n_speaking + sum(names[path] != path for path in touched)
    return View(fenced([line for lines, _ in cut for line in lines]), n_speaking, sum(n for _, n in cut))


def fenced(lines: Sequence[str]) -> str:
    """Lines, each behind a bar, between two fences that name their digest."""
    body = "\n".join(_BAR + line for line in lines)
    digest = hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:12]
    return f"begin {digest}\n{body}\nend {digest}"


def masked_text(text: str, max_chars: int) -> tuple[list[str], int]:
    """Lines of an untrusted text that is no part of the change, such as a gate's evidence, and how many speak."""
    lines = _cleaned(text).splitlines()
    spoken = speaking(lines, claims=False)
    shown, _ = _cut([LEFT_OUT if index in spoken else line for index, line in enumerate(lines)], max_chars)
    return shown, len(spoken)


def _cleaned(text: str, language: str | None = None) -> str:
    r"""Lines that end in \n alone. What else ends a line for Unicode ends a comment only in some languages.

    Elsewhere it becomes a blank, so that what a comment holds does not come to stand outside of it, nor code inside.
    """
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    ends = language is None or language in _ENDED_BY_SEPARATORS
    lines = _SEPARATORS.sub("\n" if ends else " ", plain).split("\n")
    return "\n".join(lines if not lines[-1] else [*lines, ""])


def _paths(touched: Sequence[str], before: Mapping[str, str], task: str) -> dict[str, str]:
    """What each path is shown as: those that are new and speak to a reader are numbered."""
    new = [path for path in touched if path not in before and path not in task]
    spoken = [path for path in new if speaking(re.split(r"[/.]", path))]
    numbered = {path: f"path_{number}{_suffix(path)}" for number, path in enumerate(spoken, 1)}
    return {path: numbered.get(path) or _visible(path) for path in touched}


def _suffix(path: str) -> str:
    suffix = re.search(r"\.[A-Za-z0-9]{1,6}$", path)
    return suffix[0] if suffix else ""


def _elided(path: str, old: str, new: str, elision: Elision, known_texts: frozenset[str]) -> str:
    language = language_of(path)
    new = _cleaned(new, language)
    if language is not None:
        return elision.elide(new, language)
    kind = re.split(r"[/.]", path.lower())[-1]
    pattern = _COMMENTS.get(kind)
    if pattern is None:
        return new
    kept = {folded(comment) for comment in pattern.findall(old)}
    return pattern.sub(lambda match: match[0] if folded(match[0]) in kept else "(comment left out)", new)


def _diff(old: str, new: str) -> list[str]:
    return list(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=_CONTEXT_LINES))[2:]


def _masked(diff: Sequence[str]) -> tuple[list[str], int]:
    """The diff with the added lines masked that speak to a reader, and how many they are."""
    places = [index for index, line in enumerate(diff) if line.startswith("+")]
    spoken = {places[found] for found in speaking([diff[index][1:] for index in places])}
    return [f"+{LEFT_OUT}" if index in spoken else _visible(line) for index, line in enumerate(diff)], len(spoken)


def _visible(line: str) -> str:
    shown = "".join("\N{REPLACEMENT CHARACTER}" if is_invisible(character) else character for character in line)
    n_cut = len(shown) - MAX_LINE_CHARS
    return shown if n_cut <= 0 else f"{shown[:MAX_LINE_CHARS]} ({n_cut} more characters)"


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + len(_BAR) + 1 for line in lines)


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """Equal shares of a budget, of which the small leave what they do not need to the large."""
    shares = [0] * len(sizes)
    for n_served, index in enumerate(sorted(range(len(sizes)), key=lambda index: sizes[index])):
        shares[index] = min(sizes[index], total // (len(sizes) - n_served))
        total -= shares[index]
    return shares


def _cut(lines: Sequence[str], max_chars: int) -> tuple[list[str], int]:
    """The first lines that fit, and how many do not."""
    kept: list[str] = []
    for line in lines:
        max_chars -= _size([line])
        if max_chars < 0:
            break
        kept.append(line)
    n_cut = len(lines) - len(kept)
    return ([*kept, f"({n_cut} more lines)"] if n_cut else kept), n_cut


__all__ = ["LEFT_OUT", "View", "fenced", "masked_text", "view_of"]
