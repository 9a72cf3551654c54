"""Who owns a file, by the repository's CODEOWNERS, as GitHub reads it.

The last rule whose pattern matches a path decides; a rule without owners says that nobody does. Patterns are those of
.gitignore but for what GitHub Docs ("About code owners") exclude: no `!`, no `[ ]`, no `\\#` for a leading `#`; and
`docs/*` matches files in `docs`, not what is deeper. Lines with errors are skipped, as by GitHub, and are `problems`.

Of GitLab's own syntax, headers of sections (`[Name]`, `^[Name][2]`) are such lines, so their rules count as if there
were no sections. Left out: whether owners exist and may write, and asking them. The package `codeowners` 0.9 is not
used: it takes `[ ]` for ranges, a name in a comment for an owner, and a rule with a malformed owner for one without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from krins.errors import ContextError

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""The first of these that exists is the one that counts."""
MAX_BYTES = 3_000_000
"""GitHub does not load larger files."""
_WORD = re.compile(r"(?:\\.|\S)+")
_SIGN = re.compile(r"\\.|\*+|.", re.DOTALL)
_OWNER = re.compile(r"@[\w-]+(?:/[\w.-]+)?|[\w.%+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


class Rule(NamedTuple):
    line: int
    """In the file, from 1."""
    pattern: str
    owners: tuple[str, ...]
    """`@user`, `@organisation/team` or e-mail addresses, as written."""
    matches: re.Pattern[str]
    """Of the whole path, relative to the root of the repository."""


class Problem(NamedTuple):
    """A line that is skipped."""

    line: int
    reason: str


@dataclass(frozen=True)
class CodeOwners:
    """Paths are relative to the root of the repository, with "/"."""

    rules: tuple[Rule, ...]
    """In the order of the file."""
    problems: tuple[Problem, ...]
    file: Path | None = None
    """Where it was read; None where there is none."""

    @classmethod
    def of(cls, root: Path) -> CodeOwners:
        """The rules of the repository at `root`; none where it has no such file.

        Raises:
            ContextError: the file is too large, not UTF-8, or cannot be read.
        """
        for file in map(root.joinpath, PLACES):
            if file.is_file():
                parsed = cls.parse(_read(file))
                return cls(parsed.rules, parsed.problems, file)
        return cls((), ())

    @classmethod
    def parse(cls, text: str) -> CodeOwners:
        rules, problems = [], []
        for number, line in enumerate(text.split("\n"), start=1):
            pattern, owners = _words(line)
            reason = _problem(pattern, owners)
            if reason:
                problems.append(Problem(number, reason))
            elif pattern:
                rules.append(Rule(number, pattern, owners, _regex(pattern)))
        return cls(tuple(rules), tuple(problems))

    def rule(self, path: str) -> Rule | None:
        """The rule that decides; None where none matches."""
        return next((rule for rule in reversed(self.rules) if rule.matches.fullmatch(path)), None)

    def owners(self, path: str) -> tuple[str, ...]:
        """Empty where nobody owns it."""
        rule = self.rule(path)
        return rule.owners if rule else ()

    def owned(self, paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Which of the paths each owner owns, owners sorted; paths that nobody owns are not in it."""
        found: dict[str, list[str]] = {}
        for path in paths:
            for owner in self.owners(path):
                found.setdefault(owner, []).append(path)
        return {owner: tuple(found[owner]) for owner in sorted(found)}


def _read(file: Path) -> str:
    try:
        content = file.read_bytes()
        if len(content) > MAX_BYTES:
            raise ContextError(f"{file}: larger than 3 MB, which GitHub does not load", "use fewer, wider patterns")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        raise ContextError(f"{file}: cannot be read: {failure}", "make it a readable file in UTF-8") from failure


def _words(line: str) -> tuple[str, tuple[str, ...]]:
    """Pattern and owners of a line, without comment; a space with a backslash before it belongs to the pattern."""
    words = _WORD.findall(line)
    comment = next((place for place, word in enumerate(words) if word.startswith("#")), len(words))
    return (words[0], tuple(words[1:comment])) if comment else ("", ())


def _problem(pattern: str, owners: tuple[str, ...]) -> str:
    """Why GitHub would skip the line; empty where it would not."""
    if pattern.startswith("!"):
        return "patterns cannot be negated with !"
    if pattern.startswith("\\#"):
        return "a pattern cannot start with #, escaped or not"
    if re.search(r"(?<!\\)\[", pattern):
        return "[ ] has no meaning in a pattern, and sections of GitLab are not read"
    strangers = [owner for owner in owners if not _OWNER.fullmatch(owner)]
    return f"{strangers[0]} is no @user, @organisation/team or e-mail address" if strangers else ""


def _regex(pattern: str) -> re.Pattern[str]:
    """What matches whole paths.

    A slash that is not the last character ties the pattern to the root; without one it may start in any folder. What
    matches a folder matches all that is in it.
    """
    folders = "" if "/" in pattern[:-1] else "(?:.*/)?"
    parts = pattern.strip("/").split("/")
    last = parts[-1]
    for part, following in pairwise(parts):
        if part != "**":
            folders += _part(part) + "/"
        elif following != "**":  # a run of them matches what one does, and much faster
            folders += "(?:.*/)?"
    inside = "/.+" if pattern.endswith("/") else "" if pattern.endswith("/*") else "(?:/.*)?"
    return re.compile(folders + (".+" if last == "**" else _part(last)) + inside, re.DOTALL)


def _part(part: str) -> str:
    """Of a part between slashes.

    What stands between two stars may be taken where it comes first, and no other place tried: the last star makes up
    for it. Without that, patterns with many stars would take exponential time.
    """
    pieces = [""]
    for sign in _SIGN.findall(part):
        if sign[0] == "*":
            pieces.append("")
        else:
            pieces[-1] += "[^/]" if sign == "?" else re.escape(sign[-1])
    first, *others = pieces
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}"


__all__ = ["PLACES", "CodeOwners", "Problem", "Rule"]
