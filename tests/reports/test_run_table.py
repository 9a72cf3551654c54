"""The table of a run: what it says, and that no width cuts any of it off."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from krins.reports.run_table import render
from krins.runs.result import ErrorCounts, RunResult
from tests.reports.results import baselines, curve, figure, result, router, unknown_router


def text_of(shown: RunResult, width: int, is_terminal: bool = False) -> str:
    output = io.StringIO()
    console = Console(
        file=output, width=width, force_terminal=is_terminal, color_system="truecolor" if is_terminal else None
    )
    render(shown, console)
    return output.getvalue()


DEMO = result(
    router("thompson"),
    router(
        "random",
        quality=figure(0.6, 0.1, 0.02),
        saving_vs_best_single=figure(-0.1, 0.05, 0.02),
        is_saving=False,
        hull_quality_gain=None,
    ),
    notes=["3 missing outcomes count as failures"],
)


def test_on_a_narrow_page_the_table_is_parted_and_explained() -> None:
    assert (
        text_of(DEMO, 80)
        == """\
demo  run demo-20260601-101112-a1b2
recorded: 40 tasks from 5 repositories, 10 replications, seed 7, took 1.2 s

                                                       USD        tokens
router                           quality            a task        a task
------------------------------------------------------------------------
thompson                           0.661           $0.0641          1234
                          [0.501, 0.821]  [0.0539, 0.0743]  [1024, 1444]
                          0.639 to 0.683  0.0610 to 0.0672  1222 to 1246
random                             0.600           $0.0641          1234
                          [0.500, 0.700]  [0.0539, 0.0743]  [1024, 1444]
                          0.580 to 0.620  0.0610 to 0.0672  1222 to 1246
------------------------------------------------------------------------
best single by quality:            0.800           $0.0900
large-model               [0.700, 0.900]  [0.0810, 0.0990]
best fixed by reward:              0.700           $0.0123
small-model               [0.600, 0.800]  [0.0111, 0.0135]
random model                       0.750           $0.0500
                          [0.650, 0.850]  [0.0450, 0.0550]
oracle by reward                   0.900           $0.0300
                          [0.800, 1.000]  [0.0270, 0.0330]
oracle, cheapest correct           0.910           $0.0200
                          [0.810, 1.010]  [0.0180, 0.0220]

          cheaper than     quality minus  may be called
router     best single     best single's       a saving
-------------------------------------------------------
thompson           28%            -0.006            yes
               [9, 47]  [-0.010, -0.002]
              17 to 39  -0.009 to -0.003
random            -10%            -0.006            no:
             [-15, -5]  [-0.010, -0.002]    not cheaper
             -12 to -8  -0.009 to -0.003

             quality above   cheaper than
             mixing at the  mixing at the
router           same cost   same quality
-----------------------------------------
thompson            +0.012              -
          [+0.003, +0.021]
          +0.008 to +0.016
random                   -              -

          regret against  regret against
router        best fixed          oracle
----------------------------------------
thompson            12.0            38.0
             [8.0, 16.0]    [31.0, 45.0]
            10.0 to 14.0    35.0 to 41.0
random              12.0            38.0
             [8.0, 16.0]    [31.0, 45.0]
            10.0 to 14.0    35.0 to 41.0

[low, high]  95% interval of the mean over tasks, clustered by repository
low to high  where the central 95% of the 10 replications lie
hull         small-model 0.700 at $0.0123, large-model 0.800 at $0.0900
mixing       sending each task to one of two neighbours on the hull, at random,
             which needs no router
cheaper      share of the cost that is spared; negative: dearer
a saving     cheaper, and quality lower by less than the suite's margin of 0.02:
             by both intervals
regret       total reward missed against it, in one replication of 40 decisions
-            not known; against mixing: off the hull, where there is nothing to
             compare with

