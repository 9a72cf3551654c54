"""A hunk goes where it belongs, or nowhere."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.errors import PatchFailed
from krins.pipeline.patches.applying import patched
from krins.pipeline.patches.diffs import unified_diff
from krins.pipeline.patches.edits import FilePatch, Hunk, HunkLine
from krins.pipeline.patches.unified import read_diff

TWINS = "def f():\n    pass\n\n\ndef g():\n    pass\n"


def as_diff(before: str, after: str) -> str:
    """A diff without git's names for the texts, and by another program than the one that makes changes' diffs."""
    lines = difflib.unified_diff(before.split("\n")[:-1], after.split("\n")[:-1], "a/f", "b/f", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def applied(diff: str, text: str) -> str:
    tree = {"f": text}
    made = patched(read_diff(diff.split("\n")[:-1], tree, None, may_be_cut=False), tree)["f"]
    assert made is not None
    return made


def replaced(old: list[str], new: list[str], text: str) -> str | None:
    lines = [*(HunkLine("-", line) for line in old), *(HunkLine("+", line) for line in new)]
    return patched([FilePatch("f", [Hunk("hunk 1", lines)])], {"f": text})["f"]


@pytest.mark.parametrize("start", [1, 2, 6])
def test_twins_are_refused_whatever_the_line_number_says(start: int) -> None:
    diff = f"--- a/f\n+++ b/f\n@@ -{start} +{start} @@\n-    pass\n+    return 1\n"
    with pytest.raises(PatchFailed, match=r"f: hunk 1 .* matches equally well at line 2 and line 6"):
        applied(diff, TWINS)


def test_a_number_counts_where_the_diff_names_the_text_that_it_was_made_from() -> None:
    """All lines are the same here, so only the number can tell."""
    before, after = "x\n" * 20, "x\n" * 10 + "y\n" + "x\n" * 9
    diff = unified_diff({"f": before}, {"f": after})
    assert applied(diff, before) == after
    with pytest.raises(PatchFailed, match="equally well"):
        applied(diff, "x\n" + before)


def test_one_more_line_of_context_tells_twins_apart() -> None:
    assert replaced(["def g():", "    pass"], ["def g():", "    return 1"], TWINS) == TWINS[:-9] + "    return 1\n"


def test_exact_lines_win_over_lines_that_differ_in_whitespace() -> None:
    text = "  a\nb\na\nb\na \nb\n"
    assert replaced(["a", "b"], ["c"], text) == "  a\nb\nc\na \nb\n"
    with pytest.raises(PatchFailed, match="line 1 and line 3"):
        replaced(["a", "b"], ["c"], "a \nb\na  \nb\n")


def test_trailing_whitespace_of_the_file_stays_on_lines_that_are_only_shown() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n"
    assert applied(diff, "a  \nb\t\nd \n") == "a  \nc\nd \n"


@pytest.mark.parametrize(
    ("old", "new", "text", "expected"),
    [
        (["if x:", "    y"], ["if x:", "    z", "", "    w"], "\tif x:\n\t    y\n", "\tif x:\n\t    z\n\n\t    w\n"),
        (["      if x:", "        y"], ["      z"], "  if x:\n    y\n", "  z\n"),
    ],
    ids=["more", "less"],
)
def test_indentation_is_taken_from_the_file(old: list[str], new: list[str], text: str, expected: str) -> None:
    assert replaced(old, new, text) == expected


def test_unclear_indentation_is_refused() -> None:
    with pytest.raises(PatchFailed, match="indented otherwise"):
        replaced(["if x:", "  y"], ["z"], "if x:\n    y\n")
    with pytest.raises(PatchFailed, match="indented otherwise"):
        replaced(["    y"], ["    z"], "\ty\n")
    with pytest.raises(PatchFailed, match="indented otherwise"):
        replaced(["    y"], ["z"], "  y\n")


def test_a_number_goes_only_where_it_is_certainly_one() -> None:
    """Line 2 of the first text is "b"; the second has a line that begins with a number itself."""
    assert replaced(["2:b"], ["2:c"], "a\nb\n") == "a\nc\n"
    assert replaced(["2:b"], ["2:c"], "2:b\nb\n") == "2:c\nb\n"
    with pytest.raises(PatchFailed, match=r"no line of the file is '3:b'"):
        replaced(["3:b"], ["3:c"], "a\nb\n")


def test_a_hunk_that_says_how_the_file_ends_is_at_its_end() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    assert applied(diff, "a\nb\na") == "a\nb\nc"
    with pytest.raises(PatchFailed, match="does not apply"):
        applied(diff, "a\nb")


def test_empty_lines_that_the_header_counts_in_are_of_the_hunk() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -{0} +{0} @@\n-a\n+c\n\n"
    assert applied(diff.format("3,2"), "a\nb\na\n\n") == "a\nb\nc\n\n"
    with pytest.raises(PatchFailed, match="equally well"):
        applied(diff.format("3"), "a\nb\na\n\n")


def test_hunks_that_change_the_same_line_are_refused_and_may_show_it() -> None:
    both = "--- a/f\n+++ b/f\n@@ -1,3 +1 @@\n-1\n-2\n{}\n@@ -3,2 +2,1 @@\n-3\n+three\n 4\n"
    with pytest.raises(PatchFailed, match=r"hunk 1 .* and hunk 2 .* both change line 3"):
        applied(both.format("-3"), "1\n2\n3\n4\n")
    assert applied(both.format(" 3"), "1\n2\n3\n4\n") == "three\n4\n"


def test_a_patch_is_placed_in_what_the_one_before_has_made() -> None:
    one = FilePatch("f", [Hunk("one", [HunkLine("-", "a"), *(HunkLine("+", text) for text in "xyz")])])
    other = FilePatch("f", [Hunk("other", [HunkLine("-", "c"), HunkLine("+", "w")])])
    assert patched([one, other], {"f": "a\nb\nc\nd\n"})["f"] == "x\ny\nz\nb\nw\nd\n"


def test_lines_end_at_newlines_alone() -> None:
    text = "a\x0cb\u2028c\rd\nx\n"
    assert replaced(["a\x0cb\u2028c\rd"], ["e\x0c"], text) == "e\x0c\nx\n"


LINES = st.sampled_from(["a", "b", "  a", "a ", "}", "", "x = 1", "\tb", "return"])
UNIQUE = st.integers(0, 10**6).map("line {}".format)


@st.composite
def drifts(draw: st.DrawFn, lines: st.SearchStrategy[str]) -> tuple[str, str, str, str]:
    """A text, an edit of it, and both with lines inserted above and below all that a diff shows of the edit."""
    before = draw(st.lists(lines, min_size=1, max_size=30))
    start = draw(st.integers(0, len(before)))
    end = draw(st.integers(start, min(len(before), start + 4)))
    new = draw(st.lists(lines, max_size=4).filter(lambda new: new != before[start:end]))
    after = [*before[:start], *new, *before[end:]]
    top, bottom = max(0, start - 7), end + 7
    # Insertions keep clear of the hunk: git may slide an edit along equal lines, so by more than its context of three.
    above = draw(st.lists(st.tuples(st.integers(0, top), lines), max_size=6)) if top else []
    drifted_before, drifted_after = list(before), list(after)
    if bottom < len(before):
        low = draw(st.lists(lines, max_size=4))
        at = draw(st.integers(bottom, len(before)))
        drifted_before[at:at] = low
        drifted_after[at + len(after) - len(before) : at + len(after) - len(before)] = low
    for at, line in sorted(above, reverse=True):
        drifted_before.insert(at, line)
        drifted_after.insert(at, line)
    texts = ["".join(f"{line}\n" for line in text) for text in (before, after, drifted_before, drifted_after)]
    return texts[0], texts[1], texts[2], texts[3]


def _exactly_or_not(drift: tuple[str, str, str, str]) -> bool:
    before, after, drifted, expected = drift
    try:
        assert applied(as_diff(before, after), drifted) == expected
    except PatchFailed as failed:
        assert "equally well" in failed.message or "shows no line" in failed.message
        return False
    return True


@given(drifts(LINES))
def test_on_a_file_that_moved_it_is_the_very_edit_or_refused(drift: tuple[str, str, str, str]) -> None:
    _exactly_or_not(drift)


@given(drifts(UNIQUE))
def test_where_no_two_lines_are_alike_it_is_the_very_edit(drift: tuple[str, str, str, str]) -> None:
    lines = drift[2].split("\n")[:-1]
    has_context = drift[0] != "" and len(lines) == len(set(lines))
    assert _exactly_or_not(drift) or not has_context


@given(st.lists(LINES, min_size=3, max_size=8), st.lists(LINES, max_size=5), st.integers(0, 2))
def test_in_a_file_with_the_block_twice_it_is_refused(block: list[str], between: list[str], at: int) -> None:
    new = [*block[:at], "new", *block[at + 1 :]]
    with pytest.raises(PatchFailed, match="equally well"):
        replaced(block, new, "".join(f"{line}\n" for line in [*block, *between, *block]))


@given(st.lists(LINES, min_size=1, max_size=12), st.data())
def test_whatever_a_search_block_says_it_changes_one_place(lines: list[str], data: st.DataObject) -> None:
    """Against a search by hand: of exact places there is one, or the block is refused."""
    start = data.draw(st.integers(0, len(lines) - 1))
    old = lines[start : start + 3]
    places = [at for at in range(len(lines)) if lines[at : at + len(old)] == old]
    text = "".join(f"{line}\n" for line in lines)
    if len(places) == 1:
        expected = [*lines[:start], "new", *lines[start + len(old) :]]
        assert replaced(old, ["new"], text) == "".join(f"{line}\n" for line in expected)
    else:
        with pytest.raises(PatchFailed, match=f"line {places[0] + 1} and line {places[1] + 1}"):
            replaced(old, ["new"], text)
