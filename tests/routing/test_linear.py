"""LinUCB and LinTS: against the normal equations, what is refused, and choices as frequent as stated."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.interfaces import Context, Feedback, FloatArray, IntArray
from krins.routing.linear import LinTS, LinUCB
from krins.routing.play import Results, play
from krins.routing.ridge import Ridge

Linear = LinUCB | LinTS
ARM_FEATURES = ((0.1, 1.0), (0.5, -0.3), (0.9, 0.2))
POLICIES: dict[str, Linear] = {
    "LinUCB": LinUCB(4, ridge=0.5),
    "LinTS": LinTS(4, ridge=0.5),
    "shared LinUCB": LinUCB(4, shared=True),
    "shared LinTS": LinTS(4, shared=True),
    "LinUCB of arms' features": LinUCB(4, shared=True, arm_features=ARM_FEATURES),
    "LinTS of arms' features": LinTS(4, shared=True, arm_features=ARM_FEATURES),
}
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
repeated = settings(deadline=None, max_examples=40, derandomize=True)


class History(NamedTuple):
    """One step after another, for three arms and tasks of four features."""

    arms: IntArray
    """Shape (n_steps, n_replications)."""
    rewards: FloatArray
    """Of the same shape."""
    features: FloatArray
    """Shape (n_steps, n_replications, 4)."""

    def learn(self, policy: Linear) -> Ridge:
        state = policy.init(3, self.arms.shape[1])
        for arms, rewards, features in zip(*self, strict=True):
            state = policy.update(state, Feedback(arms, rewards, features=features))
        return state


@st.composite
def histories(draw: st.DrawFn, min_steps: int = 0) -> History:
    shape = draw(st.integers(min_steps, 25)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return History(rng.integers(3, size=shape), rng.normal(size=shape), rng.normal(size=(*shape, 4)))


def idle(features: FloatArray, n_arms: int = 3) -> Context:
    return Context(np.zeros((len(features), n_arms), np.int64), features)


def copy(state: Ridge) -> Ridge:
    return Ridge(state.stacked.copy())


def expected_row(policy: Linear, features: FloatArray, arm: int) -> FloatArray:
    """What the policy's regression sees of one task and arm, written out."""
    if not policy.shared:
        return features
    products = [own * features for own in policy.arm_features[arm]] if policy.arm_features else []
    return np.concatenate([np.eye(3)[arm], features, *products])


def direct_solve(policy: Linear, history: History, replication: int, regression: int) -> tuple[FloatArray, FloatArray]:
    """The inverse and theta from the normal equations."""
    steps = zip(
        history.arms[:, replication], history.rewards[:, replication], history.features[:, replication], strict=True
    )
    n_columns = policy.init(3, 1).stacked.shape[-1]
    precision: FloatArray = policy.ridge * np.eye(n_columns)
    total = np.zeros(n_columns)
    for arm, reward, features in steps:
        if policy.shared or arm == regression:
            row = expected_row(policy, features, arm)
            precision += np.outer(row, row)
            total += reward * row
    inverse = np.asarray(np.linalg.inv(precision), np.float64)
    return inverse, inverse @ total


def test_one_feature_by_hand() -> None:
    # A = 2 + 1^2 + 3^2 = 12 and b = 1 * 0.5 + 3 * 1 = 3.5.
    policy = LinUCB(1, ridge=2.0, alpha=0.5)
    state = policy.init(2, 1)
    for x, reward in ((1.0, 0.5), (3.0, 1.0)):
        state = policy.update(state, Feedback(np.array([1]), np.array([reward]), features=np.array([[x]])))
    assert state.inverse[0, :, 0, 0] == pytest.approx([1 / 2, 1 / 12])
    assert state.theta[0, :, 0] == pytest.approx([0.0, 3.5 / 12])
    # x = 4: bounds 0.5 * 4 * sqrt(1 / 2) = 1.41 against 4 * 3.5 / 12 + 0.5 * 4 * sqrt(1 / 12) = 1.74.
    assert policy.choose(state, idle(np.array([[4.0]]), 2), np.random.default_rng(0)).arms == 1
    # x = -4: the same widths, and -1.17 for the second.
    assert policy.choose(state, idle(np.array([[-4.0]]), 2), np.random.default_rng(0)).arms == 0


