"""Paths of files in answers: alone on a line, in a fence's info string, or in a first comment.

A path is one of the tree, or a word that has a slash or a suffix. Invariants: a line of prose that mentions a path
names nothing; harmful paths are read like others, so that they are refused under their name. Left out: which those are
(`krins.pipeline.patches.guard`).
"""

from __future__ import annotations

import re
from collections.abc import Container

_LONGEST_LINE = 1200
_WORD = re.compile(r"""[^\s`*<>|"',]+""")
_SUFFIX = re.compile(r"(?:^|[^.\s])\.[A-Za-z]\w{0,11}$|^\.[A-Za-z][\w.-]*$")
_WITHOUT_SUFFIX = frozenset(
    ["Containerfile", "Dockerfile", "Gemfile", "Jenkinsfile", "LICENSE", "Makefile", "Procfile"]
)
_LEAD = re.compile(r"(?:#{1,6}|[-*+]|\d{1,3}[.)]|={3})\s+")
_TITLE = re.compile(r"(?:(?:new|updated|modified|changed)\s+)?(?:file(?:\s?name|\s?path)?|path)\s*:", re.IGNORECASE)
_REMARK = re.compile(r"\s*\([^()]{0,60}\)$")
_ATTRIBUTE = re.compile(r"(?:title|file|filename|path|name)=(.+)", re.IGNORECASE)
_LANGUAGE = re.compile(r"^\w[\w+#-]+:")
_COMMENT = re.compile(
    r"\s*(?:#|//|--|;|%|/\*|<!--)\s*(?:file(?:name)?\s*:\s*)?([^\s]+)\s*(?:\*/|-->)?\s*", re.IGNORECASE
)


def tree_path(name: str) -> str:
    """A path as trees write it."""
    return name.removeprefix("./")


def is_path(name: str, tree: Container[str]) -> bool:
    if tree_path(name) in tree:
        return True
    if "://" in name or not _WORD.fullmatch(name) or len(name) > _LONGEST_LINE:
        return False
    return "/" in name.strip("/") or "\\" in name or name in _WITHOUT_SUFFIX or _SUFFIX.search(name) is not None


def path_on_line(line: str, tree: Container[str]) -> str | None:
    """The path that stands alone on a line: as a heading, in a list, in bold, as code, before a colon or a remark."""
    if len(line) > _LONGEST_LINE:
        return None
    text = _LEAD.sub("", line.strip(), count=1).strip("*").strip()
    text = _REMARK.sub("", text.rstrip(":").strip()).rstrip(":")
    text = _TITLE.sub("", text.strip("*"), count=1).strip().strip("*").strip("`").rstrip(":")
    return tree_path(text) if text and is_path(text, tree) else None


def path_in_info(info: str, tree: Container[str]) -> str | None:
    """The path in the words behind a fence: `python src/a.py`, `python:src/a.py`, `py title="src/a.py"`."""
    if len(info) > _LONGEST_LINE:
        return None
    for word in info.split():
        attribute = _ATTRIBUTE.fullmatch(word.strip("{}"))
        name = attribute[1] if attribute else word.strip("{}")
        name = name.strip("\"'`")
        for candidate in (_LANGUAGE.sub("", name), name):
            if candidate and is_path(candidate, tree):
                return tree_path(candidate)
    return None


def path_in_comment(line: str, tree: Container[str]) -> str | None:
    """The path that a comment holds and nothing beside it."""
    match = _COMMENT.fullmatch(line) if len(line) <= _LONGEST_LINE else None
    return tree_path(match[1]) if match and is_path(match[1], tree) else None
