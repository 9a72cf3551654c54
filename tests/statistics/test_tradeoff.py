"""Curves of two-model routing, APGR and CPT: by hand, as properties, and beside a plain rendering of upstream."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.environments.reading import read_table
from krins.errors import UserError
from krins.interfaces import FloatArray
from krins.statistics.tradeoff import routing_curve
from krins.suite import RecordedEnvironment
from tests.conftest import ROOT

# Ten prompts; the strong model wins the first four of them by rank, loses the fifth, and elsewhere nothing differs.
SCORES = np.arange(10.0, 0.0, -1.0)
WEAK = np.array([0.0, 0, 0, 0, 1, 1, 1, 0, 0, 0])
STRONG = np.array([1.0, 1, 1, 1, 0, 1, 1, 0, 0, 0])


def test_a_curve_by_hand() -> None:
    curve = routing_curve(SCORES, WEAK, STRONG, n_thresholds=3)
    # Scores at ranks 0, 3, 6 of nine: all ten, seven and four prompts are at or above.
    assert curve.strong_share.tolist() == pytest.approx([0.0, 0.4, 0.7, 1.0])
    assert curve.quality.tolist() == pytest.approx([0.3, 0.7, 0.6, 0.6])
    assert curve.gap_recovered.tolist() == pytest.approx([0.0, 4 / 3, 1.0, 1.0])
    assert curve.apgr == pytest.approx(0.4 * (2 / 3) + 0.3 * (7 / 6) + 0.3)


@pytest.mark.parametrize(("recovered", "share"), [(0.5, 0.15), (0.8, 0.24), (1.0, 0.3)])
def test_least_share_of_calls_by_hand(recovered: float, share: float) -> None:
    curve = routing_curve(SCORES, WEAK, STRONG, n_thresholds=3)
    assert curve.cpt(recovered) == pytest.approx(share)


def test_least_share_runs_over_the_best_so_far() -> None:
    # First a prompt that the strong model spoils, then the three that it wins.
    weak, strong = np.array([1.0, 0, 0, 0]), np.array([0.0, 1, 1, 1])
    curve = routing_curve(np.array([4.0, 3, 2, 1]), weak, strong, n_thresholds=4)
    assert curve.gap_recovered.tolist() == pytest.approx([0.0, -0.5, 0.0, 0.5, 1.0])
    # Up to half of the calls nothing is recovered; from there it rises in a straight line to a half at 0.75.
    assert curve.cpt(0.25) == pytest.approx(0.625)
    assert curve.cpt(0.5) == pytest.approx(0.75)


def test_a_score_that_says_nothing_has_the_two_ends_alone() -> None:
    curve = routing_curve(np.zeros(10), WEAK, STRONG)
    assert curve.strong_share.tolist() == [0.0, 1.0]
    assert curve.apgr == pytest.approx(0.5)
    assert curve.cpt(0.8) == pytest.approx(0.8)


def test_a_threshold_that_is_the_largest_score_takes_nobody() -> None:
    scores, weak, strong = np.array([1.0] * 4 + [0.0] * 7), np.zeros(11), np.ones(11)
    # Deciles of eleven scores are scores themselves: 0 takes all, and 1, being the last, nobody.
    assert routing_curve(scores, weak, strong).strong_share.tolist() == [0.0, 1.0]
    # The middle of two of ten lies between 0 and 1, and takes those above.
    assert routing_curve(scores[:8], weak[:8], strong[:8], n_thresholds=2).strong_share.tolist() == [0.0, 0.5, 1.0]


def test_one_prompt() -> None:
    curve = routing_curve(np.array([0.3]), np.array([0.0]), np.array([1.0]))
    assert (curve.apgr, curve.cpt(0.5)) == (0.5, 0.5)


def test_refusals() -> None:
    nothing = np.zeros(0)
    with pytest.raises(UserError, match="no prompt"):
        routing_curve(nothing, nothing, nothing)
    with pytest.raises(UserError, match="no gap"):
        routing_curve(SCORES, STRONG, WEAK)
    with pytest.raises(ValueError, match="one shape"):
        routing_curve(SCORES[1:], WEAK, STRONG)
    with pytest.raises(ValueError, match="NaN"):
        routing_curve(np.where(SCORES > 9, np.nan, SCORES), WEAK, STRONG)
    with pytest.raises(ValueError, match="lies in"):
        routing_curve(SCORES, WEAK, STRONG).cpt(0.0)


def upstream(scores: FloatArray, weak: FloatArray, strong: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Thresholds and selections as the published evaluation makes them, but for the order of points and rounding."""
    ordered = [Fraction(score) for score in sorted(scores.tolist())]
    thresholds = set()
    for decile in range(11):
        lower, between = divmod(Fraction(decile * (len(scores) - 1), 10), 1)
        upper = min(int(lower) + 1, len(scores) - 1)
        thresholds.add(ordered[int(lower)] + between * (ordered[upper] - ordered[int(lower)]))
    *others, last = sorted(thresholds)
    exact = [Fraction(score) for score in scores.tolist()]
    selections = [[score >= threshold for score in exact] for threshold in others] + [[score > last for score in exact]]
    share = [float(np.mean(selection)) for selection in selections]
    quality = [float(np.where(selection, strong, weak).mean()) for selection in selections]
    return np.array(share[::-1]), np.array(quality[::-1])


