"""What is read from a TAP report."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from krins.quality.gates.tap import TapTest, read_tap

REPORT = """TAP version 13
# not ok 9 - printed by the test, so a comment
# Subtest: suite
    # Subtest: good
    ok 1 - good
      ---
      duration_ms: 1
      ...
    # Subtest: bad
    not ok 2 - bad
      ---
      error: |-
        boom
        not ok 3 - inside the block
      code: 'X'
      ...
    ok 3 - later # SKIP not now
    1..3
not ok 1 - suite
  ---
  error: '1 subtest failed'
  ...
ok 2 - alone
not ok 3 - planned # TODO
1..3
"""


def test_leaves_are_tests_and_blocks_are_not() -> None:
    assert list(read_tap(REPORT)) == [
        TapTest("suite > good", True, False, ""),
        TapTest("suite > bad", False, False, "boom"),
        TapTest("suite > later", True, True, ""),
        TapTest("alone", True, False, ""),
        TapTest("planned", False, True, ""),
    ]


def test_a_report_may_be_cut_anywhere() -> None:
    lines = REPORT.splitlines()
    assert list(read_tap("\n".join(lines[: lines.index("      error: |-") + 1])))[1] == TapTest(
        "suite > bad", False, False, ""
    )


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*REPORT.splitlines(), "  ---", "...", "        ok 1 - x", ""])))
def test_any_text_is_read(lines: list[str]) -> None:
    assert len(list(read_tap("\n".join(lines)))) <= len(lines)
