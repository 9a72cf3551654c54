"""Decision ids, and turns of a conversation: hand-computed prices and probabilities."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from krins.clock import FakeClock
from krins.domain import Task, Usage
from krins.errors import UserError
from krins.interfaces import Policy
from krins.models.spec import ModelSpec
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.quality_floor import QualityFloor
from krins.routing.router import Router
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.suite import LiveModel
from serve.interfaces import Turn
from serve.learning.decider import Decider
from serve.learning.events import Settled, Standing
from serve.learning.ids import DecisionIds, Ticket, key_at
from serve.learning.loading import Loaded
from serve.learning.sticky import Pins
from serve.web import Refusal
from tests.serve.learning_support import ARMS, KEY, loaded_router

TASK = Task("t", prompt="Mend it")
TALK = "ab" * 16
IDS = DecisionIds(KEY)


class _Price:
    """USD by million tokens of input, of cached input, and of output."""

    def __init__(self, plain: str, cached: str, output: str) -> None:
        self._plain, self._cached, self._output = Decimal(plain), Decimal(cached), Decimal(output)

    def cost_usd(self, usage: Usage, at_seconds: float) -> Decimal:
        new = usage.input_tokens - usage.cached_tokens
        total = new * self._plain + usage.cached_tokens * self._cached + usage.output_tokens * self._output
        return total / 1_000_000


def _spec(name: str, price: _Price | None) -> ModelSpec:
    return ModelSpec(LiveModel(name=name), "openai-chat", name, None, None, None, 1000, price)


SPECS = {
    "small": _spec("small", _Price("0.5", "0.5", "1")),
    "middle": _spec("middle", _Price("3", "0.3", "10")),
    "large": _spec("large", _Price("10", "1", "30")),
}


def _decider(policy: Policy[Any], clock: FakeClock, specs: Mapping[str, ModelSpec] = SPECS, seed: int = 0) -> Decider:
    decider = Decider(specs, clock, patience_seconds=60.0, replica=9)
    snapshot = Router(policy, ARMS, seed, arrays=True).snapshot()
    decider.load(Standing(1, 0, "tested/1", snapshot, True, None, KEY, (), dict.fromkeys(ARMS, 100.0)))
    return decider


def _turn(tokens: int, *, is_first: bool = False, limit: int | None = None) -> Turn:
    return Turn(TALK, is_first, tokens, limit)


tickets = st.builds(
    Ticket,
    arm=st.text(max_size=60),
    probability=st.none() | st.floats(0, 1),
    epoch=st.integers(0, 2**32 - 1),
    version=st.integers(0, 2**64 - 1),
    replica=st.integers(0, 2**64 - 1),
    number=st.integers(0, 2**32 - 1),
    at_seconds=st.floats(allow_nan=False),
    conversation=st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex),
    router=st.text(max_size=60),
    features=st.none() | arrays(np.float64, st.integers(0, 40), elements=st.floats(allow_nan=False)),
)


@settings(deadline=None)
@given(tickets)
def test_an_id_says_what_went_in(ticket: Ticket) -> None:
    decision_id, key = IDS.make(ticket)
    assert decision_id.isascii() and decision_id.replace("-", "").replace("_", "").isalnum()
    read = IDS.read(decision_id)
    assert read.key == key
    assert read.ticket._replace(features=None) == ticket._replace(features=None)
    if ticket.features is None:
        assert read.ticket.features is None
    else:
        assert read.ticket.features is not None
        assert read.ticket.features.tobytes() == ticket.features.tobytes()


@settings(deadline=None)
@given(tickets, st.data())
def test_any_other_text_is_refused(ticket: Ticket, data: st.DataObject) -> None:
    decision_id, _ = IDS.make(ticket)
    at = data.draw(st.integers(0, len(decision_id) - 1))
    letter = data.draw(st.characters())
    others = [decision_id[:at], decision_id + letter, decision_id[:at] + letter + decision_id[at + 1 :], letter]
    foreign, _ = DecisionIds(bytes(32)).make(ticket)
    for other in [*others, foreign, ""]:
        if other != decision_id:
            with pytest.raises(Refusal) as refused:
                IDS.read(other)
            assert (refused.value.status, refused.value.code) == (400, "unknown_decision")


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "serving" / "decision.key"
    key = key_at(path)
    assert len(key) == 32 and key_at(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["decision.key"]


def test_a_turn_stays_where_its_cache_is_worth_more() -> None:
    """Middle, 12,000 tokens of which 12,000 were sent before, 100 expected back: 12000 * 0.3 + 100 * 10 = $0.0046 with
    the cache, 12000 * 3 + 1000 = $0.0370 without, so the cache is worth $0.0324; small costs 6000 + 100 = $0.0061."""
    clock = FakeClock(1e9)
    decider = _decider(FixedArm(1), clock)
    assert decider.decide(TASK, _turn(12_000, is_first=True)).arm == "middle"
    clock.advance(10.0)
    decided = decider.decide(TASK, _turn(12_000))
    assert (decided.arm, decided.probability) == ("middle", 1.0)
    assert decided.reason == "sticky: the prompt cache of 12,000 tokens is worth $0.0324"
    assert decider.router.pending == {"small": 0, "middle": 2, "large": 0}


@pytest.mark.parametrize("seed", range(8))
def test_a_turn_leaves_for_a_model_that_is_cheaper_without_a_cache(seed: int) -> None:
    """Large costs 12000 * 1 + 3000 = $0.0150 with its cache; small 0.0061 without; middle 0.037: small alone is worth
    leaving for, by $0.0089. Of three arms at 1/3 the router picks it so often, and else the turn stays, at 2/3."""
    clock = FakeClock(1e9)
    decider = _decider(FixedArm(2), clock)
    decider.decide(TASK, _turn(12_000, is_first=True))
    decider.load(decider.standing._replace(snapshot=Router(UniformRandom(), ARMS, seed, arrays=True).snapshot()))
    drawn = Router.resume(decider.router.snapshot(), arrays=True).decide().arm
    decided = decider.decide(TASK, _turn(12_000))
    if drawn == "small":
        assert decided.arm == "small"
        assert decided.probability == pytest.approx(1 / 3, abs=1e-15)
        assert decided.reason == (
            "switched: saves $0.0089 on this turn, the lost prompt cache of 12,000 tokens included"
        )
        assert decider.router.pending == {"small": 1, "middle": 0, "large": 1}
    else:
        assert decided.arm == "large"
        assert decided.probability == pytest.approx(2 / 3, abs=1e-15)
        assert decided.reason == "sticky: the router chose none of the 1 models that are cheaper for this turn"
        assert decider.router.pending == {"small": 0, "middle": 0, "large": 2}


def test_the_probability_of_staying_is_unknown_where_it_takes_a_quadrature() -> None:
    clock = FakeClock(1e9)
    seen = set()
    for seed in range(12):
        decider = _decider(ThompsonBeta(), clock, seed=seed)
        first = decider.decide(TASK, _turn(100, is_first=True))
        decided = decider.decide(TASK, _turn(100))
        if first.arm == "large" and decided.arm == "large":
            seen.add(decided.probability)
    assert seen == {None}


def test_a_cache_is_gone_after_five_minutes() -> None:
    """Then middle costs $0.0370 for this turn, and small is cheaper."""
    clock = FakeClock(1e9)
    decider = _decider(FixedArm(1), clock)
    decider.decide(TASK, _turn(12_000, is_first=True))
    clock.advance(300.0)
    assert "is worth" in decider.decide(TASK, _turn(12_000)).reason
    clock.advance(300.1)
    assert "chose none" in decider.decide(TASK, _turn(12_000)).reason


def test_unknown_prices_keep_a_conversation_where_it_is() -> None:
    clock = FakeClock(1e9)
    decider = _decider(ExplorationFloor(FixedArm(1), 0.5), clock, {})
    first = decider.decide(TASK, _turn(12_000, is_first=True))
    for _ in range(10):
        decided = decider.decide(TASK, _turn(12_000))
        assert (decided.arm, decided.reason) == (first.arm, "sticky: the price of this model is unknown")


def test_a_failed_model_loses_the_conversation() -> None:
    clock = FakeClock(1e9)
    decider = _decider(FixedArm(1), clock)
    first = decider.decide(TASK, _turn(12_000, is_first=True))
    moved = decider.redirect(first, "large", "fallback: middle is overloaded", _turn(12_000, is_first=True))
    assert decider.router.pending == {"small": 0, "middle": 0, "large": 1}
    ticket = IDS.read(moved.decision_id).ticket
    assert (ticket.arm, ticket.probability, ticket.conversation) == ("large", None, TALK)
    pin = decider._pins.get(TALK)
    assert pin is not None and pin.arm == "large"


def test_decisions_without_feedback_are_given_up() -> None:
    clock = FakeClock(1e9)
    decider = _decider(FixedArm(0), clock)
    late = decider.decide(TASK)
    clock.advance(59.0)
    decider.decide(TASK)
    assert decider.router.pending["small"] == 2
    clock.advance(1.5)
    decider.decide(TASK)
    assert decider.router.pending["small"] == 2
    # Its outcome comes all the same, and takes nobody else's place.
    key = IDS.read(late.decision_id).key
    decider.apply([Settled(key, 9, 1, "small", 1.0, 1.0, None, 1.0, None)])
    assert (decider.router.pending["small"], decider.version) == (2, 1)


def test_nothing_is_decided_before_the_learner_was_heard_of() -> None:
    with pytest.raises(Refusal) as refused:
        Decider({}, FakeClock()).decide(TASK)
    assert (refused.value.status, refused.value.code) == (503, "not_ready")


def test_a_floor_goes_around_all_but_routers_that_state_one() -> None:
    plain = loaded_router().model_copy(update={"is_as_suite_says": False})
    assert loaded_router().snapshot(0.1).policy == plain.snapshot(0.0).policy
    assert plain.snapshot(0.1).policy == ExplorationFloor(plain.snapshot(0.0).policy, 0.1)
    own = plain.model_copy(update={"exploration_floor": 0.2})
    assert own.snapshot(0.1).policy == ExplorationFloor(plain.snapshot(0.0).policy, 0.2)
    stated = loaded_router(ExplorationFloor(FixedArm(0), 0.3)).model_copy(update={"is_as_suite_says": False})
    assert isinstance(stated, Loaded) and stated.snapshot(0.1).policy == ExplorationFloor(FixedArm(0), 0.3)


def test_the_conversation_that_was_quiet_longest_is_forgotten() -> None:
    from serve.learning.events import Pin

    pins = Pins(capacity=2)
    for moment, name in enumerate("aba"):
        pins.put(name, Pin("small", float(moment), 1))
    pins.put("c", Pin("small", 9.0, 1))
    assert [name for name, _ in pins] == ["a", "c"]
    pins.put("c", Pin("large", 8.0, 1))
    assert pins.get("c") == Pin("small", 9.0, 1)


@pytest.mark.parametrize(
    "policy",
    [
        ThompsonBeta(),
        ThompsonNormal(),
        QualityFloor(1, 0.1),
        ExplorationFloor(ThompsonBeta(), 0.1),
        Discounted(ThompsonBeta(), 0.9),
        SlidingWindow(ThompsonBeta(), 20),
    ],
)
def test_who_asks_for_a_probability_is_told_it(policy: Policy[Any]) -> None:
    """It is the policy's own, anew after each outcome; and the decision is the same as for who does not ask."""
    clock = FakeClock(1e9)
    decider, silent = _decider(policy, clock), _decider(policy, clock)
    for number in range(12):
        decider.decide(TASK), silent.decide(TASK)  # something is pending
        propensities = decider.router.propensities()
        told, quiet = decider.decide(TASK, tells=True), silent.decide(TASK)
        assert (told.arm, quiet.probability) == (quiet.arm, None)
        assert decider.router.pending == silent.router.pending
        assert propensities.sum() == pytest.approx(1.0, abs=1e-9)
        assert told.probability == pytest.approx(propensities[ARMS.index(told.arm)], abs=1e-12)
        assert IDS.read(told.decision_id).ticket.probability == told.probability
        for one, decided in ((decider, told), (silent, quiet)):
            key = IDS.read(decided.decision_id).key
            quality = float(number % 2)
            one.apply([Settled(key, 9, number + 1, decided.arm, quality, None, None, quality, 0.001)])