@st.composite
def answers(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores, with ties, and qualities with a gap."""
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.integers(0, draw(st.sampled_from([2, 5, 1000])), n).astype(np.float64)
    weak, strong = rng.integers(0, 3, n) / 2, rng.integers(0, 3, n) / 2
    strong[0], weak[0] = (1.0, 0.0) if strong.mean() <= weak.mean() else (strong[0], weak[0])
    return (scores, weak, strong) if strong.mean() > weak.mean() else (scores, np.zeros(n), np.ones(n))


@given(answers())
def test_the_points_are_those_of_upstream(case: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    scores, weak, strong = case
    if len(np.unique(scores)) == 1:  # upstream then has one point, and no curve
        return
    curve = routing_curve(scores, weak, strong)
    share, quality = upstream(scores, weak, strong)
    # Where several thresholds part the prompts alike, upstream repeats a point.
    kept = np.append(np.diff(share) > 0, True)
    assert curve.strong_share == pytest.approx(share[kept])
    assert curve.quality == pytest.approx(quality[kept])
    assert curve.apgr == pytest.approx(
        np.trapezoid(quality - weak.mean(), share) / (strong.mean() - weak.mean()), abs=1e-9
    )


@given(answers(), st.sampled_from([lambda s: 3 * s - 7, np.arctan, lambda s: s**3, lambda s: np.exp(s / 1000)]))
def test_only_the_order_of_scores_matters(case: tuple[FloatArray, FloatArray, FloatArray], transform: object) -> None:
    scores, weak, strong = case
    assert callable(transform)
    curve, other = (routing_curve(s, weak, strong) for s in (scores, transform(scores)))
    assert curve.strong_share.tolist() == other.strong_share.tolist()
    assert curve.quality.tolist() == other.quality.tolist()


@given(answers())
def test_the_order_of_prompts_does_not_matter_and_more_recovered_takes_more_calls(
    case: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    scores, weak, strong = case
    curve, other = routing_curve(scores, weak, strong), routing_curve(scores[::-1], weak[::-1], strong[::-1])
    assert curve.apgr == pytest.approx(other.apgr)
    shares = [curve.cpt(recovered) for recovered in (0.1, 0.5, 0.8, 1.0)]
    assert (np.diff(shares) >= -1e-12).all()
    assert 0.0 <= shares[0] <= shares[-1] <= 1.0


@given(answers(), st.integers(0, 2**32))
def test_no_order_without_ties_beats_that_of_the_true_gains(
    case: tuple[FloatArray, FloatArray, FloatArray], seed: int
) -> None:
    _, weak, strong = case
    rng = np.random.default_rng(seed)
    oracle = routing_curve(strong - weak + 1e-6 * rng.permutation(len(weak)) / len(weak), weak, strong)
    other = routing_curve(rng.permutation(len(weak)).astype(np.float64), weak, strong)
    assert oracle.strong_share.tolist() == other.strong_share.tolist()
    assert (oracle.quality >= other.quality - 1e-9).all()
    assert oracle.apgr >= other.apgr - 1e-9
    assert oracle.cpt(0.5) <= other.cpt(0.5) + 1e-9


def test_random_scores_recover_half_on_average() -> None:
    rng = np.random.default_rng(5)
    weak, strong = (rng.random(500) < 0.6).astype(float), (rng.random(500) < 0.8).astype(float)
    found = np.array([routing_curve(scores, weak, strong).apgr for scores in rng.random((2000, 500))])
    # The mean over 2,000 draws is within 4 of its standard errors of one half.
    assert abs(found.mean() - 0.5) < 4 * found.std() / np.sqrt(2000)


OUTCOMES = ROOT.parent / "shared" / "data" / "outcomes"


@pytest.mark.skipif(not OUTCOMES.exists(), reason=f"needs RouteLLM's answers as outcome tables in {OUTCOMES}")
@pytest.mark.parametrize(("name", "apgr"), [("gsm8k", 0.598), ("mmlu", 0.583), ("mtbench", 0.556)])
def test_prompt_length_on_published_answers(name: str, apgr: float) -> None:
    """Figures that others computed from the same answers, rounded (GSM8K's is .5987)."""
    models: list[str | bool | int | float] = ["mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"]
    path = OUTCOMES / f"routellm_{name}.parquet"
    include = {"contaminated": [False], "model": models}
    table = read_table(RecordedEnvironment(kind="recorded", table=path, include=include))
    by_model = dict(zip([arm.name for arm in table.arms], table.quality[:, :, 0].T, strict=True))
    lengths = np.array([float(len(task.prompt)) for task in table.tasks])
    curve = routing_curve(lengths, by_model[str(models[0])], by_model[str(models[1])])
    assert curve.apgr == pytest.approx(apgr, abs=1e-3)