@every_policy
@repeated
@given(history=histories(), seed=st.integers(0, 2**32))
def test_scores_are_those_of_the_direct_solve(policy: Linear, history: History, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(history.arms.shape[1], 4))
    mean, deviation = policy._scores(history.learn(policy), idle(features))
    for replication, task in enumerate(features):
        for arm in range(3):
            inverse, theta = direct_solve(policy, history, replication, arm)
            row = expected_row(policy, task, arm)
            assert mean[replication, arm] == pytest.approx(row @ theta, abs=1e-9)
            assert deviation[replication, arm] == pytest.approx(math.sqrt(row @ inverse @ row), abs=1e-9)


@every_policy
@repeated
@given(history=histories(), seed=st.integers(0, 2**32))
def test_replications_do_not_touch_each_other(policy: Linear, history: History, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(history.arms.shape[1], 4))
    together = history.learn(policy)
    propensities = policy.propensities(together, idle(features))
    for i in range(len(features)):
        one = slice(i, i + 1)
        alone = History(history.arms[:, one], history.rewards[:, one], history.features[:, one]).learn(policy)
        np.testing.assert_allclose(alone.stacked, together.stacked[one], rtol=1e-9, atol=1e-12)
        found = policy.propensities(alone, idle(features[one]))
        np.testing.assert_allclose(found, propensities[one], atol=1e-9)


@every_policy
@repeated
@given(history=histories(), order=st.permutations(range(3)), seed=st.integers(0, 2**32))
def test_arms_have_no_names(policy: Linear, history: History, order: list[int], seed: int) -> None:
    # Scores rather than propensities: arms of LinUCB that stand equal go to the lowest index.
    context = idle(np.random.default_rng(seed).normal(size=(history.arms.shape[1], 4)))
    own = tuple(policy.arm_features[arm] for arm in order) if policy.arm_features else ()
    renamed = type(policy)(4, ridge=policy.ridge, shared=policy.shared, arm_features=own)
    moved = history._replace(arms=np.argsort(order)[history.arms])
    found, expected = renamed._scores(moved.learn(renamed), context), policy._scores(history.learn(policy), context)
    np.testing.assert_allclose(found.mean, expected.mean[:, order], atol=1e-9)
    np.testing.assert_allclose(found.deviation, expected.deviation[:, order], atol=1e-9)


@every_policy
@repeated
@given(history=histories(min_steps=1), seed=st.integers(0, 2**32))
def test_only_observed_replications_learn(policy: Linear, history: History, seed: int) -> None:
    state = history.learn(policy)
    arms, rewards, features = (array[0] for array in history)
    observed = np.random.default_rng(seed).random(arms.size) < 0.5
    full = policy.update(copy(state), Feedback(arms, rewards, features=features))
    # Whatever stands where nothing was observed.
    unknown = np.where(observed, rewards, np.nan), np.where(observed[:, None], features, np.inf)
    masked = policy.update(copy(state), Feedback(arms, unknown[0], observed, features=unknown[1]))
    mask = observed[:, None, None, None]
    np.testing.assert_array_equal(masked.stacked[~observed], state.stacked[~observed])
    np.testing.assert_allclose(masked.stacked, np.where(mask, full.stacked, state.stacked), rtol=1e-12, atol=1e-14)


@every_policy
def test_choosing_changes_nothing(policy: Linear) -> None:
    rng = np.random.default_rng(3)
    state = History(rng.integers(3, size=(9, 5)), rng.random((9, 5)), rng.normal(size=(9, 5, 4))).learn(policy)
    before, features = state.stacked.copy(), rng.normal(size=(5, 4))
    context = idle(features.copy())
    policy.choose(state, context, rng)
    policy.propensities(state, context)
    np.testing.assert_array_equal(state.stacked, before)
    np.testing.assert_array_equal(context.features, features)


@every_policy
def test_a_reward_that_is_learnt_takes_no_other_memory(policy: Linear) -> None:
    state = policy.init(3, 2)
    learnt = policy.update(state, Feedback(np.array([0, 2]), np.ones(2), features=np.ones((2, 4))))
    assert learnt.stacked is state.stacked


@pytest.mark.parametrize("policy", [LinUCB(3), LinUCB(3, shared=True)], ids=["disjoint", "shared"])
def test_an_arm_never_tried_is_not_last(policy: LinUCB) -> None:
    state, features = policy.init(3, 1), np.array([[1.0, 0.0, 0.0]])
    # Arms 0 and 1 bring nothing again and again; arm 2 was not tried.
    for arm in [0, 1] * 20:
        state = policy.update(state, Feedback(np.array([arm]), np.zeros(1), features=features))
    assert policy.choose(state, idle(features), np.random.default_rng(0)).arms == 2
    bounds = policy._bounds(state, idle(features))[0]
    assert bounds[2] > 2.0 * bounds[:2].max()


