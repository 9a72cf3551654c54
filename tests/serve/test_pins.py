"""Conversations stay where they are: at every replica, after restarts, and as long as caches are worth it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from krins.clock import FakeClock
from krins.domain import Task
from krins.routing.baselines import UniformRandom
from serve.interfaces import Answered, Decided, DecisionMade, Turn
from serve.learning.client import LearningClient
from serve.learning.decider import Decider
from serve.learning.events import Pin
from serve.learning.learner import Learner
from serve.learning.sticky import OutputTokens, Pins, cached_share, weigh
from tests.serve.learning_support import ARMS, connected, loaded_router, open_learner
from tests.serve.test_decider import SPECS

TASK = Task("t", prompt="Mend it")


def _talk(number: int) -> str:
    return f"{number:032x}"


def _begin(decider: Decider, client: LearningClient, clock: FakeClock, number: int, tokens: int = 12_000) -> Decided:
    """The first turn of a conversation, noted as the gateway does."""
    turn = Turn(_talk(number), True, tokens, None)
    decided = decider.decide(TASK, turn)
    now = clock.now_seconds()
    of_router = (decided.arm, decided.probability, decided.reason, decided.epoch, decided.version)
    client.note(DecisionMade(now, decided.decision_id, f"r{number}", "k", *of_router, turn.conversation, "chat"))
    client.note(Answered(now + 1, decided.decision_id, "k", decided.arm, Decimal("0.01"), tokens, 0, 100, 1.0, None))
    return decided


async def _noted(client: LearningClient, learner: Learner, n: int) -> None:
    """All that was noted is in the journal."""
    learner.note(client._taken())
    await learner._writer.do(lambda _: [])
    assert len(learner.learnt.pins) == n


def test_pins_are_the_same_at_every_replica_and_after_a_restart_of_the_learner(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(UniformRandom()), "suite", "test")
        (one, its_client), (two, other_client) = await connected(learner, clock, replicas=2)
        places = {_talk(number): _begin(one, its_client, clock, number).arm for number in range(12)}
        assert set(places.values()) == set(ARMS)
        clock.advance(2.0)
        await _noted(its_client, learner, 12)
        other_client._apply(await learner.changes(other_client._cursor, 0.0))
        await learner.close()
        successor = open_learner(tmp_path, clock)
        other_client._apply(await successor.changes(other_client._cursor, 0.0))
        [(three, _)] = await connected(successor, clock)
        assert {name: pin.arm for name, pin in successor.learnt.pins} == places
        for decider in (one, two, three):
            for conversation, arm in places.items():
                assert decider.decide(TASK, Turn(conversation, False, 12_500, None)).arm == arm
        await its_client.close()
        await successor.close()

    asyncio.run(main())


def test_a_take_over_makes_nobody_forget_what_he_had_not_heard_yet(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(UniformRandom()), "suite", "test")
        (one, its_client), (two, other_client) = await connected(learner, clock, replicas=2)
        places = {_talk(number): _begin(one, its_client, clock, number).arm for number in range(12)}
        await _noted(its_client, learner, 12)
        await learner.begin(loaded_router(UniformRandom(), version="2"), "suite", "test")
        other_client._apply(await learner.changes(other_client._cursor, 0.0))
        assert two.standing.epoch == 2
        assert {name: two.decide(TASK, Turn(name, False, 12_500, None)).arm for name in places} == places
        await its_client.close()
        await learner.close()

    asyncio.run(main())


def test_pins_outlive_a_checkpoint(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock, max_bytes=4_000)
        await learner.begin(loaded_router(UniformRandom()), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        for number in range(20):
            _begin(decider, client, clock, number)
            await _noted(client, learner, number + 1)
        assert list(tmp_path.glob("checkpoint-*"))
        pins = list(learner.learnt.pins)
        await client.close()
        await learner.close()
        successor = open_learner(tmp_path, clock)
        assert list(successor.learnt.pins) == pins
        await successor.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("pin", "told", "share"),
    [
        (Pin("middle", 0.0, 10_000), 9_984, 0.9984),  # OpenAI tells multiples of 128
        (Pin("middle", 0.0, 10_000), 0, 0.0),  # a caller that marks nothing for Anthropic's cache
        (Pin("middle", 0.0, 10_000), 12_000, 1.0),
        (Pin("middle", 0.0, 10_000), None, None),
        (Pin("middle", 0.0, 1_000), 0, None),  # too short to be cached by anybody
        (Pin("middle", 0.0, 0), 0, None),  # too long ago
        (Pin("small", 0.0, 10_000), 0, None),
        (None, 0, None),
    ],
)
def test_what_a_provider_says_it_had_cached(pin: Pin | None, told: int | None, share: float | None) -> None:
    assert cached_share(pin, "middle", told) == share


def test_a_cache_that_a_provider_did_not_have_holds_nobody() -> None:
    """Middle costs 12000 * 3 + 100 * 10 = $0.0370 without a cache, half of which is 6000 * 0.3 + 6000 * 3 + 1000 =
    $0.0208 if half of the prompt is there, and $0.0046 if all is; small 12000 * 0.5 + 100 * 1 = $0.0061."""
    turn = Turn(_talk(0), False, 12_000, None)
    outputs = OutputTokens(dict.fromkeys(ARMS, 100.0))
    for share, tokens, saving in ((None, 12_000, None), (0.5, 6_000, "0.0147"), (0.0, 0, "0.0309")):
        weighed = weigh(Pin("middle", 0.0, 12_000, share), turn, SPECS, ARMS, outputs, 10.0)
        assert weighed.cached_tokens == tokens
        expected = {} if saving is None else {"small": Decimal(saving)}
        assert dict(weighed.saving_usd) == expected


def test_what_was_told_is_kept_until_something_else_is() -> None:
    pins = Pins()
    pins.put("t", Pin("middle", 0.0, 5_000, 0.25))
    pins.put("t", Pin("middle", 200.0, 0))  # decided, and not yet answered
    assert pins.get("t") == Pin("middle", 200.0, 5_000, 0.25)
    pins.put("t", Pin("middle", 501.0, 0))
    assert pins.get("t") == Pin("middle", 501.0, 0, 0.25), "what was cached is gone after five minutes"
    pins.put("t", Pin("middle", 502.0, 6_000, 0.75))
    assert pins.get("t") == Pin("middle", 502.0, 6_000, 0.75)
    pins.put("t", Pin("small", 503.0, 0))
    assert pins.get("t") == Pin("small", 503.0, 0)
