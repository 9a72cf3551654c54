"""All that the service has learnt: a state that records are applied to, one after the other.

Invariants: the state is a function of the records and the key alone, live or replayed, so both are the same to the last
bit; whether an outcome is learnt is decided here, when its turn comes. The router never decides, so its generator
stands where its epoch began. Left out: durability (`learner`), and the clock: times come with records.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from krins.routing.budgeted import Budgeted
from krins.routing.quality_floor import QualityFloor
from krins.routing.reward import reward_of
from krins.routing.router import Router
from krins.routing.state_file import from_json, to_json
from serve.learning.events import Event, Pin, Pinned, Settled
from serve.learning.ids import DecisionIds, Ticket
from serve.learning.records import Answered, Began, Control, Decided, Opened, Outcome, Record
from serve.learning.seen import First, Seen
from serve.learning.sticky import Pins
from serve.learning.tallies import Tally
from serve.web import Refusal

_MAX_COSTS = 100_000
"""Decisions whose cost is remembered until their feedback comes."""
_MAX_HEARD = 20_000
"""Notes of replicas that are known when they come again."""
_MAX_SHOWN = 1000
_MAX_FORMER = 4
"""Epochs that can be gone back to."""


class Spent(NamedTuple):
    """What the service itself saw of a decision."""

    cost_usd: Decimal | None
    latency_seconds: float


class Epoch(NamedTuple):
    """A router at work."""

    began: Began
    router: Router
    needs_cost: bool
    """Whether it cannot learn without."""

    @property
    def name(self) -> str:
        return self.began.loaded.identity

    @classmethod
    def of(cls, began: Began, router_text: str | None = None) -> Epoch:
        loaded = began.loaded
        snapshot = loaded.snapshot(began.exploration_floor) if router_text is None else from_json(router_text)
        router = Router.resume(snapshot, arrays=True)
        return cls(began, router, bool(loaded.reward.per_usd) or _is_charged(router.policy))


class Learnt:
    """The state. `epoch` is 0 before the first router."""

    def __init__(self, ids: DecisionIds) -> None:
        self.ids = ids
        self.epoch = self.version = 0
        self.frozen = False
        self.current: Epoch | None = None
        self.former: list[Epoch] = []
        self.ignored: str | None = None
        """The registered version that was rolled back from: it is not taken over again."""
        self.last_token = ""
        self.seen = Seen()
        self.spent: OrderedDict[int, Spent] = OrderedDict()
        self._heard: OrderedDict[int, None] = OrderedDict()
        self.pins = Pins()
        self.arms: dict[str, Tally] = {}
        self.decisions: deque[Decided] = deque(maxlen=_MAX_SHOWN)
        self.outcomes: deque[Mapping[str, Any]] = deque(maxlen=_MAX_SHOWN)

    def apply(self, record: Record) -> list[Event]:
        """Change the state, and say what replicas should know."""
        match record:
            case Outcome():
                return [self._settle(record)]
            case Decided():
                return self._decided(record)
            case Answered():
                return self._answered(record)
            case Began():
                self._begin(record)
            case Opened():
                self.seen.seal(record.segment)
            case Control():
                self._control(record)
        return []

    def hear(self, note: Decided | Answered) -> bool:
        """Whether a replica says this for the first time; one that does not know what became of a call says it again.

        What an answer cost is remembered now, for feedback that does not say so; of several answers to one decision all
        are paid. Not a part of `apply`, for feedback must not wait for the journal to know it.
        """
        name = hash((note.kind, note.at_seconds, note.decision_id, note.arm, note.key_id))
        if name in self._heard:
            return False
        self._heard[name] = None
        if len(self._heard) > _MAX_HEARD:
            self._heard.popitem(last=False)
        if isinstance(note, Answered) and note.decision_id:
            self._remember_spent(note)
        return True

    def _remember_spent(self, answered: Answered) -> None:
        try:
            key = self.ids.read(answered.decision_id).key
        except Refusal:
            return
        before, cost = self.spent.get(key), answered.cost_usd
        if before is not None and before.cost_usd is not None:
            cost = before.cost_usd + (cost or Decimal(0))
        self.spent[key] = Spent(cost, answered.latency_seconds + (before.latency_seconds if before else 0.0))
        if len(self.spent) > _MAX_COSTS:
            self.spent.popitem(last=False)

    def _settle(self, outcome: Outcome) -> Settled:
        ticket, key = self.ids.read(outcome.decision_id)
        reward = self._learn(outcome, ticket)
        self.seen.add(key, ticket.at_seconds, First(outcome.quality, reward, self.version))
        tally = self._tally(ticket.arm)
        tally.outcomes += 1
        tally.quality += outcome.quality
        if reward is not None:
            tally.learnt += 1
            tally.reward += reward
            tally.reward_squares += reward * reward
        shown = outcome.model_dump(exclude={"kind"}, mode="json")
        self.outcomes.append({**shown, "arm": ticket.arm, "epoch": ticket.epoch, "reward": reward})
        cost = None if outcome.cost_usd is None else float(outcome.cost_usd)
        return Settled(
            key=key,
            replica=ticket.replica,
            epoch=self.epoch,
            version=self.version,
            arm=ticket.arm,
            reward=reward,
            probability=ticket.probability,
            features=ticket.features,
            quality=outcome.quality,
            cost_usd=cost,
        )

    def _learn(self, outcome: Outcome, ticket: Ticket) -> float | None:
        """The reward, if it was learnt."""
        current = self.current
        if current is None or self.frozen or ticket.at_seconds <= self.seen.horizon_seconds:
            return None
        router = current.router
        is_strange = ticket.epoch != self.epoch and not (ticket.features is None and router.n_features is None)
        if is_strange or ticket.arm not in router.arms:
            return None
        cost = None if outcome.cost_usd is None else float(outcome.cost_usd)
        try:
            reward = reward_of(current.began.loaded.reward, outcome.quality, cost, outcome.latency_seconds)
            router.learn(
                ticket.arm,
                reward,
                probability=ticket.probability,
                features=ticket.features,
                quality=outcome.quality,
                cost_usd=cost,
                settles=False,
            )
        except ValueError:
            return None  # this router cannot learn from it, such as Thompson's Beta from a quality of 0.5
        self.version += 1
        return reward

    def _decided(self, decided: Decided) -> list[Event]:
        self._tally(decided.arm).decisions += 1
        self.decisions.append(decided)
        if decided.conversation is None or not decided.decision_id:
            return []
        return [self._pin(decided.conversation, Pin(decided.arm, decided.at_seconds, 0))]

    def _answered(self, answered: Answered) -> list[Event]:
        tally = self._tally(answered.arm)
        tally.answers += 1
        tally.failures += answered.error is not None
        if answered.cost_usd is not None:
            tally.priced += 1
            tally.cost_usd += float(answered.cost_usd)
        if answered.output_tokens is not None and answered.error is None:
            tally.counted += 1
            tally.output_tokens += answered.output_tokens
        if answered.error is not None or not answered.input_tokens or not answered.decision_id:
            return []
        try:
            conversation = self.ids.read(answered.decision_id).ticket.conversation
        except Refusal:
            return []
        if conversation is None:
            return []
        return [self._pin(conversation, Pin(answered.arm, answered.at_seconds, answered.input_tokens))]

    def _pin(self, conversation: str, pin: Pin) -> Pinned:
        self.pins.put(conversation, pin)
        return Pinned(conversation, pin)

    def _begin(self, began: Began) -> None:
        if self.current is not None:
            self.former = [*self.former, self.current][-_MAX_FORMER:]
        self.current, self.epoch, self.ignored = Epoch.of(began), began.epoch, None

    def _control(self, control: Control) -> None:
        self.last_token = control.token
        if control.what == "rollback":
            if self.current is not None and self.former:
                self.ignored = self.current.name
                self.current = self.former.pop()
                self.epoch += 1
        else:
            self.frozen = control.what == "freeze"

    def _tally(self, arm: str) -> Tally:
        return self.arms.setdefault(arm, Tally())

    @property
    def output_tokens(self) -> dict[str, float]:
        return {arm: tally.output_tokens / tally.counted for arm, tally in self.arms.items() if tally.counted}

    def to_json(self) -> dict[str, Any]:
        """All but the parts of `seen`, which have files of their own."""
        return {
            "horizon_seconds": self.seen.horizon_seconds,
            "epoch": self.epoch,
            "version": self.version,
            "frozen": self.frozen,
            "ignored": self.ignored,
            "last_token": self.last_token,
            "current": None if self.current is None else _epoch_to_json(self.current),
            "former": [_epoch_to_json(epoch) for epoch in self.former],
            "spent": [[key, None if s.cost_usd is None else str(s.cost_usd), s[1]] for key, s in self.spent.items()],
            "pins": [[conversation, *pin] for conversation, pin in self.pins],
            "arms": {arm: tally.model_dump() for arm, tally in self.arms.items()},
            "decisions": [decided.model_dump(mode="json") for decided in self.decisions],
            "outcomes": list(self.outcomes),
        }

    @classmethod
    def from_json(cls, ids: DecisionIds, found: Mapping[str, Any], seen: Seen) -> Learnt:
        learnt = cls(ids)
        learnt.seen = seen
        learnt.epoch, learnt.version, learnt.frozen = found["epoch"], found["version"], found["frozen"]
        learnt.ignored, learnt.last_token = found["ignored"], found["last_token"]
        learnt.current = None if found["current"] is None else _epoch_from_json(found["current"])
        learnt.former = [_epoch_from_json(epoch) for epoch in found["former"]]
        for key, cost, latency in found["spent"]:
            learnt.spent[key] = Spent(None if cost is None else Decimal(cost), latency)
        for conversation, *pin in found["pins"]:
            learnt.pins.put(conversation, Pin(*pin))
        learnt.arms = {arm: Tally.model_validate(tally) for arm, tally in found["arms"].items()}
        learnt.decisions.extend(Decided.model_validate(decided) for decided in found["decisions"])
        learnt.outcomes.extend(found["outcomes"])
        return learnt


def router_text(learnt: Learnt) -> str:
    """The router's state: what is compared, bit for bit."""
    return "" if learnt.current is None else to_json(learnt.current.router.snapshot())


def replayed(learnt: Learnt, records: Iterable[Record]) -> Learnt:
    for record in records:
        if isinstance(record, Decided | Answered):
            learnt.hear(record)
        learnt.apply(record)
    return learnt


def _epoch_to_json(epoch: Epoch) -> dict[str, Any]:
    return {"began": epoch.began.model_dump(mode="json"), "router": to_json(epoch.router.snapshot())}


def _epoch_from_json(found: Mapping[str, Any]) -> Epoch:
    return Epoch.of(Began.model_validate(found["began"]), found["router"])


def _is_charged(policy: Any) -> bool:
    """Whether the policy, or the one that it wraps, learns what answers cost."""
    if isinstance(policy, Budgeted | QualityFloor):
        return True
    inner = getattr(policy, "policy", None)
    return inner is not None and _is_charged(inner)