def test_a_quadrature_is_done_once_for_each_state(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    real = Router.propensities

    def counting(self: Router, features: Any = None) -> Any:
        counted.append(1)
        return real(self, features)

    monkeypatch.setattr(Router, "propensities", counting)
    clock = FakeClock(1e9)
    decider = _decider(ThompsonBeta(), clock)
    for version in range(1, 4):
        ids = [decider.decide(TASK, tells=True).decision_id for _ in range(5)]
        assert len(counted) == version
        decider.apply([Settled(IDS.read(ids[0]).key, 9, version, "small", 1.0, None, None, 1.0, None)])
    decider.load(decider.standing._replace(epoch=2))
    decider.decide(TASK, tells=True)
    assert len(counted) == 4
    decider.decide(TASK)
    decider.decide(TASK, _turn(100, is_first=True))
    assert len(counted) == 4


def test_the_probability_of_staying_is_told_too() -> None:
    """1 - p(small) - p(middle), the cheaper ones, of a conversation at large."""
    clock = FakeClock(1e9)
    for seed in range(30):
        decider = _decider(ThompsonBeta(), clock, seed=seed)
        if decider.decide(TASK, _turn(100, is_first=True)).arm == "large":
            decided = decider.decide(TASK, _turn(100), tells=True)
            p = decider.router.propensities()[ARMS.index(decided.arm)]
            assert decided.probability == pytest.approx(p, abs=1e-12)


def test_a_router_with_an_arm_that_cannot_be_asked_is_not_gone_over_to() -> None:
    clock = FakeClock(1e9)
    known = set(ARMS)

    def admit(arms: Sequence[str]) -> None:
        if not set(arms) <= known:
            raise UserError(f"nobody knows {set(arms) - known}", "say how")

    decider = Decider(SPECS, clock, replica=9, admit=admit)
    other = Standing(2, 0, "other/1", Router(FixedArm(0), ["new"], 0).snapshot(), True, None, KEY, (), {})
    decider.load(other)
    assert not decider.is_ready and "other/1 cannot be served here: nobody knows {'new'}" in decider.fault
    decider.load(other._replace(epoch=1, snapshot=Router(FixedArm(0), ARMS, 0).snapshot(), router="tested/1"))
    assert (decider.is_ready, decider.fault) == (True, "")
    decider.load(other)
    # What the others learn of that router is nothing to this one.
    decider.apply([Settled(1, 8, 7, "new", 1.0, 1.0, None, 1.0, None)])
    decided = decider.decide(TASK)
    assert (decided.arm, decided.epoch, decided.version) == ("small", 1, 0)
    known.add("new")
    decider.load(other)
    assert (decider.decide(TASK).arm, decider.fault) == ("new", "")
