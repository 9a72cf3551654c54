"""What a judge's word was worth on changes of which the truth is known, as typed figures.

Two sets are told apart: the changes that are kept beside tasks, and those that models answered with. A judge's errors
on the one are not those on the other, and what it is for is the other. Invariants: rates and areas have their intervals
over tasks; the changes that gates turn down are in all of them, for the judge is measured alone, and again together
with the gates. Left out: choosing the threshold from the same changes, which flatters the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from pydantic import BaseModel, ConfigDict, computed_field

from krins.errors import UserError
from krins.interfaces import BoolArray, FloatArray
from krins.pipeline.judging.measuring import Measured
from krins.runs.result import Share
from krins.statistics.clustered import Interval, cluster_codes
from krins.statistics.judging import (
    Counted,
    area_under_curve,
    calibration,
    error_adjusted_rate,
    rates,
    share_interval,
)


class JudgeFigures(BaseModel):
    """On one set of changes; None where the set has no change to tell it from."""

    model_config = ConfigDict(frozen=True)

    n_right: int
    n_wrong: int
    n_tasks: int
    sensitivity: Share | None
    specificity: Share | None
    balanced_accuracy: Share | None
    area_under_curve: Share | None
    sensitivity_with_gates: Share | None
    """Of gates and judge together: a change that a gate turns down is taken for wrong."""
    specificity_with_gates: Share | None
    brier_score: float
    calibration_error: float
    """Expected, in bins of equal numbers."""
    order_effect: float | None
    """Mean distance of the scores where the words are offered the other way round."""
    order_flips: float | None
    """Share of changes that are accepted in one order and not in the other."""
    length_correlation: float | None
    """Of score and length of the diff, by ranks, within right and within wrong changes (Spearman)."""


class PassRate(BaseModel):
    """Share of the changes that models answered with that are right, as it is and as one would have it without hidden
    tests. Answers without a change are not among them."""

    model_config = ConfigDict(frozen=True)

    by_hidden_tests: Share
    accepted: Share
    """By gates and judge."""
    adjusted: Share | None
    """What they accepted, less the errors that they make on the kept changes; None where those are a coin's. Its
    interval takes all changes as independent (`krins.statistics.judging.error_adjusted_rate`)."""


class Verifier(BaseModel):
    """Gates and judge, as the verifier of a cascade."""

    model_config = ConfigDict(frozen=True)

    sensitivity: float
    specificity: float
    usd_per_check: float


class JudgeReport(BaseModel):
    model_config = ConfigDict(frozen=True)

    judge: str
    threshold: float
    is_probability: bool
    """Whether every score is the model's P(yes)."""
    cost_usd: Decimal | None
    """Of one judgement, on average; None where a price or usage is unknown."""
    kept: JudgeFigures
    """On the references and wrong changes that are kept beside tasks."""
    answers: JudgeFigures | None
    """On what models answered with; None where no answers were given."""
    pass_rate: PassRate | None
    """Of those answers."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verifier(self) -> Verifier | None:
        """By the models' answers where there are any, for those are what a cascade checks; None where a rate or
        the price is unknown."""
        figures = self.answers or self.kept
        sensitivity, specificity = figures.sensitivity_with_gates, figures.specificity_with_gates
        if sensitivity is None or specificity is None or self.cost_usd is None:
            return None
        cost = float(self.cost_usd)
        return Verifier(sensitivity=sensitivity.mean, specificity=specificity.mean, usd_per_check=cost)


def summarise(kept: Sequence[Measured], answers: Sequence[Measured], judge: str, threshold: float) -> JudgeReport:
    """`kept`: at least one."""
    every = [*kept, *answers]
    costs = [call.cost_usd for one in every for call in one.calls]
    total = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    return JudgeReport(
        judge=judge,
        threshold=threshold,
        is_probability=all(one.is_probability for one in every),
        cost_usd=None if total is None else total / len(every),
        kept=_figures(kept, threshold),
        answers=_figures(answers, threshold) if answers else None,
        pass_rate=_pass_rate(kept, answers, threshold) if answers else None,
    )


def _figures(measured: Sequence[Measured], threshold: float) -> JudgeFigures:
    truths = np.array([one.is_right for one in measured])
    scores = np.array([one.score for one in measured])
    clusters = cluster_codes([one.task_id for one in measured])
    alone = rates(scores >= threshold, truths, clusters)
    gated = rates(_accepts(measured, threshold), truths, clusters)
    found = calibration(scores, truths)
    effect, flips = _order(measured, scores, threshold)
    lengths = np.array([float(one.n_diff_chars) for one in measured])
    return JudgeFigures(
        n_right=int(truths.sum()),
        n_wrong=int((~truths).sum()),
        n_tasks=len(set(clusters.tolist())),
        sensitivity=Share.of(alone.sensitivity),
        specificity=Share.of(alone.specificity),
        balanced_accuracy=Share.of(alone.balanced_accuracy),
        area_under_curve=Share.of(area_under_curve(scores, truths, clusters)),
        sensitivity_with_gates=Share.of(gated.sensitivity),
        specificity_with_gates=Share.of(gated.specificity),
        brier_score=found.brier_score,
        calibration_error=found.expected_error,
        order_effect=effect,
        order_flips=flips,
        length_correlation=_length_correlation(scores, truths, lengths),
    )


def _accepts(measured: Sequence[Measured], threshold: float) -> BoolArray:
    """What gates and judge accept together."""
    return np.array([one.score >= threshold and not one.is_stopped for one in measured])


def _order(measured: Sequence[Measured], scores: FloatArray, threshold: float) -> tuple[float | None, float | None]:
    """How far scores move, and how many decisions turn, in the other order."""
    turned = np.array([np.nan if one.score_other_order is None else one.score_other_order for one in measured])
    known = ~np.isnan(turned)
    if not known.any():
        return None, None
    flips = (turned >= threshold) != (scores >= threshold)
    return float(np.abs(turned - scores)[known].mean()), float(flips[known].mean())


def _length_correlation(scores: FloatArray, truths: BoolArray, lengths: FloatArray) -> float | None:
    """Mean of the rank correlations among right and among wrong changes, by their numbers."""
    from scipy.stats import spearmanr

    total, weight = 0.0, 0
    for side in (truths, ~truths):
        if side.sum() > 2 and len(set(scores[side])) > 1 and len(set(lengths[side])) > 1:
            total += int(side.sum()) * float(spearmanr(scores[side], lengths[side]).statistic)
            weight += int(side.sum())
    return total / weight if weight else None


def _pass_rate(kept: Sequence[Measured], answers: Sequence[Measured], threshold: float) -> PassRate:
    clusters = cluster_codes([one.task_id for one in answers])
    accepts = _accepts(answers, threshold)
    right = Share.of(share_interval(np.array([one.is_right for one in answers]), clusters))
    accepted = Share.of(share_interval(accepts, clusters))
    assert right is not None  # there are answers
    assert accepted is not None
    return PassRate(by_hidden_tests=right, accepted=accepted, adjusted=Share.of(_adjusted(kept, accepts, threshold)))


def _adjusted(kept: Sequence[Measured], accepts: BoolArray, threshold: float) -> Interval | None:
    truths, yes = np.array([one.is_right for one in kept]), _accepts(kept, threshold)
    if truths.all() or not truths.any():
        return None
    sensitivity = Counted(int(yes[truths].sum()), int(truths.sum()))
    specificity = Counted(int((~yes[~truths]).sum()), int((~truths).sum()))
    try:
        return error_adjusted_rate(Counted(int(accepts.sum()), len(accepts)), sensitivity, specificity)
    except UserError:  # no better than a coin
        return None


__all__ = ["JudgeFigures", "JudgeReport", "PassRate", "Verifier", "summarise"]
