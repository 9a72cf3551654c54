"""A checker in the shape of Jepsen's: by what clients saw, and what the journal holds, were the promises kept?

Clients log what they send and what came of it; the history is then held against the journal, whatever was killed
meanwhile (Kingsbury, Jepsen, on histories of invocations that end as `ok`, `fail` or, where nobody knows, `info`).
Promises: an outcome that was acknowledged is in the journal, once, with the quality that was acknowledged; what is in
the journal was sent by somebody; of one decision one outcome counts; each call ends once; and a learner's state is the
journal's, to the last bit. Left out: making the history (tests do), and decisions that nobody gave feedback on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from serve.learning.ids import DecisionIds
from serve.learning.learnt import router_text
from serve.learning.records import Outcome
from serve.learning.segments import Journal, restore


class Seen(NamedTuple):
    """One entry of a client's log."""

    client: str
    attempt: int
    decision_id: str
    event: Literal["invoke", "ok", "fail", "info"]
    """`fail`: refused, so nothing was done; `info`: nobody knows."""
    quality: float
    status: str = ""
    """Of the receipt."""


class Verdict(NamedTuple):
    acknowledged: int
    """Decisions of which somebody was told that the outcome is kept."""
    in_journal: int
    applied: int
    problems: list[str]


def check(history: Iterable[Seen], folder: Path, key: bytes, live_router: str | None) -> Verdict:
    """
    Args:
        folder: the learner's journal, which nobody writes to meanwhile.
        live_router: the text of the learner's router when it was last asked; None: it is not to be had.
    """
    history = list(history)
    counted = [record for record in Journal(folder) if isinstance(record, Outcome)]
    kept = {record.decision_id: record for record in counted}
    restored = restore(folder, DecisionIds(key)).learnt
    problems = [
        *_lost(history, kept),
        *_unsent(history, kept),
        *(f"{n} outcomes of {of} count" for of, n in Counter(each.decision_id for each in counted).items() if n > 1),
        *_conflicting(history),
        *_endless(history),
    ]
    if live_router is not None and live_router != router_text(restored):
        problems.append("the router that is replayed from the journal is not the live one")
    acknowledged = {seen.decision_id for seen in history if seen.event == "ok"}
    return Verdict(len(acknowledged), len(kept), restored.version, problems)


def _lost(history: list[Seen], kept: dict[str, Outcome]) -> list[str]:
    """Acknowledged, and not in the journal as it was acknowledged."""
    problems = []
    for seen in history:
        if seen.event != "ok":
            continue
        record = kept.get(seen.decision_id)
        if record is None:
            problems.append(f"{seen.client}: {seen.decision_id} was acknowledged as {seen.status}, and is not kept")
        elif seen.status != "conflict" and record.quality != seen.quality:
            problems.append(f"{seen.client}: {seen.decision_id} was kept as {record.quality}, not {seen.quality}")
        elif seen.status == "conflict" and record.quality == seen.quality:
            problems.append(f"{seen.client}: {seen.decision_id} is no conflict: {seen.quality} was kept")
    return problems


def _unsent(history: list[Seen], kept: dict[str, Outcome]) -> list[str]:
    sent = {(seen.decision_id, seen.quality) for seen in history if seen.event == "invoke"}
    return [
        f"{each.decision_id} is kept as {each.quality}, which nobody sent"
        for each in kept.values()
        if (each.decision_id, each.quality) not in sent
    ]


def _conflicting(history: list[Seen]) -> list[str]:
    """That an outcome is the first can be said to one attempt alone."""
    firsts = Counter(
        seen.decision_id for seen in history if seen.event == "ok" and seen.status in ("applied", "recorded")
    )
    return [f"{of} was acknowledged as the first {n} times" for of, n in firsts.items() if n > 1]


def _endless(history: list[Seen]) -> list[str]:
    """A call begins once and ends once."""
    begun = Counter((seen.client, seen.attempt, seen.decision_id) for seen in history if seen.event == "invoke")
    ended = Counter((seen.client, seen.attempt, seen.decision_id) for seen in history if seen.event != "invoke")
    return [
        f"{call[0]}, attempt {call[1]}: began {_times(begun[call])} and ended {_times(ended[call])}"
        for call in begun | ended
        if (begun[call], ended[call]) != (1, 1)
    ]


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
