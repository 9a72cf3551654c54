"""Feedback as it comes in: what is written down of it, and what its sender is told.

Invariants: pure but for reading what was learnt. Left out: that it counts once (`learner`), and learning (`learnt`).
"""

from __future__ import annotations

from serve.interfaces import Feedback, Receipt
from serve.learning.ids import Read
from serve.learning.learnt import Epoch, Learnt
from serve.learning.records import Outcome
from serve.web import Refusal


def outcome_of(learnt: Learnt, current: Epoch, item: Feedback, key: int, now_seconds: float) -> Outcome:
    """
    Args:
        key: of the decision.

    Raises:
        Refusal: 422, the reward charges for what nobody knows.
    """
    seen = learnt.told.spent.get(key)
    cost = item.cost_usd if item.cost_usd is not None or seen is None else seen.cost_usd
    latency = item.latency_seconds if item.latency_seconds is not None or seen is None else seen.latency_seconds
    if current.needs_cost and cost is None:
        raise _unknown("cost", "cost_usd")
    if current.began.loaded.reward.per_second and latency is None:
        raise _unknown("latency", "latency_seconds")
    return Outcome(
        at_seconds=now_seconds,
        decision_id=item.decision_id,
        key_id=item.key_id,
        quality=item.quality,
        cost_usd=cost,
        latency_seconds=latency,
    )


def receipt_of(learnt: Learnt, item: Feedback, read: Read, is_new: bool) -> Receipt:
    """For feedback that is applied, or came before."""
    first = learnt.seen.find(read.key)
    assert first is not None
    if is_new:
        status = "recorded" if first.reward is None else "applied"
    else:
        status = "duplicate" if first.quality == item.quality else "conflict"
    return Receipt(item.decision_id, status, first.reward, first.version, learnt.unlearnt.get(read.key))


def _unknown(what: str, field: str) -> Refusal:
    return Refusal(
        422,
        f"{what}_unknown",
        f"this router's reward charges for {what}, and what this decision had is not known here",
        f"send `{field}` with the feedback",
        param=field,
    )