note: 3 missing outcomes count as failures
"""
    )


def test_a_lower_cost_stands_beside_the_quality_difference_at_any_width() -> None:
    for width in (80, 100, 120, 160, 200):
        lines = text_of(DEMO, width).splitlines()
        (heading,) = [above + below for above, below in pairwise(lines) if "quality minus" in above]
        assert "cheaper than" in heading and "may be called" in heading


def test_a_wide_page_holds_one_table() -> None:
    lines = text_of(DEMO, 190).splitlines()
    assert sum(line.startswith("router ") for line in lines) == 1
    assert next(line for line in lines if line.startswith("thompson")).split() == (
        ["thompson", "0.661", "$0.0641", "1234", "28%", "-0.006", "yes", "+0.012", "-", "12.0", "38.0"]
    )


NAMES = st.lists(st.text("ΓΔΘΛΞΠΣΦΨΩ-:/", min_size=1, max_size=60), min_size=1, max_size=4, unique=True)
COSTS = st.floats(1e-7, 1e3)


@settings(deadline=None)
@given(NAMES, COSTS, st.floats(0, 1), st.integers(78, 220), st.booleans())
def test_no_line_is_too_long_and_nothing_is_cut(
    names: list[str], cost: float, quality: float, width: int, is_terminal: bool
) -> None:
    """Names are Greek, so what is Greek in the text is names: row by row, they must be whole."""
    shown = result(
        *(
            router(name, cost_usd=figure(cost, cost / 3, cost / 9), quality=figure(quality, 0.1, 0.05))
            for name in names
        ),
        baselines=baselines("ΑΒ-" * 15, "ΕΖ/" * 15),
    )
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text_of(shown, width, is_terminal))
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text and "..." not in text
    greek = re.sub(r"[^Α-Ω]", "", text)
    for whole in ("".join(names), "ΑΒ-" * 15, "ΕΖ/" * 15):
        assert re.sub(r"[^Α-Ω]", "", whole) in greek
    words = text.split()
    assert words.count(f"{quality:.3f}") >= len(names)
    means = [float(word[1:]) for word in words if re.fullmatch(r"\$[\d.]+", word)]
    assert sum(mean == pytest.approx(cost, rel=0.006) for mean in means) >= len(names)


def test_plain_output_has_no_escape_codes_and_a_terminal_has_no_other_words() -> None:
    plain, styled = text_of(DEMO, 120), text_of(DEMO, 120, is_terminal=True)
    assert "\x1b" not in plain and plain.isascii()
    assert "\x1b[1m" in styled
    assert re.sub(r"\x1b\[[\d;]*m", "", styled).replace("─", "-") == plain


def test_the_best_value_is_bold() -> None:
    styled = text_of(DEMO, 120, is_terminal=True)
    assert "\x1b[1m0.661\x1b[0m" in styled and "\x1b[1m0.600\x1b[0m" not in styled


def test_what_nobody_knows_is_named_instead_of_shown() -> None:
    text = text_of(result(unknown_router("lonely"), baselines=None, n_replications=1), 100)
    assert "lonely    0.500" in text
    legend = " ".join(text[text.index("not known") :].split())
    assert legend == (
        "not known USD a task, tokens a task, cheaper than best single, quality minus best single's, quality above "
        "mixing at the same cost, cheaper than mixing at the same quality, regret against best fixed, regret against "
        "oracle"
    )


def test_one_unknown_value_is_a_dash() -> None:
    text = text_of(result(router("a", tokens=None), router("b"), n_repositories=40), 190)
    assert next(line for line in text.splitlines() if line.startswith("a ")).split()[3] == "-"
    assert "each independent of the others" in text


@pytest.mark.parametrize(
    ("saving", "difference", "words"),
    [
        (figure(-0.1, 0.05), figure(0.1, 0.05), ["no:", "not cheaper"]),
        (figure(0.3, 0.05), figure(-0.1, 0.05), ["no: quality", "is lower"]),
        (figure(0.3, 0.05), figure(-0.01, 0.05), ["no: quality", "may be lower"]),
    ],
)
def test_why_a_lower_cost_is_no_saving(saving: object, difference: object, words: list[str]) -> None:
    row = router("a", saving_vs_best_single=saving, quality_difference_vs_best_single=difference, is_saving=False)
    lines = text_of(result(row), 190).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("a "))
    assert [word in line for word, line in zip(words, lines[start:], strict=False)] == [True, True]


def test_errors_are_shown_by_whose_fault_they_were_and_both_denominators() -> None:
    faulty = router("faulty", errors=ErrorCounts(model=12, infrastructure=4), quality_answered=figure(0.7, 0.1, 0.1))
    text = text_of(result(faulty, router("sound")), 250)
    row = next(line for line in text.splitlines() if line.startswith("faulty"))
    assert row.split()[:3] == ["faulty", "0.661", "0.700"]
    assert row.split()[-2:] == ["12", "4"]
    assert "errors" not in text_of(DEMO, 250)


def test_a_live_run_says_what_was_paid() -> None:
    row = router("a", curve=curve(None))
    text = text_of(result(row, environment="live", billed_usd=Decimal("0.01234"), passes=2, n_replications=1), 100)
    assert "live: 40 tasks from 5 repositories, 2 passes, 1 replication, seed 7, took 1.2 s, billed $0.0123" in text


def test_markup_in_names_is_no_markup() -> None:
    assert "[bold]x[/bold]" in text_of(result(router("[bold]x[/bold]")), 160)


def test_what_context_saved_is_shown_beside_its_baseline_where_tasks_have_trees() -> None:
    figures = {
        "context_tokens": figure(610.0, 40.0, 0.0),
        "whole_context_tokens": figure(1220.4),
        "context_token_saving": figure(0.5, 0.03, 0.0),
    }
    shown = result(router("thompson", **figures), router("random", **figures), **figures)
    text = text_of(shown, 200)
    row = [line for line in text.splitlines() if line.startswith("thompson")][-1]
    assert row.split()[-2:] == ["610", "50%"]
    assert "vs whole tree" in text
    assert "share spared of the 1,220 tokens (o200k) that every file in full would take, on average" in text
    plain = text_of(DEMO, 200)
    assert "context" not in plain
    assert "whole tree" not in plain
