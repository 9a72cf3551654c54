"""Off-policy estimates: what has to hold for every log, and how often their intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from krins.interfaces import FloatArray
from krins.statistics.clustered import clustered_interval
from krins.statistics.off_policy import (
    SMALLEST_EFFECTIVE_SAMPLE,
    Estimate,
    all_estimates,
    direct_method,
    doubly_robust,
    ips,
    replay,
    self_normalised_doubly_robust,
    snips,
    switch_doubly_robust,
)
from krins.statistics.overlap import Log, kish
from krins.statistics.reward_model import cross_fitted_predictions


def random_log(seed: int, n: int = 60, n_arms: int = 3, n_clusters: int | None = None) -> tuple[Log, FloatArray]:
    rng = np.random.default_rng(seed)
    logging = rng.dirichlet(np.full(n_arms, 5.0), n) * 0.7 + 0.3 / n_arms
    target = rng.dirichlet(np.full(n_arms, 5.0), n)
    actions = (logging.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    clusters = np.arange(n) if n_clusters is None else np.arange(n) % n_clusters
    return Log(actions, logging[np.arange(n), actions], rng.normal(size=n), clusters), target


def estimates(log: Log, target: FloatArray, predictions: FloatArray) -> dict[str, Estimate]:
    """All but replay, which depends on the order of its draws."""
    found = all_estimates(log, target, predictions, np.random.default_rng(0), threshold=1.5)
    return {one.name: one for one in found if one.name != "replay"}


def assert_same(one: Estimate, other: Estimate) -> None:
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9, abs=1e-9)
    assert one[5:] == pytest.approx(other[5:])


seeds = st.integers(0, 2**32 - 1)
# Derandomised: one log in some ten thousand is refused for its mean weight, as it should be.
few = settings(max_examples=25, derandomize=True)


@few
@given(seeds)
def test_for_the_logger_itself_all_but_dm_are_the_plain_mean(seed: int) -> None:
    log, logging = random_log(seed)
    log = log._replace(propensities=logging[np.arange(60), log.actions])
    mean, low, high = clustered_interval(log.outcomes, log.clusters)
    found = estimates(log, logging, np.zeros_like(logging))
    del found["DM"]
    found["replay"] = replay(log, logging, np.random.default_rng(seed))
    for estimate in found.values():
        assert estimate.value == pytest.approx(mean)
        assert estimate.effective_sample_size == pytest.approx(60)
        assert None not in (estimate.low, estimate.high, low, high)
        # At least as wide as the clustered interval, wider where the outcomes have heavy tails.
        assert float(estimate.low or 0) <= float(low or 0) + 1e-9
        assert float(estimate.high or 0) >= float(high or 0) - 1e-9


@few
@given(seeds, st.floats(-50, 50))
def test_a_constant_added_to_all_outcomes_moves_snips_and_sndr_by_it_and_nothing_else(seed: int, shift: float) -> None:
    log, target = random_log(seed, n_clusters=20)
    moved = log._replace(outcomes=log.outcomes + shift)
    predictions = np.random.default_rng(seed).normal(size=target.shape)
    for before, after in [
        (snips(log, target), snips(moved, target)),
        (
            self_normalised_doubly_robust(log, target, predictions),
            self_normalised_doubly_robust(moved, target, predictions),
        ),
    ]:
        assert before.low is not None
        assert after.value == pytest.approx(before.value + shift)
        assert after.low == pytest.approx(before.low + shift)
        assert after.standard_error == pytest.approx(before.standard_error)


@few
@given(seeds, st.floats(0.01, 100))
def test_all_scale_with_the_outcomes(seed: int, scale: float) -> None:
    log, target = random_log(seed)
    predictions = np.random.default_rng(seed).normal(size=target.shape)
    scaled = estimates(log._replace(outcomes=scale * log.outcomes), target, scale * predictions)
    for name, one in estimates(log, target, predictions).items():
        assert one.low is not None
        assert (scaled[name].value, scaled[name].low) == pytest.approx((scale * one.value, scale * one.low), abs=1e-9)


@few
@given(seeds)
def test_order_and_names_of_clusters_do_not_matter(seed: int) -> None:
    log, target = random_log(seed, n_clusters=12)
    predictions = np.random.default_rng(seed).normal(size=target.shape)
    order = np.random.default_rng(seed).permutation(60)
    renamed = (log.clusters * 5) % 12
    shuffled = Log(log.actions[order], log.propensities[order], log.outcomes[order], renamed[order])
    there = estimates(shuffled, target[order], predictions[order])
    for name, one in estimates(log, target, predictions).items():
        assert_same(one, there[name])


@few
@given(seeds)
def test_without_residuals_dr_is_dm_and_switch_without_a_threshold_is_dr(seed: int) -> None:
    log, target = random_log(seed)
    predictions = np.random.default_rng(seed).normal(size=target.shape)
    dr = doubly_robust(log, target, predictions)
    assert_same(switch_doubly_robust(log, target, predictions, math.inf), dr._replace(name="SWITCH-DR"))
    predictions[np.arange(60), log.actions] = log.outcomes
    assert doubly_robust(log, target, predictions).value == pytest.approx(direct_method(log, target, predictions).value)


@few
@given(seeds)
def test_a_model_that_says_nothing_leaves_ips_and_snips(seed: int) -> None:
    log, target = random_log(seed, n_clusters=15)
    nothing = np.zeros_like(target)
    assert_same(doubly_robust(log, target, nothing), ips(log, target)._replace(name="DR"))
    assert_same(self_normalised_doubly_robust(log, target, nothing), snips(log, target)._replace(name="SNDR"))


@few
@given(seeds, st.sampled_from([None, 10, 20]))
def test_error_of_snips_is_that_of_leaving_each_cluster_out(seed: int, n_clusters: int | None) -> None:
    log, target = random_log(seed, n_clusters=n_clusters)
    weights = target[np.arange(60), log.actions] / log.propensities
    groups = np.unique(log.clusters)
    left = np.array([np.average(log.outcomes[log.clusters != g], weights=weights[log.clusters != g]) for g in groups])
    jackknife = math.sqrt((len(groups) - 1) / len(groups) * np.sum((left - left.mean()) ** 2))
    assert snips(log, target).standard_error == pytest.approx(jackknife)


def test_who_claims_coverage() -> None:
    log, target = random_log(1, n=200)
    claims = {one.name: one.claims_coverage for one in estimates(log, target, np.zeros_like(target)).values()}
    assert claims == {"DM": False, "IPS": True, "SNIPS": True, "DR": True, "SNDR": True, "SWITCH-DR": False}
    assert switch_doubly_robust(log, target, np.zeros_like(target), math.inf).claims_coverage
    short, target = random_log(1, n=20)
    assert kish(target[np.arange(20), short.actions] / short.propensities) < SMALLEST_EFFECTIVE_SAMPLE
    assert not ips(short, target).claims_coverage


@pytest.mark.parametrize(("n_logs", "n_clusters"), [(400, None), (200, 100)])
def test_coverage(n_logs: int, n_clusters: int | None) -> None:
    """Of 400 (200) logs of 500 decisions, 95% intervals hold the truth in as many as the binomial allows (99.9%).

    Outcomes are not linear in the feature, the reward model is. In clusters, outcomes share a part that is as large as
    the rest.
    """
    n, n_arms = 500, 4
    hits = dict.fromkeys(("IPS", "SNIPS", "DR", "SNDR", "replay"), 0)
    biased = 0
    for number in range(n_logs):
        rng = np.random.default_rng([11, number])
        feature = rng.uniform(-1, 1, n)
        logging = np.exp(feature[:, None] * np.arange(n_arms) / 2)
        logging /= logging.sum(axis=1, keepdims=True)
        target = 0.9 * np.eye(n_arms)[np.where(feature > 0.0, 0, 1)] + 0.1 / n_arms
        actions = (logging.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
        clusters = np.arange(n) if n_clusters is None else np.arange(n) % n_clusters
        shared = rng.normal(size=n)[clusters] if n_clusters else np.zeros(n)
        # Every arm has the mean 2 * feature^2 + arm / 2; over the target's choices that is 2/3 + 0.225 + 0.075.
        outcomes = 2 * feature**2 + actions / 2 + shared + rng.normal(size=n)
        log = Log(actions, logging[np.arange(n), actions], outcomes, clusters)
        predictions = cross_fitted_predictions(log, n_arms, feature[:, None])
        for one in all_estimates(log, target, predictions, rng, threshold=2.0):
            assert one.low is not None and one.high is not None
            holds = one.low <= 2 / 3 + 0.225 + 0.075 <= one.high
            if one.name in hits:
                hits[one.name] += holds
            elif one.name == "DM":
                biased += not holds
    low, high = (float(stats.binom.ppf(tail, n_logs, 0.95)) for tail in (0.0005, 0.9995))
    assert {name: count for name, count in hits.items() if not low <= count <= high} == {}
    assert biased > 0.2 * n_logs
