"""The decider: a replica's own copy of the router, which decides without asking anybody.

Invariants: its policy state is the learner's, to the last bit, as of `version`; pending counts are of this replica's
decisions alone; a decision without feedback is waited for so long and no longer; a router with an arm that this replica
cannot ask is not gone over to, and `fault` says so. One event loop uses a decider.
Left out: how events come here (`client`), and what conversations are weighed by (`sticky`).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from krins.domain import Task
from krins.errors import KrinsError
from krins.interfaces import Clock, FloatArray
from krins.models.spec import ModelSpec
from krins.routing.router import Decision, Router
from serve.interfaces import Decided, Turn
from serve.learning.chances import Chances, positive
from serve.learning.events import Event, Pin, Pinned, Settled, Standing
from serve.learning.ids import DecisionIds, Ticket
from serve.learning.sticky import OutputTokens, Pins, Weighed, stayed, switched, weigh
from serve.web import Refusal

_MAX_OPEN = 100_000
"""Decisions whose feedback is waited for; beyond them the oldest is given up before its time."""


class _Open(NamedTuple):
    """A decision whose outcome may come."""

    arm: str
    at_seconds: float
    """Monotonic."""


class _Choice(NamedTuple):
    arm: str
    probability: float | None
    reason: str


def _admit_all(arms: Sequence[str]) -> None:
    """Of a decider whose arms nobody asks."""


class Decider:
    """Implements `serve.interfaces.Deciding`.

    Args:
        specs: arms that have a price, by name; looked up at each use, so it may be filled later.
        patience_seconds: after which a decision without feedback is given up.
        replica: names this one among all; drawn where it is left out.
        admit: sees to it that these arms can be asked; raises KrinsError where they cannot.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        clock: Clock,
        patience_seconds: float = 600.0,
        replica: int | None = None,
        admit: Callable[[Sequence[str]], None] = _admit_all,
    ) -> None:
        self._specs, self._clock, self._patience_seconds, self._admit = specs, clock, patience_seconds, admit
        self.replica = secrets.randbits(64) if replica is None else replica
        self._number = 0
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._pins = Pins()
        self._outputs = OutputTokens()
        self._router: Router | None = None
        self._standing: Standing | None = None
        self._ids: DecisionIds | None = None
        self._chances = Chances()
        self.version = 0
        self.fault = ""
        """Why the learner's router was not gone over to; decisions are the former one's, if there is one."""

    @property
    def is_ready(self) -> bool:
        return self._router is not None

    @property
    def router(self) -> Router:
        """
        Raises:
            Refusal: 503 until the learner was heard of.
        """
        if self._router is None:
            raise Refusal(
                503, "not_ready", "the router is still being loaded", "try again shortly", retry_after_seconds=1.0
            )
        return self._router

    @property
    def standing(self) -> Standing:
        assert self.router is not None and self._standing is not None
        return self._standing

    @property
    def ids(self) -> DecisionIds:
        assert self.router is not None and self._ids is not None
        return self._ids

    def decide(self, task: Task, turn: Turn | None = None, *, tells: bool = False) -> Decided:
        """Choose an arm; `tells`: with its probability, even where that takes a quadrature.

        A turn without a conversation that is known here is the router's to decide. Another one stays where its
        conversation is, unless some arm is cheaper for this turn without a prompt cache than staying is with it, and
        the router then chooses one of those. The probability of staying is that of all else, 1 - sum of p(b) over the
        cheaper arms b, where the policy tells its propensities with a choice, or `tells`.
        """
        router = self.router
        self._give_up_late()
        mapping = self.standing.features
        features = None if mapping is None else mapping.transform([task])[0]
        pin = None if turn is None or turn.is_first else self._pins.get(turn.conversation)
        if turn is None or pin is None or pin.arm not in router.arms:
            choice = _Choice(*self._draw(router, features, tells), "router")
        else:
            choice = self._next_turn(router, pin, turn, features, tells)
        return self._issue(choice, turn, features)

    def pinned(self, arm: str) -> Decided:
        return Decided("", arm, None, "pinned", self.standing.epoch, self.version, self.standing.router)

    def redirect(self, decided: Decided, arm: str, reason: str, turn: Turn | None = None) -> Decided:
        """The decision is given up, and another one begins, which nothing is known of the probability of."""
        router = self.router
        if not decided.decision_id:
            return replace(decided, arm=arm, reason=reason)
        read = self.ids.read(decided.decision_id)
        self._give_up(read.key)
        if arm in router.arms:
            router.expect(arm)
        return self._issue(_Choice(arm, None, reason), turn, read.ticket.features)

    def answered(self, arm: str, output_tokens: int) -> None:
        """An arm's answer had so many tokens."""
        self._outputs.saw(arm, output_tokens)

    def load(self, standing: Standing) -> None:
        """Go on from where the learner stands. Random numbers go on where they are, unless nobody drew any yet."""
        try:
            self._admit(standing.snapshot.arms)
        except KrinsError as failure:
            self.fault = f"{standing.router} cannot be served here: {failure}"
            return
        self.fault = ""
        rng = self._rng(standing)
        cold = standing.snapshot._replace(rng=rng, pending=(0,) * len(standing.snapshot.arms))
        router = Router.resume(cold, arrays=True)
        for decision in self._open.values():
            if decision.arm in router.arms:
                router.expect(decision.arm)
        self._router, self._standing = router, standing
        self._ids, self.version = DecisionIds(standing.key), standing.version
        self._outputs = OutputTokens(standing.output_tokens)
        for conversation, pin in standing.pins:
            self._pins.put(conversation, pin)

    def apply(self, events: Iterable[Event]) -> None:
        """Learn what the learner has learnt since, in its order."""
        for event in events:
            if isinstance(event, Pinned):
                self._pins.put(event.conversation, event.pin)
            elif not self.fault:
                self._settle(event)

    def _draw(self, router: Router, features: FloatArray | None, tells: bool) -> Decision:
        return self._chances.draw(router, features, self._at) if tells else router.decide(features)

    @property
    def _at(self) -> tuple[int, int]:
        return self.standing.epoch, self.version

    def _next_turn(self, router: Router, pin: Pin, turn: Turn, features: FloatArray | None, tells: bool) -> _Choice:
        weighed = weigh(pin, turn, self._specs, router.arms, self._outputs, self._clock.now_seconds())
        if not weighed.saving_usd:
            router.expect(pin.arm)
            return _Choice(pin.arm, 1.0, stayed(weighed))
        drawn = self._draw(router, features, tells)
        if drawn.arm in weighed.saving_usd:
            return _Choice(drawn.arm, drawn.probability, switched(weighed, drawn.arm))
        router.abandon(drawn.arm)
        probability = None if drawn.probability is None else self._stays(router, weighed, features)
        router.expect(pin.arm)
        return _Choice(pin.arm, probability, stayed(weighed))

    def _stays(self, router: Router, weighed: Weighed, features: FloatArray | None) -> float:
        chances = self._chances.of(router, features, self._at)
        return positive(1.0 - sum(chances[arm] for arm in weighed.saving_usd))

    def _issue(self, choice: _Choice, turn: Turn | None, features: FloatArray | None) -> Decided:
        """`choice` is pending with the router already."""
        standing, now = self.standing, self._clock.now_seconds()
        self._number = (self._number + 1) % 2**32
        conversation = None if turn is None else turn.conversation
        decision_id, key = self.ids.make(
            Ticket(
                arm=choice.arm,
                probability=choice.probability,
                epoch=standing.epoch,
                version=self.version,
                replica=self.replica,
                number=self._number,
                at_seconds=now,
                conversation=conversation,
                router=standing.router,
                features=features,
            )
        )
        self._open[key] = _Open(choice.arm, self._clock.monotonic_seconds())
        if turn is not None:
            self._pins.put(turn.conversation, Pin(choice.arm, now, turn.prompt_tokens))
        arm, probability, reason = choice
        return Decided(decision_id, arm, probability, reason, standing.epoch, self.version, standing.router)

    def _settle(self, event: Settled) -> None:
        router = self.router
        is_own = event.replica == self.replica and self._open.pop(event.key, None) is not None
        self.version = event.version
        if event.reward is not None:
            router.learn(
                event.arm,
                event.reward,
                probability=event.probability,
                features=event.features,
                quality=event.quality,
                cost_usd=event.cost_usd,
                settles=is_own,
            )
        elif is_own and event.arm in router.arms:
            router.abandon(event.arm)

    def _give_up_late(self) -> None:
        patience_ends = self._clock.monotonic_seconds() - self._patience_seconds
        while self._open:
            key, decision = next(iter(self._open.items()))
            if decision.at_seconds > patience_ends and len(self._open) <= _MAX_OPEN:
                return
            self._give_up(key)

    def _give_up(self, key: int) -> None:
        decision = self._open.pop(key, None)
        if decision is not None and decision.arm in self.router.arms:
            self.router.abandon(decision.arm)

    def _rng(self, standing: Standing) -> np.random.Generator:
        if self._router is not None:
            return self._router.snapshot().rng
        return standing.snapshot.rng if standing.is_first else np.random.default_rng()
