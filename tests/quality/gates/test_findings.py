"""Which findings a change adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from krins.domain import Change, GateStatus
from krins.quality.gates.findings import Finding, Scanned, added, lines_of, opinion_of, scan_change

FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(["a", "b"]),
        st.integers(1, 9),
        st.sampled_from(["r", "s"]),
        st.just("m"),
        st.text("xy", max_size=1),
    )
)


def identities(findings: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter((finding.rule, finding.text) for finding in findings)


@settings(max_examples=50)
@given(FINDINGS, FINDINGS)
def test_added_is_a_difference_of_multisets_wherever_the_findings_are(
    after: list[Finding], before: list[Finding]
) -> None:
    new = added(after, before)
    assert identities(new) == identities(after) - identities(before)
    assert new == sorted(new) and set(new) <= set(after)


def marks(texts: Mapping[str, str]) -> Scanned:
    """A scan that finds every line with an exclamation mark."""
    return Scanned(
        [
            Finding(path, number, "mark", "!", line.strip())
            for path, text in texts.items()
            for number, line in enumerate(text.split("\n"), 1)
            if "!" in line
        ]
    )


def new_marks(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, int]] | None:
    scanned = scan_change(Change(before, after, ""), lambda path, text: path.endswith(".x"), marks)
    return None if scanned is None else [(finding.path, finding.line) for finding in scanned.findings]


def test_what_a_change_is_blamed_for() -> None:
    old = {"a.x": "one!\ntwo", "c.x": "three!"}
    assert new_marks(old, {**old, "a.x": "zero\n  one!\ntwo"}) == []  # moved and indented
    assert new_marks(old, {"b.x": "one!", "c.x": "three!"}) == []  # moved to another file
    assert new_marks(old, {**old, "a.x": "one!\none!"}) == [("a.x", 2)]  # said twice
    assert new_marks(old, {**old, "a.x": "one!\nthree!"}) == [("a.x", 2)]  # copied from a file that stays
    assert new_marks(old, {**old, "a.x": "one! changed"}) == [("a.x", 1)]
    assert new_marks(old, {**old, "a.y": "one!"}) is None  # no file of the gate's
    assert new_marks(old, {}) is None


def test_the_opinion_that_findings_make() -> None:
    bad, small = Finding("a\n.py", 3, "R1", "bad", ""), Finding("b.py", 4, "R2", "small", "", fails=False)
    assert opinion_of(Scanned([])) == (GateStatus.PASSED, "the change adds no finding")
    assert opinion_of(Scanned([small])) == (GateStatus.PASSED, "noted, does not fail: b.py:4: R2: small")
    assert opinion_of(Scanned([small], ["why"])).status is GateStatus.NOT_RUN
    failed = opinion_of(Scanned([bad], ["why"]))
    assert failed == (GateStatus.FAILED, "'a\\n.py':3: R1: bad\nnot looked at: why")


def test_lines_are_counted_from_one_and_stripped() -> None:
    assert lines_of("a\n  b \n c\nd", 2, 3) == "b\nc"
