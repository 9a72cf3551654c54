"""Paths that a change must leave alone, each with its reason."""

from __future__ import annotations

import pytest

from krins.domain import Change
from krins.errors import PatchRefused
from krins.pipeline.patches import change_of
from krins.pipeline.patches.guard import MOST_BYTES, check_paths

TREE = {
    "src/app.py": "A = 1\n",
    "tests/test_app.py": "def test(): pass\n",
    "tests/helper.py": "H = 1\n",
    "web/app.test.js": "test()\n",
    "openapi-spec.yaml": "a: 1\n",
    ".github/workflows/test.yml": "on: push\n",
    "Makefile": "all:\n",
}


def writing(path: str, text: str = "new\n") -> Change:
    return Change(TREE, {**TREE, path: text}, "")


def deleting(path: str) -> Change:
    return Change(TREE, {other: text for other, text in TREE.items() if other != path}, "")


@pytest.mark.parametrize(
    "path",
    [
        *("src/app.py", "src/new.py", "new/deep/er.md", "src/tests_of_nothing.py", "openapi-spec.yaml", "Dockerfile"),
        *(".github/workflows/test.yml", ".gitignore", "tests/test_new.py", "src/ü b.py", "web/new.test.js", "a..b"),
    ],
)
def test_these_may_be_changed(path: str) -> None:
    check_paths(writing(path), ["docs/*"])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "not relative"),
        ("~/.bashrc", "not relative"),
        ("../other.py", "leads out"),
        ("src/../../x.py", "leads out"),
        ("./src/app.py", "leads out"),
        ("src//app.py", "leads out"),
        ("src/", "leads out"),
        ("", "no path"),
        ("..\\x.py", "backslash"),
        ("src\\app.py", "backslash"),
        ("C:/x.py", "colon"),
        ("C:\\x.py", "backslash"),
        ("x.py::$DATA", "colon"),
        (".git/config", "git's own"),
        ("src/.git/hooks/pre-commit", "git's own"),
        (".GIT/config", "git's own"),
        (".git./config", "git's own"),
        (".git /config", "git's own"),
        (".g\u200cit/config", "git's own"),
        ("GIT~1/config", "git's own"),
        (".gitmodules", "git's own"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("\ud800", "UTF-8"),
        ("src/app.py.", "blank or dot end"),
        ("src /app.py", "blank or dot end"),
        ("a/" * 600 + "b", "too long"),
        ("ü" * 128, "name that is too long"),
        ("tests/test_app.py", "is a test"),
        ("tests/helper.py", "tests run with it"),
        ("tests/__init__.py", "tests run with it"),
        ("web/app.test.js", "is a test"),
        ("conftest.py", "tests run with it"),
        ("src/sitecustomize.py", "tests run with it"),
        ("Makefile", "protected by Make*"),
        ("docs/a/b.md", r"protected by docs/\*"),
        ("SRC/new.py", "where case does not count"),
        ("src/APP.py", "where case does not count"),
        ("src", "both a file and a folder"),
        ("src/app.py/x.py", "both a file and a folder"),
    ],
)
def test_these_may_not(path: str, reason: str) -> None:
    with pytest.raises(PatchRefused, match=reason) as refused:
        check_paths(writing(path), ["docs/*", "Make*"])
    assert repr(path)[:200].rstrip("'") in refused.value.message


SOURCES = ["src/openapi-spec.js", "bin/smoke-test.sh", "src/ab-test.ts", "src/spec.js"]
TESTS = ["src/a.spec.ts", "src/a_test.go", "src/test_a.rb", "e2e/smoke-test.sh", "spec/a-spec.js", "src/__tests__/a.js"]


@pytest.mark.parametrize("path", SOURCES)
def test_a_source_that_is_about_tests_is_none(path: str) -> None:
    check_paths(Change({path: "1"}, {path: "2"}, ""), [])


@pytest.mark.parametrize("path", TESTS)
def test_a_test_is_told_by_its_runners_conventions(path: str) -> None:
    with pytest.raises(PatchRefused, match="is a test"):
        check_paths(Change({path: "1"}, {path: "2"}, ""), [])


def test_a_test_may_not_be_deleted_and_other_files_may() -> None:
    with pytest.raises(PatchRefused, match=r"tests/test_app\.py': is a test"):
        check_paths(deleting("tests/test_app.py"), [])
    check_paths(deleting("src/app.py"), [])


def test_two_new_names_may_not_be_one() -> None:
    for one, other in (("n/A.py", "n/a.py"), ("\u00e9.py", "e\u0301.py"), ("stra\u00dfe", "STRASSE")):
        with pytest.raises(PatchRefused, match="where case does not count"):
            check_paths(Change({}, {one: "1", other: "2"}, ""), [])


def test_names_that_collided_before_are_not_the_changes_fault() -> None:
    tree = {"a.py": "1", "A.py": "2", "b.py": "3"}
    check_paths(Change(tree, {**tree, "b.py": "4"}, ""), [])


def test_a_change_may_write_so_much_and_no_more() -> None:
    check_paths(writing("a.txt", "ü" * (MOST_BYTES // 2)), [])
    with pytest.raises(PatchRefused, match="1,048,578 bytes"):
        check_paths(writing("a.txt", "ü" * (MOST_BYTES // 2 + 1)), [])


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "..\\..\\x.py", "C:\\x.py", ".git/hooks/x.sh"])
def test_what_an_answer_says_of_such_paths_is_read_and_refused(path: str) -> None:
    whole = f"{path}\n```\nx\n```\n"
    diff = f"```diff\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n```\n"
    block = f"{path}\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n"
    for answer in (whole, diff, block):
        change = change_of(answer, TREE)
        assert list(change.written) == [path]
        with pytest.raises(PatchRefused):
            check_paths(change, [])
