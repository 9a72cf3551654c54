"""The service's own decisions, as a log that off-policy estimators read.

Invariants: of a decision that has an outcome, the probability is the one that stands in its id; where the policy left
it to a quadrature (Thompson sampling), it is that of the router's state at the decision's version, which is brought
back by applying the journal again. Decisions of which nobody knows a probability (redirected, or by what was pending)
are left out and counted, as are turns that stayed with certainty, for they tell of no other model; those of former
routers are left out. Left out: estimating (`analysis`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from krins.errors import UserError
from krins.interfaces import Context, FloatArray, IntArray
from serve.learning.chances import looks_at_its_state_alone
from serve.learning.events import Settled
from serve.learning.ids import DecisionIds, Ticket
from serve.learning.learnt import Learnt
from serve.learning.records import Answered, Decided, Outcome, Record
from serve.learning.segments import Journal

MAX_DECISIONS = 5000
"""The latest that are looked at: a quadrature takes a millisecond."""


@dataclass
class ServedLog:
    """Arrays of shape (n,), in the order in which outcomes came."""

    arms: tuple[str, ...]
    chosen: IntArray
    propensities: FloatArray
    quality: FloatArray
    cost_usd: FloatArray
    """NaN where it is unknown."""
    rewards: FloatArray
    features: FloatArray | None
    """Shape (n, n_features)."""
    conversations: IntArray
    """Codes: turns of one conversation are no independent decisions."""
    left_out: int
    learnt: Learnt


_At = tuple[int, int]
"""Epoch and version of a router: its state."""


@dataclass
class _Row:
    ticket: Ticket
    quality: float
    cost_usd: float
    reward: float
    probability: float | None


@dataclass
class _Reading:
    """What is found on the way through the journal."""

    learnt: Learnt
    reasons: dict[str, str] = field(default_factory=dict)
    states: dict[_At, FloatArray] = field(default_factory=dict)
    """Propensities of states of the router, for decisions that wait for theirs."""
    rows: list[_Row] = field(default_factory=list)

    def take(self, record: Record, wanted: frozenset[_At]) -> None:
        if isinstance(record, Decided | Answered):
            self.learnt.told.hear(record)
        if isinstance(record, Decided):
            self.reasons[record.decision_id] = record.reason
        self._keep_state(wanted)
        for event in self.learnt.apply(record):
            if isinstance(record, Outcome) and isinstance(event, Settled):
                self._outcome(record, event)

    def _keep_state(self, wanted: frozenset[_At]) -> None:
        learnt = self.learnt
        at = learnt.epoch, learnt.version
        if learnt.current is None or at not in wanted or at in self.states:
            return
        router = learnt.current.router
        if looks_at_its_state_alone(router.policy):
            self.states[at] = router.propensities()

    def _outcome(self, record: Outcome, event: Settled) -> None:
        learnt, ticket = self.learnt, self.learnt.ids.read(record.decision_id).ticket
        if event.reward is None or learnt.current is None or ticket.epoch != learnt.epoch:
            return
        probability, reason = ticket.probability, self.reasons.get(record.decision_id, "")
        state = self.states.get((ticket.epoch, ticket.version))
        if probability is None and state is not None and reason == "router":
            probability = float(state[learnt.current.router.arms.index(ticket.arm)])
        elif probability == 1.0 and reason.startswith("sticky"):
            probability = None
        cost = np.nan if record.cost_usd is None else float(record.cost_usd)
        self.rows.append(_Row(ticket, record.quality, cost, event.reward, probability))


def read_log(folder: Path, key: bytes) -> ServedLog:
    """The latest decisions of the present router that have outcomes.

    Raises:
        UserError: there is none whose probability is known.
    """
    ids = DecisionIds(key)
    last: list[_At] = []
    learnt = Learnt(ids)
    for record in Journal(folder):
        learnt.apply(record)
        if isinstance(record, Outcome):
            ticket = ids.read(record.decision_id).ticket
            if ticket.epoch == learnt.epoch and ticket.probability is None:
                last.append((ticket.epoch, ticket.version))
    reading = _Reading(Learnt(ids))
    wanted = frozenset(last[-MAX_DECISIONS:])
    for record in Journal(folder):
        reading.take(record, wanted)
    return _log(reading.learnt, [row for row in reading.rows if row.ticket.epoch == reading.learnt.epoch])


def _log(learnt: Learnt, rows: list[_Row]) -> ServedLog:
    known = [row for row in rows if row.probability is not None][-MAX_DECISIONS:]
    if not known or learnt.current is None:
        raise UserError(
            f"of {len(rows)} decisions with an outcome none has a probability that anybody knows",
            "give feedback on decisions that the router made, and wait for more of them",
        )
    arms = learnt.current.router.arms
    features = [row.ticket.features for row in known if row.ticket.features is not None]
    names = [row.ticket.conversation or f"alone {number}" for number, row in enumerate(known)]
    return ServedLog(
        arms=arms,
        chosen=np.array([arms.index(row.ticket.arm) for row in known]),
        propensities=_column(row.probability or np.nan for row in known),
        quality=_column(row.quality for row in known),
        cost_usd=_column(row.cost_usd for row in known),
        rewards=_column(row.reward for row in known),
        features=np.array(features) if len(features) == len(known) else None,
        conversations=np.unique(names, return_inverse=True)[1],
        left_out=len(rows) - len(known),
        learnt=learnt,
    )


def _column(values: Iterable[float]) -> FloatArray:
    return np.fromiter(values, np.float64)


def context_of(log: ServedLog, row: int) -> Context:
    """What a policy may look at at a decision, but for what was pending, which no log knows."""
    features = None if log.features is None else log.features[row][None]
    return Context(np.zeros((1, len(log.arms)), np.int64), features)
