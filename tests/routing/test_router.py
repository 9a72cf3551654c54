"""The router: names, pending choices, what it refuses, and that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krins.interfaces import Context, Feedback, Policy
from krins.routing.baselines import FixedArm
from krins.routing.budgeted import Budgeted
from krins.routing.epsilon_greedy import EpsilonGreedy
from krins.routing.exp3 import EXP3
from krins.routing.floor import ExplorationFloor
from krins.routing.linear import LinUCB
from krins.routing.router import Router
from krins.routing.state_file import to_json
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned
from krins.routing.warm_start import warm_start


def test_arms_go_by_name_and_in_order() -> None:
    router = Router(UCB1(), ["cheap", "dear"], 0)
    first, second = router.decide(), router.decide()
    assert (first.arm, first.probability, second.arm) == ("cheap", 1.0, "dear")
    router.learn("dear", 1.0)
    router.learn("cheap", 0.0)
    assert router.decide().arm == "dear"


def test_pending_choices_are_counted_until_their_reward_comes_in_any_order() -> None:
    router = Router(UCB1(), ["a", "b"], 0)
    for _ in range(3):
        router.decide()
    assert router.pending == {"a": 2, "b": 1}
    router.learn("b", 1.0)
    router.learn("a", 1.0)
    assert router.pending == {"a": 1, "b": 0}


def test_an_abandoned_choice_is_not_pending_and_teaches_nothing() -> None:
    router = Router(UCB1(), ["a", "b"], 0)
    router.decide()
    router.abandon("a")
    assert router.pending == {"a": 0, "b": 0}
    assert router.decide().arm == "a"


def test_a_reward_without_a_pending_choice_is_learnt() -> None:
    router = Router(UCB1(), ["a", "b"], 0)
    router.learn("a", 1.0)
    router.abandon("b")
    assert router.pending == {"a": 0, "b": 0}
    assert router.decide().arm == "b"


def test_the_same_seed_makes_the_same_choices() -> None:
    one, other = (Router(ThompsonBeta(), ["a", "b", "c"], 4) for _ in range(2))
    assert [one.decide() for _ in range(50)] == [other.decide() for _ in range(50)]


def test_propensities_are_those_of_the_policy_and_draw_nothing() -> None:
    policy = EpsilonGreedy(0.3)
    router, twin = Router(policy, ["a", "b", "c"], 0), Router(policy, ["a", "b", "c"], 0)
    for arm, reward in (("a", 0.0), ("b", 1.0), ("c", 0.5)):
        router.learn(arm, reward)
        twin.learn(arm, reward)
    np.testing.assert_allclose(router.propensities(), [0.1, 0.8, 0.1])
    assert [router.decide() for _ in range(20)] == [twin.decide() for _ in range(20)]


def test_propensities_know_what_is_pending() -> None:
    router = Router(EpsilonGreedy(0.3), ["a", "b"], 0)
    assert router.propensities().tolist() == [1.0, 0.0]
    router.decide()
    assert router.propensities().tolist() == [0.0, 1.0]


def test_features_reach_the_policy() -> None:
    policy = LinUCB(2, alpha=0.0)
    router = Router(policy, ["a", "b"], 0)
    router.learn("b", 1.0, features=[0.0, 1.0])
    router.learn("a", 1.0, features=(1.0, 0.0))
    assert router.decide([0.1, 1.0]).arm == "b"
    assert router.decide(np.array([1.0, 0.1])).arm == "a"
    assert router.propensities([0.0, 2.0]).tolist() == [0.0, 1.0]


def test_features_of_a_wrapped_policy_are_known() -> None:
    router = Router(ExplorationFloor(LinUCB(3), 0.2), ["a", "b"], 0)
    assert router.n_features == 3
    assert router.decide([1.0, 2.0, 3.0]).arm in ("a", "b")


def test_the_caller_s_features_may_change_afterwards() -> None:
    router, twin = (Router(LinUCB(2), ["a", "b"], 0) for _ in range(2))
    features = np.array([1.0, 0.0])
    router.learn("a", 1.0, features=features)
    features[:] = 9.0
    twin.learn("a", 1.0, features=[1.0, 0.0])
    assert to_json(router.snapshot()) == to_json(twin.snapshot())


@pytest.mark.parametrize("policy", [UCB1(), ThompsonBeta(), ThompsonNormal(), EpsilonGreedy(), FixedArm(0)], ids=repr)
def test_one_arm_and_one_task(policy: Policy[Any]) -> None:
    router = Router(policy, ["only"], 0)
    assert router.decide().arm == "only"
    router.learn("only", 1.0)
    assert router.propensities().tolist() == [1.0]


def test_a_router_may_begin_from_scores() -> None:
    state = warm_start(UCB1().init(2, 1), np.array([[0.2, 0.9]]), 3.0)
    assert Router(UCB1(), ["a", "b"], 0, state=state).decide().arm == "b"


def test_a_state_of_other_arms_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2\), got float64 of shape \(1, 3\)"):
        Router(UCB1(), ["a", "b"], 0, state=UCB1().init(3, 1))


def test_a_state_of_several_replications_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got float64 of shape \(2, 2\)"):
        Router(UCB1(), ["a", "b"], 0, state=UCB1().init(2, 2))


def test_a_resumed_router_and_its_origin_do_not_touch_each_other() -> None:
    router = Router(LinUCB(2), ["a", "b"], 0)
    snapshot = router.snapshot()
    router.learn("a", 1.0, features=[1.0, 0.0])
    resumed, untouched = Router.resume(snapshot), Router.resume(snapshot)
    resumed.learn("b", 1.0, features=[1.0, 0.0])
    assert to_json(untouched.snapshot()) == to_json(snapshot) != to_json(resumed.snapshot())


def test_arms_need_different_names() -> None:
    with pytest.raises(ValueError, match="arms have different names, got a, b, a"):
        Router(UCB1(), ["a", "b", "a"], 0)


def test_a_router_needs_an_arm() -> None:
    with pytest.raises(ValueError, match="at least 1 arm"):
        Router(UCB1(), [], 0)


def plain(policy: Policy[Any]) -> Callable[[], Router]:
    return lambda: Router(policy, ["a", "b"], 0)


REFUSED: dict[str, tuple[Callable[[], Router], Callable[[Router], Any], str]] = {
    "unknown arm": (plain(UCB1()), lambda r: r.learn("c", 1.0), "unknown arm 'c'; this router has a, b"),
    "unknown arm abandoned": (plain(UCB1()), lambda r: r.abandon("c"), "unknown arm 'c'"),
    "NaN": (plain(UCB1()), lambda r: r.learn("a", np.nan), "finite number, got nan"),
    "infinite": (plain(ThompsonNormal()), lambda r: r.learn("a", -np.inf), "finite number, got -inf"),
    "not binary": (plain(ThompsonBeta()), lambda r: r.learn("a", 0.5), "rewards of 0 and 1"),
    "probability": (plain(EXP3()), lambda r: r.learn("a", 1.0, probability=0.0), r"in \(0, 1\], got 0.0"),
    "no probability": (plain(EXP3()), lambda r: r.learn("a", 1.0), "probabilit"),
    "quality": (plain(UCB1()), lambda r: r.learn("a", 1.0, quality=1.1), r"lies in \[0, 1\], got 1.1"),
    "cost": (plain(UCB1()), lambda r: r.learn("a", 1.0, cost_usd=-0.1), "at least 0, got -0.1"),
    "NaN cost": (plain(UCB1()), lambda r: r.learn("a", 1.0, cost_usd=np.nan), "at least 0, got nan"),
    "no cost": (plain(Budgeted(0.1)), lambda r: r.learn("a", 1.0, quality=1.0), "cost_usd"),
    "not wanted": (plain(UCB1()), lambda r: r.decide([1.0]), "does not look at features"),
    "not wanted, learnt": (plain(UCB1()), lambda r: r.learn("a", 1.0, features=[1.0]), "does not look at features"),
    "missing": (plain(LinUCB(3)), lambda r: r.decide(), "needs 3 features"),
    "missing, learnt": (plain(LinUCB(3)), lambda r: r.learn("a", 1.0), "needs 3 features"),
    "another width": (plain(LinUCB(3)), lambda r: r.decide([1.0, 2.0]), r"of shape \(3,\), got \(2,\)"),
    "another rank": (plain(LinUCB(3)), lambda r: r.decide([[1.0, 2.0, 3.0]]), r"of shape \(3,\), got \(1, 3\)"),
    "width, learnt": (plain(LinUCB(3)), lambda r: r.learn("a", 1.0, features=[1.0] * 4), r"got \(4,\)"),
    "NaN feature": (plain(LinUCB(3)), lambda r: r.decide([1.0, np.nan, 0.0]), "NaN or an infinite"),
    "infinite feature": (plain(LinUCB(3)), lambda r: r.learn("a", 1.0, features=[1.0, np.inf, 0.0]), "infinite"),
    "propensities": (plain(LinUCB(3)), lambda r: r.propensities(), "needs 3 features"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_and_changes_nothing(case: str) -> None:
    make, act, message = REFUSED[case]
    router = make()
    for arm in ("a", "b", "a"):
        features = None if router.n_features is None else [0.1, 0.2, 0.3]
        router.decide(features)
        router.learn(arm, 1.0, probability=0.5, features=features, quality=1.0, cost_usd=0.2)
    router.decide(features)
    before = to_json(router.snapshot())
    with pytest.raises(ValueError, match=message):
        act(router)
    assert to_json(router.snapshot()) == before


def test_the_floor_s_probabilities_come_with_decisions() -> None:
    router = Router(ExplorationFloor(UCB1(), 0.2), ["a", "b"], 0)
    for arm in ("a", "b"):
        router.learn(arm, 0.5)
    decided = [router.decide() for _ in range(200)]
    assert {arm for arm, _ in decided} == {"a", "b"}
    assert all(probability == pytest.approx(0.9 if arm == "a" else 0.1) for arm, probability in decided)


def test_a_router_owns_its_state_and_refuses_one_of_another_kind() -> None:
    policy = UCBTuned()
    state = policy.init(2, 1)
    first, second = (Router(policy, ["a", "b"], 0, state=state) for _ in range(2))
    first.learn("a", 1.0)
    assert not state.counts.any()
    assert not second.snapshot().state.counts.any()
    for wrong in (ThompsonBeta().init(2, 1), policy.init(3, 1), 5):
        with pytest.raises(ValueError, match="the policy's state"):
            Router(policy, ["a", "b"], 0, state=wrong)


def test_arrays_step_as_a_run_with_one_replication_does() -> None:
    """ThompsonBeta's own stepper draws ahead, so its choices are others."""
    policy, rng = ThompsonBeta(), np.random.default_rng(4)
    state = policy.init(3, 1)
    router = Router(policy, "abc", 4, arrays=True)
    for step in range(50):
        choice = policy.choose(state, Context(np.zeros((1, 3), np.int64)), rng)
        assert router.decide().arm == "abc"[choice.arms[0]]
        reward = float(step % 3 == 0)
        state = policy.update(state, Feedback(choice.arms, np.array([reward])))
        router.learn("abc"[choice.arms[0]], reward)
        if step == 25:
            router = Router.resume(router.snapshot(), arrays=True)
    for ours, theirs in zip(router.snapshot().state, state, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_outcomes_of_another_copys_choices_settle_none_of_ours() -> None:
    router = Router(UCB1(), "ab", 0)
    router.expect("a")
    router.learn("a", 1.0, settles=False)
    assert router.pending == {"a": 1, "b": 0}
    router.learn("a", 1.0)
    assert router.pending == {"a": 0, "b": 0}
    with pytest.raises(ValueError, match="unknown arm"):
        router.expect("c")