def test_an_arm_never_tried_has_the_width_of_the_prior() -> None:
    policy = LinUCB(3, ridge=4.0, alpha=1.5)
    features = np.array([[2.0, 1.0, 2.0]])
    state = policy.update(policy.init(2, 1), Feedback(np.array([0]), np.ones(1), features=features))
    assert policy._bounds(state, idle(features, 2))[0, 1] == pytest.approx(1.5 * 3.0 / 2.0)


@every_policy
def test_a_task_without_any_feature_is_no_error(policy: Linear) -> None:
    # All scores are equal then, for disjoint arms: LinTS draws at random, LinUCB takes the lowest index.
    state = policy.init(3, 1)
    found = policy.propensities(state, idle(np.zeros((1, 4))))
    expected = [1.0, 0.0, 0.0] if isinstance(policy, LinUCB) else [1.0 / 3.0] * 3
    np.testing.assert_allclose(found[0], expected, atol=1e-9)
    assert policy.choose(state, idle(np.zeros((1, 4))), np.random.default_rng(0)).arms.shape == (1,)


@every_policy
def test_features_that_do_not_fit_are_refused_and_nothing_is_changed(policy: Linear) -> None:
    rng = np.random.default_rng(0)
    state = History(rng.integers(3, size=(9, 2)), rng.random((9, 2)), rng.normal(size=(9, 2, 4))).learn(policy)
    before, pending = state.stacked.copy(), np.zeros((2, 3), np.int64)
    wrong: list[tuple[FloatArray | None, str]] = [
        (None, r"shape \(2, 4\), got none"),
        (np.ones((2, 5)), r"shape \(2, 4\), got \(2, 5\)"),
        (np.ones((1, 4)), r"shape \(2, 4\), got \(1, 4\)"),
        (np.ones(4), r"shape \(2, 4\), got \(4,\)"),
        (np.array([[0.0, 1.0, 2.0, np.nan], [0.0] * 4]), "NaN"),
        (np.array([[0.0] * 4, [0.0, 1.0, -np.inf, 3.0]]), "infinite"),
        (np.full((2, 4), 1e200), "too long for a ridge"),
    ]
    for features, message in wrong:
        with pytest.raises(ValueError, match=message):
            policy.choose(state, Context(pending, features), rng)
        with pytest.raises(ValueError, match=message):
            policy.propensities(state, Context(pending, features))
        with pytest.raises(ValueError, match=message):
            policy.update(state, Feedback(np.array([0, 1]), np.ones(2), features=features))
    with pytest.raises(ValueError, match="NaN or infinite"):
        policy.update(state, Feedback(np.array([0, 1]), np.array([1.0, np.nan]), features=np.ones((2, 4))))
    np.testing.assert_array_equal(state.stacked, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_features": 0}, "n_features"),
        ({"ridge": 0.0}, "ridge"),
        ({"ridge": math.inf}, "ridge"),
        ({"ridge": math.nan}, "ridge"),
        ({"arm_features": ((1.0,), (2.0,))}, "shared=True"),
        ({"arm_features": ((1.0,), (2.0, 3.0)), "shared": True}, r"\[1, 2\]"),
        ({"arm_features": ((1.0,), (math.inf,)), "shared": True}, "finite"),
    ],
)
@pytest.mark.parametrize("kind", [LinUCB, LinTS])
def test_hyper_parameters_are_checked(kind: type[Linear], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{"n_features": 3, **options})


def test_widths_are_checked() -> None:
    for alpha in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            LinUCB(3, alpha=alpha)
    for scale in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="scale"):
            LinTS(3, scale=scale)


def test_arms_features_are_those_of_all_arms() -> None:
    with pytest.raises(ValueError, match="3 arms, there are 5"):
        LinUCB(4, shared=True, arm_features=ARM_FEATURES).init(5, 1)


def test_parameters_stand_in_result_tables() -> None:
    assert LinUCB(3, alpha=0.25).params == {
        "n_features": 3,
        "ridge": 1.0,
        "shared": False,
        "arm_features": (),
        "alpha": 0.25,
    }


@pytest.mark.parametrize("name", [name for name, policy in POLICIES.items() if isinstance(policy, LinTS)])
def test_choices_are_as_frequent_as_propensities_say(name: str) -> None:
    policy, n_choices, rng = POLICIES[name], 40_000, np.random.default_rng(11)
    one = History(rng.integers(3, size=(12, 1)), rng.random((12, 1)), rng.normal(size=(12, 1, 4))).learn(policy)
    task = rng.normal(size=(1, 4))
    expected = n_choices * policy.propensities(one, idle(task))[0]
    many = Ridge(np.broadcast_to(one.stacked, (n_choices, *one.stacked.shape[1:])))
    choice = policy.choose(many, idle(np.broadcast_to(task, (n_choices, 4))), rng)
    assert choice.probabilities is None
    found = np.bincount(choice.arms, minlength=3)
    # 99.9% quantile with 2 degrees of freedom.
    assert ((found - expected) ** 2 / expected).sum() < 13.82


