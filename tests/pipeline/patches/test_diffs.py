"""The diff of a change: git makes the tree after of the tree before with it, and so do we."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from krins.pipeline.patches import change_of
from krins.pipeline.patches.diffs import unified_diff
from krins.pipeline.patches.quoting import quoted, unquoted

TEXTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "-- x", "++ y", "@@ -1 +1 @@", "\\ No newline", "", " ", "é", "\x0c\u2028", "\0"]),
        st.sampled_from(["\n", "\r\n", "\n", ""]),
    ),
    max_size=25,
).map(lambda lines: "".join(line + end for line, end in lines))
PATHS = st.sampled_from(["a.py", "src/b.py", "src/my file.txt", "src/ü.md", 'q"uote', "tab\there", "b/a.py"])
TREES = st.dictionaries(PATHS, TEXTS, max_size=4)


def git_applied(before: Mapping[str, str], diff: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, text in before.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text.encode())
        if diff:
            command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
            subprocess.run(command, cwd=root, input=diff.encode(), check=True)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes().decode() for path in files}


@settings(max_examples=30, deadline=None)
@given(TREES, TREES)
@example({"a.py": ""}, {"a.py": "\n"})
@example({"a.py": "a"}, {"a.py": "a\n"})
@example({"a.py": "a\n"}, {"a.py": "a"})
@example({"a.py": "a\r\nb\r\n"}, {"a.py": "a\nb\r\n"})
@example({}, {"a.py": ""})
@example({"a.py": ""}, {})
@example({"a.py": "def é" + "é" * 60 + "\n" + " b\n" * 9}, {"a.py": "def é" + "é" * 60 + "\n" + " b\n" * 9 + "c"})
def test_git_makes_the_tree_after_of_the_tree_before(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    assert git_applied(before, unified_diff(before, after)) == dict(after)


@settings(max_examples=30, deadline=None)
@given(TREES, TREES)
@example({"a.py": "x\n" * 20}, {"a.py": "x\n" * 19})
@example({"a.py": "a\r\nb\r\n"}, {"a.py": "a\nb\r\n"})
def test_read_as_an_answer_it_is_the_same_change(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    diff = unified_diff(before, after)
    if diff:
        change = change_of(f"Here:\n\n````diff\n{diff}````\n", before)
        assert change.after == dict(after)
        assert change.diff == diff


def test_what_git_is_told_elsewhere_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = {"a.py": "a\n" * 9}, {"a.py": "a\n" * 4 + "b\n" + "a\n" * 4}
    plain = unified_diff(before, after)
    settings_file = tmp_path / ".gitconfig"
    settings_file.write_text("[diff]\n\tcontext = 0\n\tnoprefix = true\n\texternal = false\n[color]\n\tui = always\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings_file))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")
    assert unified_diff(before, after) == plain


def test_it_is_as_one_would_write_it() -> None:
    diff = unified_diff({"a.py": "a\nb\n", "gone": "x"}, {"a.py": "a\nc\n", "new": "y\n"})
    assert diff == (
        "diff --git a/a.py b/a.py\nindex 422c2b7ab3..0f7bc76605 100644\n--- a/a.py\n+++ b/a.py\n"
        "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\nindex c1b0730e01..0000000000\n--- a/gone\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n"
        "diff --git a/new b/new\nnew file mode 100644\nindex 0000000000..975fbec825\n--- /dev/null\n+++ b/new\n"
        "@@ -0,0 +1 @@\n+y\n"
    )


@given(st.text())
def test_quoting_is_undone(path: str) -> None:
    path = path.encode(errors="replace").decode()
    assert unquoted(quoted(path)) == path or (path[:1] == path[-1:] == '"')
