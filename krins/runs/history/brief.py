"""A run in brief: how its journal begins and how it ends, without the outcomes and decisions in between.

The history and tracking need no more than this. Invariant: what cannot be trusted is left out and named, as in
`krins.runs.journal`. Left out: everything that a run is resumed from (`krins.runs.session`).
"""

from __future__ import annotations

from dataclasses import dataclass

from krins.errors import RunError
from krins.runs.journal import Damage, read_journal
from krins.runs.records import Finished, Started, parse_records
from krins.runs.result import RunResult
from krins.runs.store import Store


@dataclass(frozen=True)
class RunBrief:
    started: Started
    result: RunResult | None
    """None while the run is not finished."""
    damage: list[Damage]


def read_brief(store: Store, run_id: str) -> RunBrief:
    """Read a journal's first and last record.

    Raises:
        RunError: the first one is missing or damaged, or either was written by a newer krins.
        StorageFault: the journal cannot be read.
    """
    path = store.journal(run_id)
    content = read_journal(path)
    ends = [record for record in content.records if record.get("kind") in {"started", "finished"}]
    records = parse_records(ends, str(path))
    started = next((record for record in records if isinstance(record, Started)), None)
    if started is None:
        raise RunError(
            f"{path}: the record that says what was started is missing or damaged",
            f"nothing can be made of this run; remove {path.parent} if you do not need it",
        )
    result = next((record.result for record in records if isinstance(record, Finished)), None)
    return RunBrief(started, result, content.damage)
