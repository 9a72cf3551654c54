"""A change on a base that has moved: what both sides say, or where they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.domain import Change
from krins.pipeline.patches.diffs import unified_diff
from krins.pipeline.patches.merging import Conflict, LineRange, Merge, merge


def merged(before: Mapping[str, str], after: Mapping[str, str], onto: Mapping[str, str]) -> Merge:
    return merge(Change(before, after, ""), onto)


BASE = "".join(f"line {number}\n" for number in range(1, 11))


def test_both_changes_of_a_file_are_in_the_merge() -> None:
    ours, theirs = BASE.replace("line 2\n", "two\nand a half\n"), BASE.replace("line 9\n", "nine\n")
    both = ours.replace("line 9\n", "nine\n")
    found = merged({"a": BASE, "b": "B\n"}, {"a": theirs, "b": "B\n"}, {"a": ours, "b": "moved\n", "c": "C\n"})
    onto = {"a": ours, "b": "moved\n", "c": "C\n"}
    assert found == Merge(Change(onto, {**onto, "a": both}, unified_diff(onto, {**onto, "a": both})))


def test_files_that_come_and_go() -> None:
    found = merged({"a": "A\n", "b": "B\n"}, {"a": "A\n", "new": "N\n"}, {"a": "moved\n", "b": "B\n"})
    assert found.change is not None
    assert found.change.after == {"a": "moved\n", "new": "N\n"}


@pytest.mark.parametrize(("before", "after", "onto"), [("A", None, None), (None, "N", "N"), ("A", "B", "B")])
def test_what_both_did_alike_is_no_conflict(before: str | None, after: str | None, onto: str | None) -> None:
    trees = [{"x": text} if text is not None else {} for text in (before, after, onto)]
    found = merged(trees[0], trees[1], trees[2])
    assert found.change is not None
    assert (found.change.after, found.change.diff) == (trees[2], "")


def test_conflicts_name_path_and_lines() -> None:
    ours = BASE.replace("line 2\n", "two\nand more\n").replace("line 9\n", "")
    theirs = BASE.replace("line 2\n", "zwei\n").replace("line 9\n", "neun\n").replace("line 5\n", "fünf\n")
    found = merged({"a": BASE, "b": "B\n"}, {"a": theirs, "b": "C\n"}, {"a": ours, "b": "B\n"})
    reason = "changed by both in the same lines"
    # Line 9 is gone from ours: the gap before our line 10, which is "line 10".
    assert found == Merge(None, (Conflict("a", reason, (LineRange(2, 3), LineRange(10, 9))),))


@pytest.mark.parametrize(
    ("before", "after", "onto", "reason"),
    [
        ("A\n", None, "B\n", "deleted by the change, and changed on the base"),
        ("A\n", "B\n", None, "changed by the change, and deleted on the base"),
        (None, "A\n", "B\n", "created by both, with different text"),
        ("\0A\n", "\0B\n", "\0C\n", "changed by both, and not text"),
    ],
)
def test_conflicts_about_whole_files(before: str | None, after: str | None, onto: str | None, reason: str) -> None:
    trees = [{"x": text} if text is not None else {} for text in (before, after, onto)]
    assert merged(trees[0], trees[1], trees[2]) == Merge(None, (Conflict("x", reason),))


def test_a_file_in_the_place_of_a_folder_is_a_conflict() -> None:
    assert merged({}, {"x": "A"}, {"x/y": "B"}).conflicts[0].path == "x"
    assert merged({}, {"x/y": "A"}, {"x": "B"}).conflicts[0].path == "x/y"


def test_markers_in_the_text_are_text() -> None:
    base = "<<<<<<< ours\n=======\n>>>>>>> theirs\n" + BASE + "=" * 40 + "\n"
    found = merged({"a": base}, {"a": base.replace("line 1\n", "one\n")}, {"a": base.replace("line 9\n", "nine\n")})
    assert found.change is not None
    assert found.change.after["a"] == base.replace("line 1\n", "one\n").replace("line 9\n", "nine\n")
    found = merged({"a": base}, {"a": base.replace("line 1\n", "one\n")}, {"a": base.replace("line 1\n", "eins\n")})
    assert found.conflicts[0].ranges == (LineRange(4, 4),)


def test_the_users_settings_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[merge]\n\tconflictStyle = diff3\n[core\nbroken")
    (tmp_path / ".config" / "git").mkdir(parents=True)
    (tmp_path / ".config" / "git" / "attributes").write_text("* merge=union\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    found = merged({"a": "x\n"}, {"a": "y\n"}, {"a": "z\n"})
    assert found.conflicts[0].ranges == (LineRange(1, 1),)


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "<<<<<<<\n", "=======\n", ""]), max_size=8).map("".join)


@settings(max_examples=20, deadline=None)
@given(LINES, LINES, LINES)
def test_a_merge_is_symmetric_and_exact_where_one_side_is_the_base(base: str, one: str, other: str) -> None:
    def text_or_conflicts(before: str, after: str, onto: str) -> str | None:
        found = merged({"a": before}, {"a": after}, {"a": onto})
        assert (found.change is None) == bool(found.conflicts)
        return found.change.after["a"] if found.change else None

    assert text_or_conflicts(base, one, base) == one
    assert text_or_conflicts(base, base, other) == other
    assert text_or_conflicts(base, one, other) == text_or_conflicts(base, other, one)
