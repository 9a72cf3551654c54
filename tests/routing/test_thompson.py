"""Thompson sampling: posterior parameters by hand, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from krins.interfaces import Context, Feedback
from krins.routing.thompson import NormalState, ThompsonBeta, ThompsonNormal

FIRST = np.array([0])


def test_a_beta_posterior_counts_ones_and_zeros() -> None:
    policy = ThompsonBeta((2.0, 3.0))
    state = policy.init(2, 1)
    for arm, reward in ((0, 1.0), (0, 1.0), (0, 0.0), (1, 0.0)):
        state = policy.update(state, Feedback(np.array([arm]), np.array([reward])))
    assert state.alpha.tolist() == [[4.0, 2.0]]
    assert state.beta.tolist() == [[4.0, 4.0]]


@pytest.mark.parametrize("reward", [0.5, -1.0, 2.0])
def test_a_beta_posterior_refuses_other_rewards_and_names_what_takes_them(reward: float) -> None:
    policy = ThompsonBeta()
    with pytest.raises(ValueError, match="ThompsonNormal"):
        policy.update(policy.init(2, 2), Feedback(np.array([0, 1]), np.array([1.0, reward])))


def test_a_normal_posterior_is_that_of_the_textbook() -> None:
    # Prior mean 1, strength 2, shape 3, scale 4 and the rewards 2, 4, 6, of mean 4 and squared deviations 8:
    # strength 2 + 3, mean (2 * 1 + 12) / 5, shape 3 + 3 / 2, scale 4 + 8 / 2 + (2 * 3 / 5) * (4 - 1)^2 / 2.
    policy = ThompsonNormal(1.0, 2.0, 3.0, 4.0)
    state = policy.init(1, 1)
    for reward in (2.0, 4.0, 6.0):
        state = policy.update(state, Feedback(FIRST, np.array([reward])))
    np.testing.assert_allclose(np.ravel(state), [2.8, 5.0, 4.5, 13.4], rtol=1e-14)


def test_the_draw_of_a_normal_posterior_is_a_student_t() -> None:
    # 6 degrees of freedom around 1, scale sqrt(5 / (3 * 2)): its 97.5% quantile is 2.446912 scales away.
    policy = ThompsonNormal(1.0, 2.0, 3.0, 5.0)
    edge = 1.0 + 2.446912 * math.sqrt(5.0 / 6.0)
    known = policy.init(2, 40_000)
    state = NormalState(known.mean.copy(), known.strength, known.shape, known.scale.copy())
    state.mean[:, 0], state.scale[:, 0] = edge, 1e-18
    arms = policy.choose(state, Context(np.zeros((40_000, 2), np.int64)), np.random.default_rng(3)).arms
    assert abs(arms.mean() - 0.025) < 4.0 * math.sqrt(0.025 * 0.975 / 40_000)


def test_choose_leaves_the_probability_to_propensities() -> None:
    context = Context(np.zeros((1, 3), np.int64))
    for policy in (ThompsonBeta(), ThompsonBeta((0.5, 2.0))):
        assert policy.choose(policy.init(3, 1), context, np.random.default_rng(0)).probabilities is None
    normal = ThompsonNormal()
    assert normal.choose(normal.init(3, 1), context, np.random.default_rng(0)).probabilities is None


@pytest.mark.parametrize("prior", [(0.0, 1.0), (1.0, -1.0), (math.inf, 1.0), (1.0, math.nan)])
def test_a_beta_prior_that_is_none_is_refused(prior: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="both positive and finite"):
        ThompsonBeta(prior)


@pytest.mark.parametrize(
    ("prior", "named"),
    [
        ((math.nan, 1.0, 1.0, 1.0), "prior_mean"),
        ((0.0, 0.0, 1.0, 1.0), "prior_strength"),
        ((0.0, 1.0, 0.4, 1.0), "prior_shape"),
        ((0.0, 1.0, math.inf, 1.0), "prior_shape"),
        ((0.0, 1.0, 1.0, -1.0), "prior_scale"),
    ],
)
def test_a_normal_prior_that_is_none_is_refused(prior: tuple[float, float, float, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ThompsonNormal(*prior)


def test_params_are_the_hyper_parameters() -> None:
    assert ThompsonBeta((2.0, 3.0)).params == {"prior": (2.0, 3.0)}
    assert ThompsonNormal(1.0, 2.0, 3.0, 4.0).params == {
        "prior_mean": 1.0,
        "prior_strength": 2.0,
        "prior_shape": 3.0,
        "prior_scale": 4.0,
    }
