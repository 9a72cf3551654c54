"""What became of answers on the way: counted by hand."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from krins.domain import Failure, FailureKind, GeneratedTests, Outcome, Round
from krins.reports.pipeline_table import render_pipeline
from krins.runs.pipelines import pipeline_figures
from krins.runs.result import PipelineFigures, Share
from krins.statistics.judging import wilson_interval

REFUSED, ACCEPTED, NO_CHANGE = Round("diff"), Round("diff", is_accepted=True), Round(problem="no code in it")


def outcome(
    task: str, rounds: tuple[Round, ...], submitted: int | None, quality: float, tests: GeneratedTests | None = None
) -> Outcome:
    failure = None if submitted is not None else Failure(FailureKind.MODEL, "no code in it")
    return Outcome(
        task, "m", 0, quality, Decimal(1), failure=failure, rounds=rounds, submitted=submitted, generated_tests=tests
    )


OUTCOMES = [
    outcome("a", (NO_CHANGE, ACCEPTED), 1, 1.0, GeneratedTests("t.py", "text", passes=True)),
    outcome("b", (ACCEPTED,), 0, 0.0, GeneratedTests("t.py", "text", passes=True)),
    outcome("c", (REFUSED, REFUSED), 1, 1.0, GeneratedTests("t.py", "", "there is no test in them")),
    outcome("d", (NO_CHANGE, NO_CHANGE), None, 0.0, GeneratedTests("t.py", "text")),
]


def mean(figure: Share | None) -> float:
    assert figure is not None
    return figure.mean


def test_shares_are_of_answers_and_of_attempts() -> None:
    [found] = pipeline_figures(OUTCOMES)
    assert (found.model, found.n_attempts, found.n_answers) == ("m", 4, 7)
    assert mean(found.unusable) == pytest.approx(3 / 7)
    assert (mean(found.accepted), mean(found.accepted_right)) == (2 / 4, 1 / 2)
    assert (mean(found.tests_written), mean(found.tests_agree)) == (3 / 4, 1 / 2)
    wilson = wilson_interval(2, 4)
    assert found.accepted is not None
    assert (found.accepted.low, found.accepted.high) == (wilson.low, wilson.high)


def test_what_was_never_judged_says_nothing_of_a_model() -> None:
    lost = Outcome("e", "m", 0, 0.0, None, failure=Failure(FailureKind.INFRASTRUCTURE, "out of reach"))
    assert pipeline_figures([*OUTCOMES, lost]) == pipeline_figures(OUTCOMES)
    assert pipeline_figures([lost]) == []


def shown(rows: list[PipelineFigures]) -> str:
    console = Console(file=StringIO(), width=100)
    render_pipeline(rows, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_table_shows_tests_only_where_there_were_any() -> None:
    without = [Outcome("a", "m", 0, 1.0, Decimal(1), rounds=(ACCEPTED,), submitted=0)]
    assert "agree" not in shown(pipeline_figures(without))
    table = shown(pipeline_figures(OUTCOMES))
    assert "agree" in table
    assert "0.43" in table
    assert "in 4 attempts" in table
    assert shown([]) == ""
