"""The gate of licences, what it reads of manifests, and what binds a user to the GPL."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.domain import GateStatus
from krins.quality.gates.copyleft import is_copyleft, is_copyleft_by_classifiers
from krins.quality.gates.dependencies import Dependency, dependencies, licence_of
from krins.quality.gates.licences import LicencesGate
from tests.quality.gates.conftest import NOTHING, ask, said

GATE = LicencesGate()
SPDX = "SPDX-" + "License-Identifier: "
NOTICE = "you can redistribute it under the terms of the GNU\n# {}General Public" + " License as published\n"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", False),
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("LGPL-2.1-or-later", True),
        ("MIT OR GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", True),
        ("(MIT OR GPL-2.0-only) AND Apache-2.0", False),
        ("LGPL-3.0-only OR AGPL-3.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("GPL-3.0+", True),
        ("GPLv3", True),
        ("LicenseRef-Mine", None),
        ("SEE LICENSE IN LICENSE", None),
        ("(MIT", None),
        ("", None),
        ("(" * 100_000, None),
    ],
)
def test_what_binds(expression: str, expected: bool | None) -> None:
    assert is_copyleft(expression) is expected


LICENCES = st.recursive(
    st.sampled_from([("MIT", False), ("GPL-2.0-only", True), ("Apache-2.0", False), ("AGPL-3.0-only", True)]),
    lambda parts: st.tuples(parts, st.sampled_from(["AND", "OR"]), parts).map(
        lambda three: (
            f"({three[0][0]} {three[1]} {three[2][0]})",
            three[0][1] or three[2][1] if three[1] == "AND" else three[0][1] and three[2][1],
        )
    ),
    max_leaves=8,
)


@settings(max_examples=50)
@given(LICENCES)
def test_and_binds_by_either_and_or_by_both(licence: tuple[str, bool]) -> None:
    expression, expected = licence
    assert is_copyleft(expression) is expected


def test_classifiers_leave_a_choice() -> None:
    gpl, mit = (f"License :: OSI Approved :: {name} License" for name in ("GNU General Public", "MIT"))
    assert is_copyleft_by_classifiers([gpl, "Topic :: Text"]) is True
    assert is_copyleft_by_classifiers([gpl, mit]) is False
    assert is_copyleft_by_classifiers(["Topic :: Text"]) is None


def test_manifests() -> None:
    tree = {
        "requirements-dev.txt": "# a comment\nNum_Py>=2 ; python_version > '3'\n-r other.txt\ngit+https://x.org/y\nrich[a]\n",
        "pyproject.toml": """
            project.dependencies = ["one>=1"]
            project.optional-dependencies.x = ["two"]
            dependency-groups.dev = ["three", {include-group = "y"}]
            tool.poetry.dependencies = {python = "3", four = "*"}
            tool.poetry.group.dev.dependencies = {five = "*"}""",
        "web/package.json": json.dumps({"dependencies": {"six": "1"}, "devDependencies": {"@a/seven": "2"}}),
        "go.mod": "module x.org/a\n\nrequire x.org/eight v1.0.0\nrequire (\n\tx.org/nine/v2 v2.0.0 // indirect\n)\n",
        "setup.txt": "ten",
    }
    found = dependencies(tree)
    assert {name for _, name in found} == {
        "num-py",
        "rich",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "@a/seven",
    } | {
        "x.org/eight",
        "x.org/nine/v2",
    }
    assert found[Dependency("npm", "six")] == "web/package.json"
    broken = {"pyproject.toml": "[", "package.json": "[" * 100_000, "a/package.json": '{"dependencies": [1]}'}
    assert dependencies({**broken, "b/pyproject.toml": "project = 3", "go.mod": "(", "requirements.txt": "\0"}) == {}


def test_licences_come_from_where_they_are_at_hand() -> None:
    lock = {"package-lock.json": json.dumps({"packages": {"node_modules/a": {"license": "MIT AND GPL-2.0-only"}}})}
    installed = licence_of(Dependency("pypi", "pydantic"), {})
    assert installed is not None and installed.is_copyleft is False and "installed" in installed.source
    locked = licence_of(Dependency("npm", "a"), lock)
    assert locked is not None and (locked.is_copyleft, locked.source) == (True, "package-lock.json")
    known = licence_of(Dependency("pypi", "unidecode"), {})
    assert known is not None and known == ("GPL-2.0-or-later", "a table of well-known packages", True)
    assert licence_of(Dependency("npm", "a"), {}) is licence_of(Dependency("go", "x.org/y"), {}) is None


def test_an_added_gpl_package_is_flagged() -> None:
    old = {"requirements.txt": "rich\n"}
    result = ask(GATE, {"requirements.txt": "rich\nUnidecode==1.3\n"}, old)
    assert said(result) == (
        "failed",
        "requirements.txt:2: dependency: unidecode comes under GPL-2.0-or-later, by a table of well-known packages",
    )
    assert not result.blocks and not result.is_red
    assert ask(LicencesGate(blocks=True), {"requirements.txt": "Unidecode"}, old).is_red


def test_an_unknown_licence_does_not_pass() -> None:
    result = ask(GATE, {"requirements.txt": "rich\nnobody-knows-this-one\n"})
    assert said(result) == (
        "not_run",
        "not looked at: requirements.txt: unknown licence of nobody-knows-this-one: not checked",
    )
    passed = ask(GATE, {"requirements.txt": "rich\n"})
    assert said(passed) == ("passed", "requirements.txt: rich comes under MIT, by its installed metadata")


def test_a_dependency_that_was_there_is_old() -> None:
    old = {"a/requirements.txt": "unidecode\nnobody-knows-this-one\n"}
    moved = {"pyproject.toml": "project.dependencies = ['Unidecode>1', 'nobody_knows_this_one']"}
    assert said(ask(GATE, moved, old)) == ("passed", "the change adds no finding")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"#!/bin/sh\n# {SPDX}GPL-3.0-or-later\n", 2),
        (f"/* {SPDX}MIT AND LGPL-2.1-only */\n", 1),
        (f"<!-- {SPDX}AGPL-3.0-only -->", 1),
        (f'"""{SPDX}GPL-3.0-only"""\n', 1),
        (f"x = '{SPDX}GPL-3.0-only\\n'\n", 1),
        (f"--[[ {SPDX}GPL-3.0-only ]]\n", 1),
        (f"(* {SPDX}GPL-3.0-only *)\n", 1),
        (f"{{#- {SPDX}GPL-3.0-only -#}}\n", 1),
        (f"/* {SPDX}MIT */ /* {SPDX}GPL-3.0-only. */\n", 1),
        ("# " + NOTICE.format(""), 1),
        ("#\n# " + NOTICE.format("Lesser "), 2),
        ("\n      GNU AFFERO GENERAL PUBLIC" + " LICENSE\n        Version 3, 19 November 2007\n", 2),
    ],
)
def test_headers_and_texts_are_flagged_unless_they_were_there(text: str, line: int) -> None:
    result = ask(GATE, {"a.c": text})
    assert result.status is GateStatus.FAILED and result.evidence.startswith(f"a.c:{line}: ")
    assert ask(GATE, {"b.c": "\n" + text}, {"a.c": text}).status is GateStatus.PASSED


def test_what_leaves_a_choice_or_only_speaks_of_the_gpl_passes() -> None:
    good = {
        "a.c": f"// {SPDX}MIT OR GPL-3.0-only\n",
        "README.md": "This is not under the GPL.\n",
        "b.py": f"x = '{SPDX}{{licence}}'\n",
    }
    assert said(ask(GATE, good)) == ("passed", "the change adds no finding")
    assert ask(GATE, NOTHING, {"a.c": f"{SPDX}GPL-3.0-only"}).status is GateStatus.NOT_NEEDED


def test_a_header_that_cannot_be_read_does_not_pass() -> None:
    header = {"a.c": f"\n// {SPDX}GPL 3.0\n"}
    unread = "not looked at: a.c:2: the SPDX identifier 'GPL 3.0' cannot be read"
    assert said(ask(GATE, header)) == ("not_run", unread)
    assert ask(GATE, {"b.c": header["a.c"]}, header).status is GateStatus.PASSED, "it is old"
    assert ask(GATE, {**header, "b.c": f"// {SPDX}GPL-3.0-only\n"}).status is GateStatus.FAILED


def test_a_long_header_is_read_in_little_time() -> None:
    gate = LicencesGate()
    result = ask(gate, {"a.py": f"# {SPDX}x{' ' * 200_000}y\n"})
    assert result.status is GateStatus.NOT_RUN and result.seconds < 5
