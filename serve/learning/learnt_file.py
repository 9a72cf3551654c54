"""All that was learnt as JSON, for checkpoints, and back, to the last bit.

Left out: the parts of `seen`, which have files of their own (`segments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from krins.routing import state_file
from serve.learning.events import Pin
from serve.learning.ids import DecisionIds
from serve.learning.learnt import Epoch, Learnt
from serve.learning.records import Began, Decided
from serve.learning.seen import Seen
from serve.learning.tallies import Tally
from serve.learning.told import Spent


def to_json(learnt: Learnt) -> dict[str, Any]:
    spent = learnt.told.spent.items()
    return {
        "horizon_seconds": learnt.seen.horizon_seconds,
        "epoch": learnt.epoch,
        "version": learnt.version,
        "frozen": learnt.frozen,
        "ignored": learnt.ignored,
        "last_token": learnt.last_token,
        "current": None if learnt.current is None else _epoch_to_json(learnt.current),
        "former": [_epoch_to_json(epoch) for epoch in learnt.former],
        "spent": [[key, None if s.cost_usd is None else str(s.cost_usd), s.latency_seconds] for key, s in spent],
        "unlearnt": list(learnt.unlearnt.items()),
        "pins": [[conversation, *pin] for conversation, pin in learnt.pins],
        "arms": {arm: tally.model_dump() for arm, tally in learnt.arms.items()},
        "decisions": [decided.model_dump(mode="json") for decided in learnt.decisions],
        "outcomes": list(learnt.outcomes),
    }


def from_json(ids: DecisionIds, found: Mapping[str, Any], seen: Seen) -> Learnt:
    learnt = Learnt(ids)
    learnt.seen = seen
    learnt.epoch, learnt.version, learnt.frozen = found["epoch"], found["version"], found["frozen"]
    learnt.ignored, learnt.last_token = found["ignored"], found["last_token"]
    learnt.current = None if found["current"] is None else _epoch_from_json(found["current"])
    learnt.former = [_epoch_from_json(epoch) for epoch in found["former"]]
    for key, cost, latency in found["spent"]:
        learnt.told.spent[key] = Spent(None if cost is None else Decimal(cost), latency)
    learnt.unlearnt.update(found["unlearnt"])
    for conversation, *pin in found["pins"]:
        learnt.pins.put(conversation, Pin(*pin))
    learnt.arms = {arm: Tally.model_validate(tally) for arm, tally in found["arms"].items()}
    learnt.decisions.extend(Decided.model_validate(decided) for decided in found["decisions"])
    learnt.outcomes.extend(found["outcomes"])
    return learnt


def _epoch_to_json(epoch: Epoch) -> dict[str, Any]:
    return {"began": epoch.began.model_dump(mode="json"), "router": state_file.to_json(epoch.router.snapshot())}


def _epoch_from_json(found: Mapping[str, Any]) -> Epoch:
    return Epoch.of(Began.model_validate(found["began"]), found["router"])
