"""Which packages a source tree names as its dependencies, and under which licences they come.

Read are requirements*.txt and pyproject.toml (PyPI), package.json (npm) and go.mod (Go). A licence is looked up where
it is at hand: in the metadata of packages that are installed beside krins, in a package-lock.json of the tree, and in
a table of well-known packages of the GPL's kin. Invariants: nothing is asked over the network; a manifest that cannot
be read names nothing; a licence that is not at hand is None.
Left out: versions, and packages that other packages need.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any, NamedTuple

from krins.quality.gates.copyleft import is_copyleft, is_copyleft_by_classifiers

_WELL_KNOWN = {
    "pypi": {
        "ansible": "GPL-3.0-or-later",
        "ansible-core": "GPL-3.0-or-later",
        "cvxopt": "GPL-3.0-or-later",
        "igraph": "GPL-2.0-or-later",
        "mysqlclient": "GPL-2.0-or-later",
        "psycopg2": "LGPL-3.0-or-later",
        "psycopg2-binary": "LGPL-3.0-or-later",
        "pygobject": "LGPL-2.1-or-later",
        "pylint": "GPL-2.0-or-later",
        "pymupdf": "AGPL-3.0-only",
        "pyqt5": "GPL-3.0-only",
        "pyqt6": "GPL-3.0-only",
        "rpy2": "GPL-2.0-or-later",
        "ultralytics": "AGPL-3.0-only",
        "unidecode": "GPL-2.0-or-later",
        "yamllint": "GPL-3.0-or-later",
    },
    "npm": {"ckeditor5": "GPL-2.0-or-later", "ffmpeg-static": "GPL-3.0-or-later", "tinymce": "GPL-2.0-or-later"},
    "go": {
        "github.com/ethereum/go-ethereum": "LGPL-3.0-or-later",
        "github.com/grafana/grafana": "AGPL-3.0-only",
        "github.com/minio/minio": "AGPL-3.0-or-later",
    },
}
"""From general knowledge, for packages that are not installed; some are also sold under other terms."""

_REQUIREMENTS = re.compile(r"(?:^|/)requirements[^/]*\.txt$|(?:^|/)requirements/[^/]+\.txt$")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_GO_REQUIRE = re.compile(r"^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+)\s+v\d\S*", re.MULTILINE)
_NPM_TABLES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


class Dependency(NamedTuple):
    registry: str
    """`pypi`, `npm` or `go`."""
    name: str
    """As its registry normalises it."""


class Licence(NamedTuple):
    expression: str
    """In SPDX's words, or in the words of a package's classifiers."""
    source: str
    is_copyleft: bool | None
    """None where the words cannot be read."""


def dependencies(tree: Mapping[str, str]) -> dict[Dependency, str]:
    """What a tree's manifests name, each with the path of the first one that does."""
    found: dict[Dependency, str] = {}
    for path, text in sorted(tree.items()):
        if names := _reader(path):
            for dependency in names(text):
                found.setdefault(dependency, path)
    return found


def licence_of(dependency: Dependency, tree: Mapping[str, str]) -> Licence | None:
    """None where it is not at hand."""
    registry, name = dependency
    known = _WELL_KNOWN[registry].get(name)
    found = _installed(name) if registry == "pypi" else _locked(name, tree) if registry == "npm" else None
    if found is None and known:
        return Licence(known, "a table of well-known packages", is_copyleft(known))
    return found


def _reader(path: str) -> Callable[[str], Iterable[Dependency]] | None:
    if _REQUIREMENTS.search(path):
        return _of_requirements
    readers = {"pyproject.toml": _of_pyproject, "package.json": _of_package_json, "go.mod": _of_go_mod}
    return readers.get(path.rpartition("/")[2])


def _python(names: Iterable[str]) -> Iterator[Dependency]:
    for name in names:
        if match := _NAME.match(name):
            yield Dependency("pypi", re.sub(r"[-_.]+", "-", match.group(1)).lower())


def _of_requirements(text: str) -> Iterator[Dependency]:
    return _python(line for line in text.splitlines() if "://" not in line.split("@")[0])


def _of_pyproject(text: str) -> Iterable[Dependency]:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError):
        return ()
    project = _table(content, "project")
    lists = [project.get("dependencies"), *_table(project, "optional-dependencies").values()]
    lists += _table(content, "dependency-groups").values()
    names = [name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)]
    poetry = _table(_table(content, "tool"), "poetry")
    groups = [poetry, *(group for group in _table(poetry, "group").values() if isinstance(group, dict))]
    names += [name for group in groups for name in _table(group, "dependencies") if name != "python"]
    return _python(names)


def _of_package_json(text: str) -> Iterable[Dependency]:
    content = _json(text)
    return [Dependency("npm", name) for table in _NPM_TABLES for name in _table(content, table)]


def _of_go_mod(text: str) -> Iterable[Dependency]:
    return [Dependency("go", match.group(1)) for match in _GO_REQUIRE.finditer(text)]


def _installed(name: str) -> Licence | None:
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    for field in ("License-Expression", "License"):
        for expression in about.get_all(field) or ():
            if (verdict := is_copyleft(expression)) is not None:
                return Licence(expression, "its installed metadata", verdict)
    classifiers = about.get_all("Classifier") or []
    verdict = is_copyleft_by_classifiers(classifiers)
    said = "; ".join(text for text in classifiers if text.startswith("License ::"))
    return None if verdict is None else Licence(said, "its installed classifiers", verdict)


def _locked(name: str, tree: Mapping[str, str]) -> Licence | None:
    for path, text in sorted(tree.items()):
        if path.rpartition("/")[2] == "package-lock.json":
            entry = _table(_table(_json(text), "packages"), f"node_modules/{name}")
            if isinstance(expression := entry.get("license"), str):
                return Licence(expression, path, is_copyleft(expression))
    return None


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _table(content: object, key: str) -> dict[str, Any]:
    table = content.get(key) if isinstance(content, dict) else None
    return table if isinstance(table, dict) else {}
