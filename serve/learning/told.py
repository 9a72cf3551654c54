"""What replicas told of answers: each word once, and what each decision cost until its feedback comes.

Invariants: bounded; a word that comes again, for a replica did not know what became of a call, counts once; of several
answers to one decision all are paid. Left out: the journal, which need not have a word yet for feedback to know it.
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import NamedTuple

from serve.learning.ids import DecisionIds
from serve.learning.records import Answered, Decided
from serve.web import Refusal

_MAX_COSTS = 100_000
_MAX_HEARD = 20_000


class Spent(NamedTuple):
    """What the service itself saw of a decision."""

    cost_usd: Decimal | None
    latency_seconds: float


class Told:
    def __init__(self, ids: DecisionIds) -> None:
        self._ids = ids
        self._heard: OrderedDict[int, None] = OrderedDict()
        self.spent: OrderedDict[int, Spent] = OrderedDict()
        """By a decision's key."""

    def hear(self, note: Decided | Answered) -> bool:
        """Whether this is said for the first time."""
        name = hash((note.kind, note.at_seconds, note.decision_id, note.arm, note.key_id))
        if name in self._heard:
            return False
        self._heard[name] = None
        if len(self._heard) > _MAX_HEARD:
            self._heard.popitem(last=False)
        if isinstance(note, Answered) and note.decision_id:
            self._remember(note)
        return True

    def _remember(self, answered: Answered) -> None:
        try:
            key = self._ids.read(answered.decision_id).key
        except Refusal:
            return
        before, cost = self.spent.get(key), answered.cost_usd
        if before is not None and before.cost_usd is not None:
            cost = before.cost_usd + (cost or Decimal(0))
        self.spent[key] = Spent(cost, answered.latency_seconds + (before.latency_seconds if before else 0.0))
        if len(self.spent) > _MAX_COSTS:
            self.spent.popitem(last=False)
