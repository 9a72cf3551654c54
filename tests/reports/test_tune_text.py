"""A tuning study as text and as a page: what is claimed, and that both hold the same numbers."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from krins.reports.tune import render_tuning, verdict
from krins.reports.tune_page import tune_page
from krins.runs.result import Share
from krins.studies.study_journal import TuneOptions
from krins.studies.tune import tune
from krins.studies.tune_result import TuneResult, Versus
from tests.studies.tuning import write_tunable


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> TuneResult:
    suite = write_tunable(tmp_path_factory.mktemp("suite"), routers=["thompson"])
    return tune(suite, options=TuneOptions(n_points=1), home=tmp_path_factory.mktemp("home"))


def with_winner(found: TuneResult, **keys: object) -> TuneResult:
    return found.model_copy(update={"unseen": [found.unseen[0].model_copy(update=keys), *found.unseen[1:]]})


def share(mean: float, low: float | None, high: float | None) -> Share:
    return Share(mean=mean, low=low, high=high)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (share(0.1, 0.02, 0.18), "Use "),
        (share(-0.1, -0.18, -0.02), "Use model-1 and no router"),
        (share(0.1, -0.02, 0.2), "is not told apart from the best fixed choice"),
        (share(0.1, None, None), "cannot be told"),
    ],
)
def test_the_verdict_claims_no_more_than_the_interval(found: TuneResult, ahead: Share, expected: str) -> None:
    said = verdict(with_winner(found, reward_difference=ahead, params={"policy": "thompson"}))
    assert expected in said
    assert ("Use " in said) == (ahead.low is not None and ahead.high is not None and ahead.low * ahead.high > 0)


def test_a_model_that_won_is_not_compared_with_itself(found: TuneResult) -> None:
    won = with_winner(found, params={"policy": "fixed", "model": found.unseen[0].chosen.model})
    assert verdict(won).endswith(
        "it won the search, and no router did better. It has the best quality on the tuning tasks, too."
    )


@pytest.mark.parametrize(("is_cheaper", "is_shown"), [(True, True), (True, False), (False, True)])
def test_a_saving_is_called_one_only_where_both_are_shown(found: TuneResult, is_cheaper: bool, is_shown: bool) -> None:
    versus = Versus(
        model="large",
        quality_difference=share(-0.01, -0.03, 0.01),
        standard_error=0.01,
        saving=share(0.5, 0.2 if is_cheaper else -0.2, 0.8),
        smallest_margin=0.03,
        is_non_inferior=[False, False, is_shown],
    )
    said = verdict(with_winner(found, chosen=versus))
    assert ("a saving at a margin of 5 points" in said) == (is_cheaper and is_shown)


def test_text_names_what_it_stands_on(found: TuneResult) -> None:
    console = Console(file=io.StringIO(), width=80)
    render_tuning(found, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for expected in ("unseen", "figures flatter", "hindsight", "clustered by repository", found.study_id):
        assert expected in text
    assert max(len(line.rstrip()) for line in text.split("\n")) <= 80


def test_the_page_holds_the_same_numbers(found: TuneResult) -> None:
    page = tune_page(found)
    assert page.decision == verdict(found)
    unseen = next(table for table in page.tables if table.name == "unseen")
    assert [row["quality"] for row in unseen.rows][: len(found.unseen)] == [row.quality.mean for row in found.unseen]
    versus = next(table for table in page.tables if table.name == "versus")
    assert len(versus.rows) == 2 * len(found.unseen)
    assert all(column.write(row) for table in page.tables for row in table.rows for column in table.columns)
    chart = next(section.chart for section in page.sections if section.chart is not None)
    assert str(chart(300).to_dict()).count("'low'") >= len(found.unseen)
