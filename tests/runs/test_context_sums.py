"""Token savings of context, by hand: over decisions of tasks with a tree, whatever else a suite holds."""

from __future__ import annotations

import numpy as np
import pytest

from krins.domain import Arm, GivenContext, Outcome, Task
from krins.environments.cascade import Cascade
from krins.environments.table import ContextTokens, OutcomeTable, table_from_outcomes
from krins.interfaces import IntArray
from krins.router_specs import SimulatedVerifier
from krins.runs.context_sums import ContextFigures, ContextSums, run_context
from krins.runs.plan import Plan, Stream
from krins.runs.streams import Trajectory
from krins.suite import Suite

NAN = np.nan
ALONE = np.arange(3)
"""Every task a cluster of its own."""


def context(shown: list[float], whole: list[float]) -> ContextTokens:
    return ContextTokens(np.array([shown]).T, np.array([whole]).T)


def tasks(*numbers: int) -> IntArray:
    return np.array([numbers]).T


def test_a_saving_is_one_minus_the_ratio_of_sums() -> None:
    sums = ContextSums(3)
    sums.add(tasks(0, 1, 2), context([10, 30, NAN], [100, 60, NAN]))
    tokens, whole, saving = sums.figures(ALONE)
    assert tokens is not None
    assert whole is not None
    assert saving is not None
    # The third task has no tree: 40 of 160 tokens in two decisions.
    assert (tokens.mean, whole.mean, saving.mean) == (20, 80, 0.75)
    # Linearised, the two tasks' values are 0.75 +- (10 - 0.25 * 100) / 80, whose t interval has one degree of freedom.
    half = 12.7062047 * 0.1875
    assert [saving.low, saving.high] == pytest.approx([0.75 - half, 0.75 + half])
    assert (saving.replication_low, saving.replication_high) == (None, None), "there is one replication"


def test_every_decision_counts_as_often_as_it_was_taken() -> None:
    sums = ContextSums(3)
    for shown in (0.0, 100.0):
        sums.add(tasks(0, 0), context([shown, 50], [100, 100]))
    saving = sums.figures(ALONE).context_token_saving
    assert saving is not None
    assert saving.mean == 0.5
    assert (saving.low, saving.high) == (None, None), "one task has no spread between tasks"
    # The replications' own savings are 0.75 and 0.25, of which the central 95% are interpolated.
    assert [saving.replication_low, saving.replication_high] == pytest.approx([0.2625, 0.7375])


@pytest.mark.parametrize(("shown", "saving"), [([0.0, 0.0, 0.0], 1.0), ([100.0, 60.0, 7.0], 0.0)])
def test_showing_nothing_saves_all_and_showing_everything_nothing(shown: list[float], saving: float) -> None:
    sums = ContextSums(3)
    sums.add(tasks(0, 1, 2), context(shown, [100, 60, 7]))
    figure = sums.figures(ALONE).context_token_saving
    assert figure is not None
    assert [figure.mean, figure.low, figure.high] == pytest.approx([saving] * 3)


def test_without_trees_nothing_is_known() -> None:
    assert ContextSums(3).figures(ALONE) == ContextFigures(None, None, None)
    nothing = np.full((1, 1, 1), NAN)
    assert ContextTokens.of(nothing, nothing) is None
    assert ContextTokens.of(nothing, np.ones((1, 1, 1))) is None
    assert ContextTokens.of(np.ones((1, 1, 1)), np.zeros((1, 1, 1))) is None, "a tree of no tokens is none"


def two_by_two() -> OutcomeTable:
    """Task 0 has a tree, of which the second model was shown more."""
    outcomes = [
        Outcome("0", "a", 0, 0.0, None, context=GivenContext("select", 10, 100)),
        Outcome("0", "b", 0, 1.0, None, context=GivenContext("whole", 100, 100)),
        Outcome("1", "a", 0, 1.0, None),
        Outcome("1", "b", 0, 1.0, None),
    ]
    return table_from_outcomes([Task("0"), Task("1")], [Arm("a"), Arm("b")], outcomes)


def test_a_run_adds_up_its_routers() -> None:
    suite = Suite.model_validate(
        {
            "name": "s",
            "replications": 1,
            "environment": {"kind": "recorded"},
            "routers": ["fixed:a", "fixed:b"],
        }
    )
    plan = Plan(suite, 2, 2)
    trajectories = [Trajectory(Stream(arm, 0, 1), np.full((2, 1), arm, np.int16), None) for arm in (0, 1)]
    tokens, whole, saving = run_context(plan, two_by_two(), trajectories, np.arange(2))
    assert tokens is not None
    assert whole is not None
    assert saving is not None
    assert [tokens.mean, whole.mean, saving.mean] == pytest.approx([55, 100, 0.45])


def test_a_cascade_shows_its_context_to_every_model_that_it_asks() -> None:
    drawn = Cascade(two_by_two(), [0, 1]).simulate(
        SimulatedVerifier(sensitivity=1.0, specificity=1.0), tasks(0, 1), tasks(0, 0)
    )
    assert drawn.context is not None
    assert drawn.context.shown[0, 0] == 110, "the first answer is wrong, so the second model is asked too"
    assert drawn.context.whole[0, 0] == 200
    assert np.isnan(drawn.context.shown[1, 0])
