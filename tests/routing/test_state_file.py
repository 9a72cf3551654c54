"""A router's state as text: it goes on to the last bit, and any other text is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krins.errors import StateError
from krins.interfaces import Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.budgeted import Budgeted
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.exp3 import EXP3
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.linear import LinTS, LinUCB
from krins.routing.quality_floor import QualityFloor
from krins.routing.restart import Restarting
from krins.routing.router import Decision, Router
from krins.routing.state_file import POLICIES as KNOWN
from krins.routing.state_file import from_json, to_json
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned

POLICIES: list[Policy[Any]] = [
    EpsilonGreedy(0.3),
    DecayingEpsilonGreedy(0.5),
    UCB1((-0.5, 1.0)),
    UCBTuned(),
    KLUCB(),
    IMED(),
    ThompsonBeta((0.7, 1.1)),
    ThompsonNormal(),
    EXP3(),
    Discounted(ThompsonBeta(), 0.99),
    SlidingWindow(UCB1(), 100),
    Restarting(UCB1(), window=64),
    Budgeted(0.002),
    QualityFloor(reference=1, margin=0.1),
    QualityFloor(reference=1, margin=0.1, confidence=None),
    LinUCB(4),
    LinTS(4),
    LinTS(4, shared=True, arm_features=((0.1, 1.0), (0.5, 2.0), (1.0, 0.0))),
    ExplorationFloor(SlidingWindow(EpsilonGreedy(), 100), 0.1),
    FixedArm(2),
    UniformRandom(),
]
ARMS = ("small", "middle", "große")


def world(router: Router, steps: range, out: list[tuple[Decision, int]]) -> list[Decision]:
    """Decide once a step; `out` holds choices whose rewards come late and out of order."""
    decisions = []
    for step in steps:
        here = np.random.default_rng([7, step])
        features = None if router.n_features is None else np.random.default_rng(step).normal(size=router.n_features)
        decision = router.decide(features)
        decisions.append(decision)
        out.append((decision, step))
        while out and here.random() < 0.6:
            (arm, probability), when = out.pop(int(here.integers(len(out))))
            number = router.arms.index(arm)
            reward = float(here.random() < 0.3 + 0.2 * number)
            router.learn(
                arm,
                reward,
                probability=probability,
                features=None if features is None else np.random.default_rng(when).normal(size=len(features)),
                quality=reward,
                cost_usd=0.001 * (number + here.random()),
            )
    return decisions


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_router_goes_on_to_the_last_bit(policy: Policy[Any]) -> None:
    out: list[tuple[Decision, int]] = []
    straight, saved = (Router(policy, ARMS, 5) for _ in range(2))
    undisturbed = world(straight, range(500), [])
    first = world(saved, range(250), out)
    resumed = Router.resume(from_json(to_json(saved.snapshot()), policy, ARMS))
    assert first + world(resumed, range(250, 500), out) == undisturbed
    assert to_json(resumed.snapshot()) == to_json(straight.snapshot())


def test_every_known_policy_is_tried() -> None:
    assert {type(policy).__name__ for policy in POLICIES} == set(KNOWN)


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_a_generator_is_kept_whole(kind: str) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(3))
    # 32 bits are drawn and the other half of the word waits.
    rng.integers(5, dtype=np.int32)
    router = Router(UniformRandom(), ARMS, rng)
    resumed = Router.resume(from_json(to_json(router.snapshot())))
    assert [resumed.decide() for _ in range(700)] == [router.decide() for _ in range(700)]


def text() -> str:
    router = Router(EpsilonGreedy(0.25), ARMS, 1)
    out: list[tuple[Decision, int]] = []
    world(router, range(250), out)
    return to_json(router.snapshot())


def test_pending_choices_are_kept() -> None:
    router = Router(UCB1(), ARMS, 1)
    router.decide()
    assert Router.resume(from_json(to_json(router.snapshot()))).pending == {"small": 1, "middle": 0, "große": 0}


def test_a_changed_character_is_refused_wherever_it_is() -> None:
    whole = text()
    assert from_json(whole)
    for place, was in enumerate(whole):
        for other in {chr(ord(was) ^ 1), was.swapcase(), " "} - {was}:
            with pytest.raises(StateError):
                from_json(whole[:place] + other + whole[place + 1 :])


def test_a_text_that_was_cut_off_is_refused_wherever_that_was() -> None:
    whole = text()
    for length in range(len(whole)):
        with pytest.raises(StateError, match="no router state, or it was cut off"):
            from_json(whole[:length])


@pytest.mark.parametrize(
    "change", [lambda t: t + "\n", lambda t: t.replace(",", ", ", 1), lambda t: t[:-1] + ',"a":1}']
)
def test_a_text_with_something_more_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(StateError, match="changed or damaged"):
        from_json(change(text()))


def test_another_policy_is_refused() -> None:
    with pytest.raises(StateError, match=r"the state of EpsilonGreedy\(epsilon=0.25\), not of UCB1"):
        from_json(text(), policy=UCB1())


def test_other_params_are_refused() -> None:
    with pytest.raises(StateError, match=r"not of EpsilonGreedy\(epsilon=0.3\)"):
        from_json(text(), policy=EpsilonGreedy(0.3))


def test_another_feature_width_is_refused() -> None:
    kept = to_json(Router(LinUCB(3), ARMS, 0).snapshot())
    with pytest.raises(StateError, match=r"n_features=3.*not of.*n_features=4"):
        from_json(kept, policy=LinUCB(4))


def test_other_arms_are_refused() -> None:
    with pytest.raises(StateError, match="over small, middle, große, not over middle, small, große"):
        from_json(text(), arms=("middle", "small", "große"))


def signed(change: Callable[[dict[str, Any]], Any]) -> str:
    """A text with the right digest, of someone who knows how."""
    content = json.loads(text())
    change(content)
    del content["sha256"]
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(plain.encode()).hexdigest()
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


FORGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another version": (lambda c: c.update(version=2), "has version 2, this krins reads version 1"),
    "another kind": (lambda c: c.update(kind="krins run"), "no router state"),
    "unknown policy": (lambda c: c["policy"].update(name="os.system"), "unknown policy 'os.system'"),
    "unknown param": (lambda c: c["policy"]["params"].update(delta=1), "unexpected keyword argument 'delta'"),
    "param out of range": (lambda c: c["policy"]["params"].update(epsilon=2.0), r"lies in \[0, 1\], got 2.0"),
    "missing part": (lambda c: c.pop("generator"), "makes no sense: 'generator'"),
    "missing array": (lambda c: c["state"].pop("sums"), "Tally has counts, sums, got counts"),
    "another shape": (lambda c: c["state"]["sums"].update(shape=[3, 1]), r"of shape \(1, 3\), got"),
    "another dtype": (lambda c: c["state"]["sums"].update(dtype="<i8"), "needs an array of float64"),
    "objects": (lambda c: c["state"]["sums"].update(dtype="|O"), "one of the dtypes"),
    "no base64": (lambda c: c["state"]["sums"].update(data="%%%%"), "makes no sense"),
    "unknown generator": (lambda c: c["generator"].update(bit_generator="eval"), "makes no sense: 'eval'"),
    "fewer pending": (lambda c: c.update(pending=[0, 0]), "3 arms need as many pending counts"),
    "negative pending": (lambda c: c.update(pending=[0, 0, -1]), "pending counts from 0 on"),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_makes_no_sense_is_refused_even_with_the_right_digest(case: str) -> None:
    change, message = FORGED[case]
    with pytest.raises(StateError, match=message):
        from_json(signed(change))


@pytest.mark.parametrize("wrong", ["", "null", "[1]", '"text"', "{}", "[" * 100_000])
def test_what_is_no_state_at_all_is_refused(wrong: str) -> None:
    with pytest.raises(StateError, match="no router state"):
        from_json(wrong)


class Unknown(EpsilonGreedy):
    """A policy that nobody registered."""


def test_a_policy_that_could_not_be_loaded_is_not_kept() -> None:
    with pytest.raises(StateError, match="Unknown cannot be kept"):
        to_json(Router(Unknown(), ARMS, 0).snapshot())


def test_a_param_that_is_no_plain_value_is_not_kept() -> None:
    with pytest.raises(StateError, match="hyper-parameter of type ndarray"):
        to_json(Router(ThompsonBeta(np.array([1.0, 1.0])), ARMS, 0).snapshot())  # type: ignore[arg-type]
