"""The checker itself: each fault is planted in a history, or a journal, that was in order, and must be found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from krins.clock import FakeClock
from krins.domain import Task
from krins.routing.exp3 import EXP3
from krins.runs.journal import JournalWriter
from serve.interfaces import Feedback
from serve.learning.checker import Seen, check
from serve.learning.learnt import router_text
from serve.learning.records import Control, Outcome
from serve.learning.segments import Journal
from tests.serve.learning_support import KEY, connected, loaded_router, open_learner

History = list[Seen]
_FREEZE = Control(what="freeze", who="me", at_seconds=1e9, token="t").model_dump(mode="json")


def _served(folder: Path, n: int = 6) -> tuple[History, str]:
    """What a client saw of some decisions, and the learner's router after them."""

    async def main() -> tuple[History, str]:
        clock = FakeClock(1e9)
        learner = open_learner(folder, clock)
        await learner.begin(loaded_router(EXP3()), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        history: History = []
        for number in range(n):
            decided, quality = decider.decide(Task("t")), number % 3 / 2
            history.append(Seen("c", number, decided.decision_id, "invoke", quality))
            [receipt] = await client.feedback([Feedback(decided.decision_id, quality)])
            history.append(Seen("c", number, decided.decision_id, "ok", quality, receipt.status))
        live = router_text(learner.learnt)
        await client.close()
        await learner.close()
        return history, live

    return asyncio.run(main())


def test_a_history_in_order_has_no_problems(tmp_path: Path) -> None:
    history, live = _served(tmp_path)
    verdict = check(history, tmp_path, KEY, live)
    assert (verdict.acknowledged, verdict.in_journal, verdict.applied, verdict.problems) == (6, 6, 6, [])
    # Nobody knows what became of a call: it may be kept or not, and both are in order.
    lost = Seen("c", 9, "never-arrived", "invoke", 1.0)
    assert check([*history, lost, lost._replace(event="info")], tmp_path, KEY, live).problems == []


def _acknowledged_and_lost(history: History) -> History:
    lost = history[0]._replace(decision_id="lost")
    return [*history, lost, lost._replace(event="ok", status="applied")]


def _kept_as_another(history: History) -> History:
    return [seen._replace(quality=0.25) if seen.attempt == 2 else seen for seen in history]


def _first_twice(history: History) -> History:
    return [*history, history[0]._replace(client="d"), history[1]._replace(client="d")]


def _no_conflict(history: History) -> History:
    return [*history, history[0], history[1]._replace(status="conflict")]


def _sent_by_nobody(history: History) -> History:
    return [seen for seen in history if seen.attempt != 3]


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (_acknowledged_and_lost, "was acknowledged as applied, and is not kept"),
        (_kept_as_another, "was kept as 1.0, not 0.25"),
        (_first_twice, "was acknowledged as the first 2 times"),
        (_no_conflict, "is no conflict: 0.0 was kept"),
        (_sent_by_nobody, "which nobody sent"),
    ],
)
def test_what_clients_saw_is_held_against_the_journal(
    tmp_path: Path, plant: Callable[[History], History], words: str
) -> None:
    history, live = _served(tmp_path)
    assert any(words in problem for problem in check(plant(history), tmp_path, KEY, live).problems)


def _rewritten(folder: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    """The journal anew, with valid checksums and other content."""
    records = change([record.model_dump(mode="json") for record in Journal(folder)])
    for path in folder.glob("*-0*"):
        path.unlink()
    writer = JournalWriter(folder / "journal-00000001.jsonl")
    for record in records:
        writer.append(record)
    writer.commit()
    writer.close()


def _outcomes(records: list[dict[str, object]]) -> list[dict[str, object]]:
    return [record for record in records if record["kind"] == Outcome.model_fields["kind"].default]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda records: [*records, _outcomes(records)[0]], "2 outcomes of"),
        (lambda records: [each for each in records if each is not _outcomes(records)[4]], "and is not kept"),
        (lambda records: [*records[:-1], _FREEZE, records[-1]], "is not the live one"),
    ],
    ids=["applied twice", "lost", "not learnt"],
)
def test_a_journal_that_was_tampered_with_is_found_out(
    tmp_path: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]], words: str
) -> None:
    history, live = _served(tmp_path)
    _rewritten(tmp_path, change)
    assert any(words in problem for problem in check(history, tmp_path, KEY, live).problems)


def test_a_router_that_differs_in_one_digit_is_not_the_journals(tmp_path: Path) -> None:
    history, live = _served(tmp_path)
    place = live.rindex("5")
    other = f"{live[:place]}6{live[place + 1 :]}"
    assert check(history, tmp_path, KEY, other).problems == [
        "the router that is replayed from the journal is not the live one"
    ]
    # Where it is not to be had, nothing is said of it.
    assert check(history, tmp_path, KEY, None).problems == []


@pytest.mark.parametrize("ends", [0, 2])
def test_a_call_ends_once(tmp_path: Path, ends: int) -> None:
    history, live = _served(tmp_path)
    call = Seen("d", 0, "x", "invoke", 1.0)
    [problem] = check([*history, call, *[call._replace(event="fail")] * ends], tmp_path, KEY, live).problems
    assert problem == f"d, attempt 0: began once and ended {ends} times"
