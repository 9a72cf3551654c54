"""All that the service has learnt: a state that records are applied to, one after the other.

Invariants: the state is a function of the records and the key alone, live or replayed, so both are the same to the last
bit; whether an outcome is learnt is decided here, when its turn comes. The router never decides, so its generator
stands where its epoch began. Left out: durability (`learner`, `learnt_file`), and the clock: times come with records.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
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
from serve.learning.sticky import Pins, cached_share
from serve.learning.tallies import Tally
from serve.learning.told import Told
from serve.web import Refusal

_MAX_SHOWN = 1000
_MAX_UNLEARNT = 10_000
_MAX_FORMER = 4
"""Epochs that can be gone back to."""


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
        text = began.state if router_text is None else router_text
        snapshot = loaded.snapshot(began.exploration_floor) if text is None else from_json(text)
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
        self.told = Told(ids)
        self.unlearnt: OrderedDict[int, str] = OrderedDict()
        """Why outcomes were not learnt, of the latest that were not."""
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

    def _settle(self, outcome: Outcome) -> Settled:
        ticket, key = self.ids.read(outcome.decision_id)
        reward, why_not = self._learn(outcome, ticket)
        if reward is None:
            self.unlearnt[key] = why_not
            if len(self.unlearnt) > _MAX_UNLEARNT:
                self.unlearnt.popitem(last=False)
        self.seen.add(key, ticket.at_seconds, First(outcome.quality, reward, self.version))
        tally = self._tally(ticket.arm)
        tally.outcomes += 1
        tally.quality += outcome.quality
        if reward is not None:
            tally.learnt += 1
            tally.reward += reward
            tally.reward_squares += reward * reward
        shown = outcome.model_dump(exclude={"kind"}, mode="json")
        self.outcomes.append({**shown, "arm": ticket.arm, "epoch": ticket.epoch, "reward": reward, "note": why_not})
        cost = None if outcome.cost_usd is None else float(outcome.cost_usd)
        return Settled(
            key=key,
            replica=ticket.replica,
            version=self.version,
            arm=ticket.arm,
            reward=reward,
            probability=ticket.probability,
            features=ticket.features,
            quality=outcome.quality,
            cost_usd=cost,
        )

    def _learn(self, outcome: Outcome, ticket: Ticket) -> tuple[float | None, str]:
        """The reward, if it was learnt, or why it was not."""
        current = self.current
        why_not = self._why_not(ticket)
        if current is None or why_not:
            return None, why_not
        router = current.router
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
        except ValueError as failure:  # such as Thompson's Beta, from a quality of 0.5
            return None, f"{current.name} cannot learn from it: {failure}"
        self.version += 1
        return reward, ""

    def _why_not(self, ticket: Ticket) -> str:
        """Empty: the outcome may be learnt."""
        router = None if self.current is None else self.current.router
        if router is None:
            return "no router serves"
        if self.frozen:
            return "learning is frozen"
        if ticket.at_seconds <= self.seen.horizon_seconds:
            return "the decision is so old that feedback on it could not be told from a repetition"
        if ticket.epoch != self.epoch and not (ticket.features is None and router.n_features is None):
            return "another router decided it, or this one as it was before, by features of the task"
        if ticket.arm not in router.arms:
            return f"{ticket.arm} is no arm of the router that serves now"
        return ""

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
        share = cached_share(self.pins.get(conversation), answered.arm, answered.cached_tokens)
        return [self._pin(conversation, Pin(answered.arm, answered.at_seconds, answered.input_tokens, share))]

    def _pin(self, conversation: str, pin: Pin) -> Pinned:
        self.pins.put(conversation, pin)
        return Pinned(conversation, pin)

    def _begin(self, began: Began) -> None:
        if began.state is None:
            self.former = [*self.former, *filter(None, [self.current])][-_MAX_FORMER:]
            self.ignored = None
        self.current, self.epoch = Epoch.of(began), began.epoch

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


def router_text(learnt: Learnt) -> str:
    """The router's state: what is compared, bit for bit."""
    return "" if learnt.current is None else to_json(learnt.current.router.snapshot())


def replayed(learnt: Learnt, records: Iterable[Record]) -> Learnt:
    for record in records:
        if isinstance(record, Decided | Answered):
            learnt.told.hear(record)
        learnt.apply(record)
    return learnt


def _is_charged(policy: Any) -> bool:
    """Whether the policy, or the one that it wraps, learns what answers cost."""
    if isinstance(policy, Budgeted | QualityFloor):
        return True
    inner = getattr(policy, "policy", None)
    return inner is not None and _is_charged(inner)
