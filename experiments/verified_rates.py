"""Error rates and prices of the project's own verifiers, as its recordings measured them, with their uncertainty.

Gates and the 1.5B judge from `judge_report.json`; gates alone, from their word on the first answers in `judge.parquet`,
and tests that models wrote first, from their word on what was submitted in `spec.parquet`, against the hidden tests.
Invariants: right and wrong answers are those of the hidden tests; counts that come in clusters of a task weigh less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from krins.interfaces import FloatArray
from krins.pipeline.reviewing import all_pass
from krins.runs.publish import read_outcomes
from krins.statistics.clustered import cluster_codes
from krins.statistics.judging import share_interval, wilson_interval

JUDGE = "qwen2.5-coder-1.5b"
MEASURED, TENFOLD = "measured price", "ten times that"
FRONTIER_USD_PER_MILLION = (5.0, 25.0)
"""Input and output tokens, the list price of claude-opus-4-8 in the index."""


class Counted(NamedTuple):
    """A rate as a Beta distribution."""

    share: float
    n: int
    n_effective: float
    """As many independent cases would have as wide a lower half of Wilson's interval as the clustered one has."""

    @classmethod
    def of(cls, share: float, low: float | None, n: int) -> Counted:
        # The lower half, for the upper one is often cut off at 1. At 0 there is none, and nothing to reduce by.
        width = 0.0 if low is None else share - low
        independent = wilson_interval(round(share * n), n)
        assert independent.low is not None
        ratio = (share - independent.low) / width if width > 0 else 1.0
        return cls(share, n, n * min(1.0, ratio**2))

    def draw(self, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """From the posterior after Jeffreys' prior."""
        right = self.share * self.n_effective
        return np.asarray(rng.beta(0.5 + right, 0.5 + self.n_effective - right, n_draws))

    def __str__(self) -> str:
        return f"{self.share:.3f} (of {self.n}, which count as {self.n_effective:.1f})"


class Rates(NamedTuple):
    name: str
    sensitivity: Counted | float
    """A float: stated, not measured."""
    specificity: Counted | float
    prices: Mapping[str, float]
    """US dollars a check, by what the price is."""

    def draw(self, n_draws: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Each of shape (n_draws,), or (1,) where it is stated."""
        sensitivity, specificity = (
            rate.draw(n_draws, rng) if isinstance(rate, Counted) else np.array([rate])
            for rate in (self.sensitivity, self.specificity)
        )
        return sensitivity, specificity

    @property
    def told(self) -> str:
        usd = ", ".join(f"${usd:.6f} {price}" for price, usd in self.prices.items())
        return f"{self.name}: sensitivity {self.sensitivity}, specificity {self.specificity}; {usd} a check"


def measured_rates(recordings: Path) -> list[Rates]:
    report = json.loads((recordings / "judge_report.json").read_text(encoding="utf-8"))
    usd = report["verifier"]["usd_per_check"]
    prices = {MEASURED: usd, **_frontier_prices(recordings)}
    return [
        Rates("perfect (a bound)", 1.0, 1.0, {"free": 0.0}),
        Rates("a coin (a bound)", 0.5, 0.5, {"free": 0.0}),
        _gates_alone(recordings),
        Rates("gates, judge: models' answers", *(answers := _reported(report["answers"])), prices),
        Rates("the same, rates taken as exact", *(rate.share for rate in answers), {MEASURED: usd}),
        Rates("gates, judge: kept changes", *_reported(report["kept"]), prices),
        _tests_first(recordings),
    ]


def _reported(figures: dict[str, Any]) -> tuple[Counted, Counted]:
    sensitivity, specificity = (
        Counted.of(found["mean"], found["low"], figures[n])
        for found, n in ((figures["sensitivity_with_gates"], "n_right"), (figures["specificity_with_gates"], "n_wrong"))
    )
    return sensitivity, specificity


def _counted(cases: list[tuple[str, bool]]) -> Counted:
    """Of pairs of a task and whether the verifier is right."""
    clusters = cluster_codes([task for task, _ in cases])
    found = share_interval(np.array([holds for _, holds in cases]), clusters)
    assert found is not None
    return Counted.of(found.mean, found.low, len(cases))


def _gates_alone(recordings: Path) -> Rates:
    truth = {(o.task_id, o.arm): o.quality == 1.0 for o in read_outcomes(recordings / "direct.parquet") if not o.sample}
    right, wrong = [], []
    for outcome in read_outcomes(recordings / "judge.parquet"):
        first = outcome.rounds[0]
        if first.diff:
            passes = all_pass(first.gates)
            is_right = truth[outcome.task_id, outcome.arm]
            (right if is_right else wrong).append((outcome.task_id, passes == is_right))
    return Rates("gates alone", _counted(right), _counted(wrong), {"free": 0.0})


def _tests_first(recordings: Path) -> Rates:
    """The price is that of writing the tests; they are run here, for nothing."""
    right, wrong, usd = [], [], []
    for outcome in read_outcomes(recordings / "spec.parquet"):
        tests = outcome.generated_tests
        if tests is None or tests.passes is None:
            continue
        usd.append(sum(float(call.cost_usd) for call in outcome.calls if call.agent == "tester"))
        is_right = outcome.quality == 1.0
        (right if is_right else wrong).append((outcome.task_id, tests.passes == is_right))
    return Rates("tests written first", _counted(right), _counted(wrong), {MEASURED: float(np.mean(usd))})


def _frontier_prices(recordings: Path) -> dict[str, float]:
    """What the measured tokens of a judgement cost at a frontier model's price, and ten times as many."""
    tokens, n_judged = np.zeros(2), 0
    for outcome in read_outcomes(recordings / "judge.parquet"):
        calls = [call for call in outcome.calls if call.agent == "judge" and call.model == JUDGE]
        if calls:
            n_judged += sum(found.judgement is not None for found in outcome.rounds)
            tokens += np.sum([(call.usage.input_tokens, call.usage.output_tokens) for call in calls], axis=0)
    usd = float(tokens / n_judged @ FRONTIER_USD_PER_MILLION) / 1e6
    return {"frontier price": usd, TENFOLD: 10 * usd}
