"""The description of a table, on tables small enough to work out by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.console import Console

from krins.domain import Arm, Task
from krins.environments.table import ContextTokens, Imputation, OutcomeTable
from krins.reports.description import Description, describe, render_description


def table(
    quality: Sequence[Sequence[float]], cost: Sequence[Sequence[float]] | None = None, repositories: str = "ppqq"
) -> OutcomeTable:
    """One sample of each cell; rows are tasks, columns are the models `small` and `large`."""
    values = np.array(quality, np.float64)[:, :, None]
    costs = np.full_like(values, np.nan) if cost is None else np.array(cost, np.float64)[:, :, None]
    unknown = np.full_like(values, np.nan)
    return OutcomeTable(
        tasks=tuple(
            Task(f"t{i}", category="fix" if i else "test", repository=repositories[i : i + 1] or None)
            for i in range(len(values))
        ),
        arms=(Arm("small"), Arm("large")),
        quality=values,
        cost_usd=np.where(np.isnan(values), np.nan, costs),
        input_tokens=unknown,
        output_tokens=unknown,
        latency_seconds=unknown,
        failure=np.zeros(values.shape, np.int8),
        counts=(~np.isnan(values)).sum(axis=2),
    )


DEMO = table([[1, 1], [0, 1], [0, 1], [0, 0]], [[0.01, 0.1]] * 4)


def text_of(description: Description, width: int = 100) -> str:
    output = io.StringIO()
    render_description(description, Console(file=output, width=width))
    return output.getvalue()


def test_models_come_best_first_with_their_means() -> None:
    described = describe(DEMO)
    assert [(m.model, m.quality.mean, m.is_on_hull) for m in described.models] == [
        ("large", 0.75, True),
        ("small", 0.25, True),
    ]
    large = described.models[0]
    assert large.cost_usd is not None and large.cost_usd.mean == 0.1
    assert (large.tokens, large.latency_seconds) == (None, None)
    assert (described.n_tasks, described.n_outcomes, described.samples, described.n_repositories) == (4, 8, (1, 1), 2)
    assert described.categories == {"fix": 3, "test": 1}


def test_the_text_of_a_small_table() -> None:
    filled = replace(DEMO, imputation=Imputation(missing_outcomes=1, missing_costs=2, dropped_tasks=3))
    text = text_of(describe(filled))
    assert (
        text
        == """\
tasks       4 from 2 repositories
categories  fix 3, test 1
models      2
outcomes    7; 1 of each model for each task
left out    3 tasks that some model has no outcome for
filled in   1 missing outcome, counted as failures at the model's mean known cost
filled in   2 missing costs of known outcomes, at the model's mean known cost

                                                                                    USD  on the
model                                                  quality    95% interval   a task    hull
-----------------------------------------------------------------------------------------------
large                                                    0.750  [0.000, 1.000]   $0.100     yes
small                                                    0.250  [0.000, 1.000]  $0.0100     yes
-----------------------------------------------------------------------------------------------
best single model:                                       0.750  [0.000, 1.000]   $0.100
large
random model                                             0.500  [0.000, 1.000]  $0.0550
oracle: the cheapest of the best models for each task    0.750  [0.000, 1.000]  $0.0550

95% interval  of the mean over tasks, clustered by repository
hull          the best that sending tasks to models at random can do: small 0.250 at $0.0100, large
              0.750 at $0.100, and what lies between
not known     tokens a task, seconds a task
"""
    )


def test_no_line_is_longer_than_the_page() -> None:
    for width in (50, 80, 120):
        assert max(map(len, text_of(describe(DEMO), width).splitlines())) <= width


def test_without_costs_there_is_no_hull() -> None:
    text = text_of(describe(table([[1, 1], [0, 1]], repositories="")))
    assert "USD a task, tokens a task, seconds a task" in text
    assert "oracle: a best model for each task" in text
    assert "on the" not in text and "each independent of the others" in text


def test_an_incomplete_table_has_no_fixed_rules_and_says_what_is_missing() -> None:
    described = describe(table([[1, np.nan], [0, 1], [0, 1], [0, 1]], [[0.01, 0.1]] * 4))
    assert described.baselines is None and described.samples == (0, 1)
    assert [(m.model, m.quality.mean, m.missing_share) for m in described.models] == [
        ("large", 1.0, 0.25),
        ("small", 0.25, 0.0),
    ]
    text = " ".join(text_of(described).split())
    assert "fixed rules, for not every model was tried on every task" in text
    assert "25%" in text


def test_errors_are_shown_by_whose_fault_they_were() -> None:
    failure = DEMO.failure.copy()
    failure[3, 0], failure[2, 0] = 1, 2
    described = describe(replace(DEMO, failure=failure))
    assert [(m.model_error_share, m.infrastructure_error_share) for m in described.models] == [(0, 0), (0.25, 0.25)]
    assert "infrastructure" in text_of(described) and "infrastructure" not in text_of(describe(DEMO))


def test_a_model_without_any_outcome_is_left_out() -> None:
    described = describe(table([[1, np.nan], [0, np.nan]]))
    assert [model.model for model in described.models] == ["small"]


def test_a_table_with_context_says_what_it_saved() -> None:
    shown = np.array([[[100.0]], [[np.nan]], [[300.0]], [[200.0]]]).repeat(2, axis=1)
    context = ContextTokens(shown, 10 * shown)
    text = text_of(describe(replace(DEMO, context=context)))
    assert "context     200 o200k tokens a prompt, 90% saved vs the whole tree's 2,000" in text
    assert "o200k" not in text_of(describe(DEMO))
