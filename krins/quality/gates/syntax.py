"""The gate of syntax: what a change writes can be parsed.

Where a compiler or parser of the language itself is at hand, its word holds: Python, Node, sh and bash in the
sandbox; JSON, TOML and YAML by their parsers here. Every other language is left to the parser that is passed in, which
may be stricter than its language where that knows macros or is newer. A file that had an error before does not fail.
Invariants: nothing is executed; what nobody can parse is not looked at. Left out: JSON with comments and YAML with
templates in it, which are other languages under the same names.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from pydantic import TypeAdapter

from krins.domain import Change, GateStatus
from krins.interfaces import Limits, Sandbox
from krins.quality.gates.base import CheckedGate, Now, Opinion, one_line, shown
from krins.quality.gates.carried_script import run_script
from krins.quality.gates.kinds import is_python

Parses: TypeAlias = Callable[[str, str], list[int] | None]
"""From path and text to the lines of syntax errors, from 1; None for a language that it does not know."""

Errors: TypeAlias = list[tuple[int, str]]
"""Line and message of each."""

SYNTAX = "syntax"
_LIMITS = Limits(wall_seconds=60.0, cpu_seconds=60, memory_bytes=2 * 2**30, processes=64)
"""Node reserves more than a GiB of address space, and starts a dozen threads."""
_ROW = TypeAdapter(tuple[str, Errors | None])
_BYTE_ORDER_MARK = "\ufeff"
"""Readers of JSON may pass over it, and most do."""
_TOO_DEEP = "nested too deeply to be parsed"
_SUFFIX = re.compile(r"\.(\w+)$")
_COMPILERS = {"bash": "bash", **{suffix: f"node {suffix}" for suffix in ("js", "cjs", "mjs")}}
_SHEBANG = re.compile(r"#!.*\b(sh|dash|bash)\b")
_JSON_WITH_COMMENTS = re.compile(r"(?:^|/)(?:[tj]sconfig[^/]*|\.eslintrc|devcontainer)\.json$|(?:^|/)\.vscode/")
_TEMPLATES = re.compile(r"(?:^|/)templates/")
_LINE_OF_TOML = re.compile(r"\(at line (\d+)")


class SyntaxGate(CheckedGate):
    name = SYNTAX

    def __init__(self, sandbox: Sandbox, parses: Parses, limits: Limits = _LIMITS, now: Now = time.monotonic) -> None:
        super().__init__(now)
        self._sandbox, self._parses, self._limits = sandbox, parses, limits

    def _look(self, change: Change) -> Opinion:
        errors = self._errors(change.written)
        if not errors:
            return Opinion(GateStatus.NOT_NEEDED, "the change writes no file that can be parsed here")
        wrong = {path: found for path, found in errors.items() if found}
        old = self._errors({path: change.before[path] for path in wrong if path in change.before})
        lines = list(_described((path, found) for path, found in wrong.items() if not old.get(path)))
        if lines:
            return Opinion(GateStatus.FAILED, "\n".join(lines))
        had_errors = f", {len(wrong)} of which had syntax errors before" if wrong else ""
        return Opinion(GateStatus.PASSED, f"{len(errors)} files parsed{had_errors}")

    def _errors(self, texts: Mapping[str, str]) -> dict[str, Errors]:
        """By path, of every text that could be parsed or not; those that nobody could look at are left out."""
        errors = self._of_compilers(texts)
        for path, text in texts.items():
            if path in errors:
                continue
            parser = _parser_of(path)
            if parser:
                errors[path] = parser(text)
            elif (lines := self._parses(path, text)) is not None:
                errors[path] = [(line, "syntax error") for line in lines]
        return errors

    def _of_compilers(self, texts: Mapping[str, str]) -> dict[str, Errors]:
        jobs = [(path, compiler, text) for path, text in texts.items() if (compiler := _compiler_of(path, text))]
        if not jobs:
            return {}
        report = run_script(self._sandbox, ("compile_texts.py",), {"texts.json": jobs}, _ROW, self._limits)
        errors = {path: found for path, found in report.rows if found is not None}
        if len(report.rows) < len(jobs):
            # The one that it was at: nothing is known of those after it, and one is enough.
            errors[jobs[len(report.rows)][0]] = [(1, f"the compiler did not get through: {report.how_it_ended}")]
        return errors


def _described(errors: Iterable[tuple[str, Errors]]) -> Iterable[str]:
    for path, found in sorted(errors):
        for line, message in found[:5]:
            yield f"{shown(path)}:{line}: {SYNTAX}: {one_line(message)}"


def _compiler_of(path: str, text: str) -> str | None:
    if is_python(path, text):
        return "python"
    suffix = _suffix(path)
    if suffix not in ("sh", ""):
        return _COMPILERS.get(suffix)
    shebang = _SHEBANG.match(text)
    if shebang:
        return "bash" if shebang.group(1) == "bash" else "sh"
    # Without a word on which shell, the one that takes more; for another one, none.
    return "bash" if suffix and not text.startswith("#!") else None


def _suffix(path: str) -> str:
    match = _SUFFIX.search(path)
    return match.group(1).lower() if match else ""


def _parser_of(path: str) -> Callable[[str], Errors] | None:
    suffix = _suffix(path)
    if suffix == "json":
        return None if _JSON_WITH_COMMENTS.search(path) else _json_errors
    if suffix in ("yaml", "yml"):
        return None if _TEMPLATES.search(path) else _yaml_errors
    return _toml_errors if suffix == "toml" else None


def _json_errors(text: str) -> Errors:
    try:
        json.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except json.JSONDecodeError as error:
        return [(error.lineno, error.msg)]
    except (RecursionError, ValueError) as error:
        return [(1, _TOO_DEEP if isinstance(error, RecursionError) else str(error))]
    return []


def _toml_errors(text: str) -> Errors:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _LINE_OF_TOML.search(str(error))
        return [(int(line.group(1)) if line else text.count("\n") + 1, str(error))]
    except (RecursionError, ValueError) as error:
        return [(1, _TOO_DEEP if isinstance(error, RecursionError) else str(error))]
    return []


def _yaml_errors(text: str) -> Errors:
    """Of the text, without making anything of it: neither tags nor merges are followed."""
    import yaml

    try:
        for _ in yaml.compose_all(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return [(mark.line + 1 if mark else 1, error.problem or "no YAML")]
    except (yaml.YAMLError, RecursionError) as error:
        return [(1, _TOO_DEEP if isinstance(error, RecursionError) else f"no YAML: {error}")]
    return []
