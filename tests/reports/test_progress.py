"""Progress: what is said, and how often, by a clock that moves when told to."""

from __future__ import annotations

import io
import re
from decimal import Decimal

import pytest
from rich.console import Console

from krins.clock import FakeClock
from krins.reports.progress import RunProgress
from krins.runs.progress import Progress


def displayed(is_terminal: bool = False, width: int = 120) -> tuple[RunProgress, FakeClock, io.StringIO]:
    clock, output = FakeClock(), io.StringIO()
    return RunProgress(Console(file=output, force_terminal=is_terminal, width=width), clock), clock, output


def test_it_is_a_progress() -> None:
    progress: Progress = displayed()[0]
    assert progress is not None


def test_plain_lines_come_every_ten_seconds_and_at_the_end() -> None:
    shown, clock, output = displayed()
    with shown:
        shown.begin("decisions", 1000)
        for _ in range(25):
            shown.advance(40)
            clock.advance(1.0)
        shown.spend(Decimal("0.0123"))
    assert output.getvalue().splitlines() == [
        "decisions: 440 of 1,000 (44%), 40/s, 10 s, 14 s left",
        "decisions: 840 of 1,000 (84%), 40/s, 20 s, 4.0 s left",
        "decisions: 1,000 of 1,000 (100%), 38/s, $0.0123, 25 s",
    ]


def test_what_a_resumed_run_had_done_is_not_taken_for_speed() -> None:
    shown, clock, output = displayed()
    with shown:
        shown.begin("decisions", 1000)
        shown.advance(900)
        clock.advance(20.0)
        shown.advance(10)
    first, _ = output.getvalue().splitlines()
    assert first == "decisions: 910 of 1,000 (91%), 0.5/s, 20 s, 3 min 0 s left"


def test_each_piece_of_work_has_a_last_line() -> None:
    shown, _, output = displayed()
    with shown:
        shown.begin("answers", 2)
        shown.advance(2)
        shown.begin("decisions", 0)
    assert output.getvalue().splitlines() == ["answers: 2 of 2 (100%), 0.0 s", "decisions: 0 of 0 (100%), 0.0 s"]


def test_an_error_leaves_a_line_that_says_how_far_it_was() -> None:
    shown, _, output = displayed()
    with pytest.raises(ZeroDivisionError), shown:
        shown.begin("answers", 4)
        shown.advance(1)
        raise ZeroDivisionError
    assert output.getvalue() == "answers: 1 of 4 (25%), 0.0 s\n"


def test_nothing_done_is_nothing_said() -> None:
    for is_terminal in (False, True):
        shown, _, output = displayed(is_terminal)
        with shown:
            shown.advance(3)
        assert output.getvalue() == ""


def test_a_hundred_thousand_steps_are_two_lines() -> None:
    shown, clock, output = displayed()
    with shown:
        shown.begin("decisions", 100_000)
        for step in range(100_000):
            if step == 50_000:
                clock.advance(11.0)
            shown.advance(1)
    assert len(output.getvalue().splitlines()) == 2


@pytest.mark.parametrize("width", [50, 120])
def test_a_terminal_ends_on_the_whole_line_with_a_bar_where_there_is_room(width: int) -> None:
    shown, clock, output = displayed(is_terminal=True, width=width)
    with shown:
        shown.begin("decisions", 1000)
        shown.advance(500)
        clock.advance(1.0)
        shown.advance(500)
    last = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", output.getvalue()).split("\r")[-1].strip()
    assert last.endswith("decisions: 1,000 of 1,000 (100%), 500/s, 1.0 s")
    assert last.startswith("━") == (width == 120)