def test_disjoint_scores_are_as_if_theta_were_drawn() -> None:
    policy, rng = LinTS(4, scale=0.7), np.random.default_rng(5)
    state = History(rng.integers(3, size=(30, 1)), rng.random((30, 1)), rng.normal(size=(30, 1, 4))).learn(policy)
    task, n_draws = rng.normal(size=(1, 4)), 40_000
    theta = [
        rng.multivariate_normal(state.theta[0, arm], 0.49 * state.inverse[0, arm], n_draws, method="cholesky")
        for arm in range(3)
    ]
    found = np.bincount((np.array(theta) @ task[0]).argmax(axis=0), minlength=3)
    expected = n_draws * policy.propensities(state, idle(task))[0]
    assert ((found - expected) ** 2 / expected).sum() < 13.82


def test_a_choice_of_linucb_is_certain() -> None:
    policy, rng = LinUCB(4), np.random.default_rng(2)
    state = History(rng.integers(3, size=(9, 6)), rng.random((9, 6)), rng.normal(size=(9, 6, 4))).learn(policy)
    context = idle(rng.normal(size=(6, 4)))
    arms, probabilities = policy.choose(state, context, rng)
    assert probabilities is not None
    assert probabilities.tolist() == [1.0] * 6
    assert (policy.propensities(state, context)[np.arange(6), arms] == 1.0).all()


def mean_regret(policy: Any, seed: int) -> float:
    """Simulated: three arms, each the best for a third of the tasks; the last 300 of 600 choices, 50 replications."""
    rng, n_replications = np.random.default_rng(seed), 50
    kinds = rng.integers(3, size=(600, n_replications))
    features, chances = np.eye(3)[kinds], 0.2 + 0.6 * np.eye(3)[kinds]
    rows = np.arange(n_replications)

    def results(first: int, arms: IntArray) -> Results:
        chance = chances[np.arange(first, first + len(arms))[:, None], rows, arms]
        return Results((rng.random(chance.shape) < chance).astype(np.float64))

    arms = play(policy, 3, n_replications, 600, results, rng, features=lambda step: features[step]).arms
    found = np.take_along_axis(chances, arms[..., None].astype(np.int64), axis=2)
    return float((0.8 - found)[300:].mean())


@pytest.mark.parametrize("policy", [LinUCB(3, alpha=0.7), LinTS(3, scale=0.4)], ids=["LinUCB", "LinTS"])
def test_each_kind_of_task_finds_its_arm(policy: Linear) -> None:
    # Any policy that does not look at the tasks has 0.4.
    assert mean_regret(policy, 1) < 0.04


def test_features_of_arms_carry_over_to_other_arms() -> None:
    # The reward is the product of the task's second feature and the arm's own: two arms tell what the third will do.
    policy = LinUCB(2, alpha=0.1, shared=True, arm_features=((-1.0,), (0.0,), (1.0,)))
    state, rng = policy.init(3, 1), np.random.default_rng(0)
    for _ in range(60):
        arm, size = int(rng.integers(2)), rng.normal()
        reward = size * (arm - 1.0)
        state = policy.update(state, Feedback(np.array([arm]), np.array([reward]), features=np.array([[1.0, size]])))
    chosen = [int(policy.choose(state, idle(np.array([[1.0, size]])), rng).arms[0]) for size in (-2.0, 2.0)]
    assert chosen == [0, 2]


@pytest.mark.parametrize("ridge", [1e-6, 1e-3, 1.0])
def test_features_that_would_swamp_the_ridge_are_refused_and_others_stay_finite(ridge: float) -> None:
    policy = LinUCB(2, ridge=ridge)
    far = np.sqrt(1e10 * ridge)
    state = policy.init(1, 1)
    for step in range(60):
        features = np.array([[far / 10.0, far * (0.9 + 0.001 * step)]])
        state = policy.update(state, Feedback(np.array([0]), np.ones(1), features=features))
    assert np.isfinite(state.stacked).all()
    before = state.stacked.copy()
    with pytest.raises(ValueError, match="scale features"):
        policy.update(state, Feedback(np.array([0]), np.ones(1), features=np.array([[1.0, 1.1 * far]])))
    np.testing.assert_array_equal(state.stacked, before)
