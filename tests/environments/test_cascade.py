"""A cascade against enumeration by hand, and its simulation against its expectation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.domain import Arm, FailureKind, Task
from krins.environments.cascade import Cascade
from krins.environments.table import FAILURES, OutcomeTable
from krins.interfaces import FloatArray
from krins.router_specs import SimulatedVerifier
from krins.suite import Reward

PERFECT = SimulatedVerifier(sensitivity=1.0, specificity=1.0)


def table_of(quality: FloatArray, cost: FloatArray, failure: FloatArray | None = None) -> OutcomeTable:
    """Arrays of shape (n_tasks, n_arms, n_samples); costs are also the latencies, tokens are a thousand times those."""
    n_tasks, n_arms, n_samples = quality.shape
    return OutcomeTable(
        [Task(str(i)) for i in range(n_tasks)],
        [Arm(str(i)) for i in range(n_arms)],
        quality,
        cost,
        cost * 1000,
        np.zeros_like(cost),
        cost,
        np.zeros(quality.shape, np.int8) if failure is None else failure.astype(np.int8),
        np.full((n_tasks, n_arms), n_samples),
    )


def one_task(*outcomes: tuple[float, float]) -> OutcomeTable:
    """A task and a model for each (quality, cost)."""
    values = np.array(outcomes)
    return table_of(values[None, :, 0, None], values[None, :, 1, None])


def expect(table: OutcomeTable, arms: list[int], sensitivity: float, specificity: float) -> list[float]:
    found = Cascade(table, arms).expect(Reward(per_usd=0.1), np.array(sensitivity), np.array(specificity))
    return [float(values[0]) for values in found]


def test_expectation_by_hand() -> None:
    table = one_task((0.0, 1.0), (1.0, 4.0))
    # The wrong first answer is seen through with 0.8: then 5 dollars and quality 1, else 1 dollar and quality 0.
    assert expect(table, [0, 1], 0.9, 0.8) == pytest.approx([0.8, 0.2 * 1 + 0.8 * 5, 0.2 * -0.1 + 0.8 * 0.5])
    # The right first answer passes with 0.9.
    assert expect(table, [1, 0], 0.9, 0.8) == pytest.approx([0.9, 0.9 * 4 + 0.1 * 5, 0.9 * 0.6 + 0.1 * -0.5])


def test_a_graded_answer_passes_as_a_mixture_of_right_and_wrong() -> None:
    table = one_task((0.5, 1.0), (1.0, 1.0))
    passes = 0.5 * 0.9 + 0.5 * 0.2
    assert expect(table, [0, 1], 0.9, 0.8)[0] == pytest.approx(passes * 0.5 + (1 - passes))


def test_a_perfect_verifier_takes_the_first_right_answer_and_pays_for_all_before_it() -> None:
    table = one_task((0.0, 1.0), (0.0, 2.0), (1.0, 4.0), (1.0, 8.0))
    outcome = Cascade(table, [0, 1, 2, 3]).simulate(PERFECT, np.zeros(9, np.int64), np.arange(9))
    assert outcome.arms.tolist() == [2] * 9
    assert outcome.cost_usd.tolist() == [7.0] * 9
    assert outcome.tokens.tolist() == [7000.0] * 9


def test_the_last_answer_is_taken_unchecked() -> None:
    table = one_task((0.0, 1.0), (0.0, 2.0))
    verifier = SimulatedVerifier(sensitivity=1.0, specificity=1.0, usd_per_check=0.5)
    outcome = Cascade(table, [0, 1]).simulate(verifier, np.zeros(3, np.int64), np.arange(3))
    assert (outcome.arms.tolist(), outcome.cost_usd.tolist()) == ([1] * 3, [3.5] * 3)


def test_an_attempt_that_failed_never_passes() -> None:
    table = one_task((0.0, 1.0), (1.0, 2.0))
    failed = np.zeros((1, 2, 1))
    failed[0, 0] = FAILURES.index(FailureKind.MODEL)
    blind = SimulatedVerifier(sensitivity=1.0, specificity=0.0)
    cascade = Cascade(table_of(table.quality, table.cost_usd, failed), [0, 1])
    outcome = cascade.simulate(blind, np.zeros(5, np.int64), np.arange(5))
    assert outcome.arms.tolist() == [1] * 5
    assert outcome.failure.tolist() == [0] * 5


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 2**32), sensitivity=st.floats(0, 1), specificity=st.floats(0, 1))
def test_expectation_is_enumeration(seed: int, sensitivity: float, specificity: float) -> None:
    rng = np.random.default_rng(seed)
    n_arms, n_samples = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    quality = rng.choice([0.0, 0.5, 1.0], (1, n_arms, n_samples))
    cost = rng.random((1, n_arms, n_samples))
    reward = Reward(per_usd=0.3, per_second=0.2, floor=0.1)
    expected = np.zeros(3)
    for sample in range(n_samples):
        q, c = quality[0, :, sample], cost[0, :, sample]
        for verdicts in itertools.product([True, False], repeat=n_arms - 1):
            chance, taken = 1.0, n_arms - 1
            for arm, verdict in enumerate(verdicts):
                passes = sensitivity * q[arm] + (1 - specificity) * (1 - q[arm])
                chance *= passes if verdict else 1 - passes
            taken = next((arm for arm, verdict in enumerate(verdicts) if verdict), n_arms - 1)
            spent = c[: taken + 1].sum()
            worth = max(q[taken] - 0.3 * spent - 0.2 * spent, 0.1)
            expected += chance * np.array([q[taken], spent, worth]) / n_samples
    found = Cascade(table_of(quality, cost), range(n_arms)).expect(reward, np.array(sensitivity), np.array(specificity))
    np.testing.assert_allclose([float(values[0]) for values in found], expected, atol=1e-12)


def test_simulation_has_the_expectation_as_its_mean() -> None:
    rng = np.random.default_rng(3)
    quality = rng.integers(2, size=(4, 3, 2)).astype(np.float64)
    cascade = Cascade(table_of(quality, rng.random(quality.shape)), [2, 0, 1])
    verifier = SimulatedVerifier(sensitivity=0.7, specificity=0.6, usd_per_check=0.05)
    expected = cascade.expect(Reward(), np.array(0.7), np.array(0.6), 0.05)
    n = 40_000
    tasks = np.repeat(np.arange(4), n)
    outcome = cascade.simulate(verifier, tasks, rng.integers(0, 2**31, tasks.size))
    for drawn, mean in ((outcome.quality, expected.quality), (outcome.cost_usd, expected.cost_usd)):
        per_task = drawn.reshape(4, n)
        errors = per_task.std(axis=1) / np.sqrt(n)
        assert (np.abs(per_task.mean(axis=1) - mean) <= 4.5 * errors + 1e-12).all()


def test_verdicts_of_models_and_tasks_are_independent() -> None:
    n = 40_000
    quality = np.ones((2, 3, 1))
    cascade = Cascade(table_of(quality, np.ones(quality.shape)), [0, 1, 2])
    coin = SimulatedVerifier(sensitivity=0.5, specificity=0.5)
    draws = np.arange(n)
    first, second = (cascade.simulate(coin, np.full(n, task), draws).arms for task in (0, 1))
    joint = np.histogram2d(first, second, bins=[range(4), range(4)])[0]
    expected = n * np.outer([0.5, 0.25, 0.25], [0.5, 0.25, 0.25])
    # 99.9% quantile with 8 degrees of freedom.
    assert ((joint - expected) ** 2 / expected).sum() < 26.12


def test_the_same_verdict_whoever_asks() -> None:
    rng = np.random.default_rng(5)
    quality = rng.integers(2, size=(6, 3, 1)).astype(np.float64)
    cascade = Cascade(table_of(quality, np.ones(quality.shape)), [0, 1, 2])
    verifier = SimulatedVerifier(sensitivity=0.6, specificity=0.6)
    tasks, draws = rng.integers(6, size=200), rng.integers(0, 2**31, 200)
    together = cascade.simulate(verifier, tasks, draws).arms
    order = rng.permutation(200)
    np.testing.assert_array_equal(cascade.simulate(verifier, tasks[order], draws[order]).arms, together[order])
