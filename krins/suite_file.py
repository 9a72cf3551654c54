"""Suite files: YAML into a `Suite`, or one error that names everything wrong with its file, line and remedy.

Invariants: repeated keys are refused, which YAML itself would let pass; relative paths are resolved against the
file's folder. Left out: what a suite may hold (`krins.suite`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from krins.errors import SuiteError, boundary
from krins.suite import SUITE_VERSION, RecordedEnvironment, Suite


def load_suite(path: Path) -> Suite:
    """Read and check a suite file; relative paths in it are resolved against its folder.

    Raises:
        SuiteError: the file cannot be read, is no YAML, or does not describe a suite.
    """
    with boundary(
        SuiteError, f"cannot read the suite {path}", "give the path of a suite file", catch=(OSError, ValueError)
    ):
        text = path.read_text(encoding="utf-8", errors="strict") if path.exists() else _missing(path)
    return parse_suite(text, path)


def _missing(path: Path) -> str:
    near = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    raise SuiteError(
        f"{path}: no such suite file", f"suites in that folder: {', '.join(near)}" if near else "check the path"
    )


def parse_suite(text: str, path: Path) -> Suite:
    """As `load_suite`, from text that was read (or journalled) before."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as failure:
        mark = getattr(failure, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SuiteError(
            f"{where}: not YAML: {getattr(failure, 'problem', failure)}", "mend the syntax there"
        ) from None
    if root is None or not isinstance(content, dict):
        raise SuiteError(
            f"{path}:1: a suite is a mapping of keys to values, this file holds {type(content).__name__}",
            "start from a file in evals/ or complete one from `krins-eval schema`",
        )
    problems = [f"{path}:{line}: the key {key!r} is given twice" for line, key in _repeated_keys(root, set())]
    version = content.get("version", SUITE_VERSION)
    if isinstance(version, int) and version > SUITE_VERSION:
        raise SuiteError(
            f"{path}: the suite is of version {version}, this krins reads up to {SUITE_VERSION}", "upgrade krins"
        )
    try:
        suite = Suite.model_validate(content, context={"folder": path.absolute().parent})
    except RecursionError:
        raise SuiteError(f"{path}: an alias in it refers to itself", "write the values out") from None
    except ValidationError as failure:
        problems += [_describe(error, root, path) for error in failure.errors(include_url=False)]
    if problems:
        raise SuiteError("\n".join(problems), "mend these lines; `krins-eval schema` prints what a suite may hold")
    return _resolve_paths(suite, path.absolute().parent)


def _resolve_paths(suite: Suite, folder: Path) -> Suite:
    environment = suite.environment
    if isinstance(environment, RecordedEnvironment):
        table = environment.table and folder / environment.table
        return suite.model_copy(update={"environment": environment.model_copy(update={"table": table})})
    tasks = folder / environment.tasks
    return suite.model_copy(update={"environment": environment.model_copy(update={"tasks": tasks})})


def _repeated_keys(node: yaml.Node, visited: set[int]) -> Iterator[tuple[int, str]]:
    if id(node) in visited:  # an alias: its node has been looked at where it stands
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _repeated_keys(value, visited)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, visited)


def _describe(error: Any, root: yaml.Node, path: Path) -> str:
    """One validation error as `file:line: key: what is wrong`."""
    node, names = root, []
    for part in error["loc"]:
        child = _child(node, part)
        if child is not None:
            node = child
            names.append(str(part))
    key = ".".join(names)
    if error["type"] in {"extra_forbidden", "missing"}:
        leaf = str(error["loc"][-1])
        key = key if error["type"] == "extra_forbidden" else ".".join([*names, leaf])
        message = "unknown key" if error["type"] == "extra_forbidden" else "this key is required"
    else:
        message = error["msg"].removeprefix("Value error, ")
    return f"{path}:{node.start_mark.line + 1}: {key + ': ' if key else ''}{message}"


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item: yaml.Node = node.value[part]
        return item
    return None
