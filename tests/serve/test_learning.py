"""The learner: exactly once, durable before acknowledged, the same state from the journal, to the last bit."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.clock import FakeClock
from krins.domain import Task
from krins.routing.exp3 import EXP3
from krins.routing.forgetting import SlidingWindow
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1
from krins.suite import Reward
from serve.interfaces import Answered, DecisionMade, Feedback, Receipt
from serve.learning.client import LearningClient
from serve.learning.ids import DecisionIds
from serve.learning.learner import Learner
from serve.learning.learnt import router_text
from serve.learning.seen import First, Seen
from serve.learning.segments import restore
from serve.web import Refusal
from tests.serve.learning_support import ARMS, KEY, LocalLink, connected, loaded_router, open_learner

TASK = Task("t", prompt="Mend it")
T = TypeVar("T")


def _answered(decision_id: str, arm: str, cost: str | None, at_seconds: float = 1e9) -> Answered:
    usd = None if cost is None else Decimal(cost)
    return Answered(at_seconds, decision_id, "k", arm, usd, 100, 0, 50, 1.5, None)


async def _in_time(clock: FakeClock, asked: Awaitable[T]) -> T:
    """Time passes until it is answered."""
    future = asyncio.ensure_future(asked)
    while not future.done():
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)
        clock.advance(0.1)
    return await future


def _same_as_journal(learner: Learner, folder: Path) -> None:
    """Whatever a killed learner would come back with is what this one has."""
    again = restore(folder, DecisionIds(KEY)).learnt
    live = learner.learnt
    assert router_text(again) == router_text(live)
    assert (again.epoch, again.version, again.frozen) == (live.epoch, live.version, live.frozen)
    assert again.arms == live.arms
    assert len(again.seen) == len(live.seen)


def test_feedback_counts_once(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        decided = decider.decide(TASK)
        first = await client.feedback([Feedback(decided.decision_id, 1.0)])
        assert first == [Receipt(decided.decision_id, "applied", 1.0, 1)]
        assert decider.version == 1
        again, other = await asyncio.gather(
            client.feedback([Feedback(decided.decision_id, 1.0)]), client.feedback([Feedback(decided.decision_id, 0.0)])
        )
        assert [receipt.status for receipt in (*again, *other)] == ["duplicate", "conflict"]
        state = learner.learnt.current.router.snapshot().state  # type: ignore[union-attr]
        assert state.counts.sum() == 1.0
        _same_as_journal(learner, tmp_path)
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_twins_in_one_group_count_once(tmp_path: Path) -> None:
    async def main() -> None:
        learner = open_learner(tmp_path)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, _)] = await connected(learner, FakeClock(1e9))
        decided = decider.decide(TASK)
        twin = Feedback(decided.decision_id, 1.0)
        submitted = await learner.submit([[twin], [twin, twin], [Feedback(decided.decision_id, 0.5)]])
        statuses = [[r.status for r in result] for result in submitted.results if not isinstance(result, Refusal)]
        assert statuses == [["applied"], ["duplicate", "duplicate"], ["conflict"]]
        await learner.close()

    asyncio.run(main())


def test_what_nobody_knows_the_cost_of_is_refused_and_one_refusal_leaves_others_alone(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(UCB1((-1.0, 1.0)), reward=Reward(per_usd=10)), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        told, seen, unknown = (decider.decide(TASK) for _ in range(3))
        client.note(_answered(seen.decision_id, seen.arm, "0.02"))
        client.note(_answered(seen.decision_id, seen.arm, "0.01", 1e9 + 1))
        asked = asyncio.gather(
            client.feedback([Feedback(told.decision_id, 1.0, Decimal("0.05"))]),
            client.feedback([Feedback(seen.decision_id, 1.0)]),
            client.feedback([Feedback(unknown.decision_id, 1.0)]),
            return_exceptions=True,
        )
        results = await _in_time(clock, asked)
        assert [r[0].reward for r in results[:2] if not isinstance(r, BaseException)] == [0.5, 0.7]
        assert isinstance(results[2], Refusal)
        assert (results[2].status, results[2].code) == (422, "cost_unknown")
        # Refused is not used up.
        [late] = await client.feedback([Feedback(unknown.decision_id, 1.0, Decimal("0.1"))])
        assert (late.status, late.reward) == ("applied", 0.0)
        _same_as_journal(learner, tmp_path)
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_a_note_that_comes_twice_is_paid_once(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(UCB1((-1.0, 1.0)), reward=Reward(per_usd=10)), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        decided = decider.decide(TASK)
        note = _answered(decided.decision_id, decided.arm, "0.02")
        client._link.cut = 1  # type: ignore[attr-defined]
        client.note(note)
        [receipt] = await _in_time(clock, client.feedback([Feedback(decided.decision_id, 1.0)]))
        assert (receipt.status, receipt.reward) == ("duplicate", 0.8)
        assert decider.version == 1
        assert learner.learnt.arms[decided.arm].answers == 1
        await client.close()
        await learner.close()

    asyncio.run(main())


@pytest.mark.parametrize("arrives", [True, False])
def test_notes_that_were_under_way_are_sent_again_at_the_end_and_count_once(tmp_path: Path, arrives: bool) -> None:
    class Stuck(LocalLink):
        async def call(self, method: str, *arguments: Any) -> Any:
            if method == "note" and self.cut:
                self.cut -= 1
                if arrives:
                    await super().call(method, *arguments)
                await asyncio.Event().wait()
            return await super().call(method, *arguments)

    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, _)] = await connected(learner, clock)
        link = Stuck(learner)
        client = LearningClient(link, decider, clock)
        link.cut = 1
        client.note(_answered(decider.decide(TASK).decision_id, "small", "0.02"))
        while link.cut:
            await asyncio.sleep(0)
            clock.advance(0.1)
        assert not client._notes
        client.note(_answered(decider.decide(TASK).decision_id, "small", "0.01"))
        await client.close()
        await learner.close()
        assert learner.learnt.arms["small"].answers == 2
        assert learner.learnt.arms["small"].cost_usd == pytest.approx(0.03)

    asyncio.run(main())


def test_notes_whose_feedback_failed_do_not_wait_for_the_next(tmp_path: Path) -> None:
    class Failing(LocalLink):
        async def call(self, method: str, *arguments: Any) -> Any:
            if method == "submit":
                for _ in range(20):  # until whoever would have sent the notes has found none
                    clock.advance(0.1)
                    await asyncio.sleep(0)
                raise Refusal(503, "disk_full", "full")
            return await super().call(method, *arguments)

    clock = FakeClock(1e9)

    async def main() -> None:
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, _)] = await connected(learner, clock)
        client = LearningClient(Failing(learner), decider, clock)
        decided = decider.decide(TASK)
        client.note(_answered(decided.decision_id, "small", "0.02"))
        with pytest.raises(Refusal):
            await client.feedback([Feedback(decided.decision_id, 1.0)])
        for _ in range(200):
            await asyncio.sleep(0)
            await asyncio.to_thread(lambda: None)
            clock.advance(0.1)
        assert learner.learnt.told.spent[learner.ids.read(decided.decision_id).key].cost_usd == Decimal("0.02")
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_beyond_its_bound_the_oldest_notes_are_lost_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.learning.client._MAX_NOTES", 3)

    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        for number in range(5):
            client.note(_answered(decider.decide(TASK).decision_id, "small", None, 1e9 + number))
        assert client.lost_notes == 2
        await client.close()
        await learner.close()
        assert learner.learnt.arms["small"].answers == 3

    asyncio.run(main())


@contextmanager
def _no_room(path: Path, more: int) -> Iterator[None]:
    """No file can grow beyond the size of `path` and `more` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("more", [0, 40, 400])
def test_a_full_disk_refuses_leaves_nothing_half_done_and_heals(tmp_path: Path, more: int) -> None:
    """With 400 bytes of room the first of three records gets to the disk whole, and must not count all the same."""

    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(EXP3()), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        before = router_text(learner.learnt)
        decided = [decider.decide(TASK) for _ in range(3)]
        items = [Feedback(each.decision_id, 1.0) for each in decided]
        with _no_room(tmp_path / "journal-00000001.jsonl", more):
            with pytest.raises(Refusal) as refused:
                await client.feedback(items)
            assert (refused.value.status, refused.value.code) == (503, "disk_full")
            assert refused.value.retry_after_seconds
            assert learner.fault
        assert router_text(learner.learnt) == before
        # Nor does it count if the learner is killed now.
        assert router_text(restore(tmp_path, learner.ids).learnt) == before
        await learner.probe()
        assert not learner.fault
        # In another order, which gives another state: what stands on the disk of the first try must not be read again.
        receipts = await client.feedback(items[::-1])
        assert [receipt.status for receipt in receipts] == ["applied"] * 3
        _same_as_journal(learner, tmp_path)
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_nothing_is_acknowledged_that_goes_into_a_journal_which_was_removed(tmp_path: Path) -> None:
    async def main() -> None:
        learner = open_learner(tmp_path)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, client)] = await connected(learner, FakeClock(1e9))
        (tmp_path / "journal-00000001.jsonl").unlink()
        with pytest.raises(Refusal) as refused:
            await client.feedback([Feedback(decider.decide(TASK).decision_id, 1.0)])
        assert refused.value.status == 503
        assert "the journal is gone" in learner.fault
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_frozen_outcomes_are_kept_and_not_learnt(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        await learner.control("freeze", "me", "1")
        decided = decider.decide(TASK)
        [receipt] = await client.feedback([Feedback(decided.decision_id, 1.0)])
        assert (receipt.status, receipt.reward, receipt.version) == ("recorded", None, 0)
        assert decider.router.pending[decided.arm] == 0
        assert receipt.note == "learning is frozen"
        await learner.control("unfreeze", "me", "2")
        [receipt] = await client.feedback([Feedback(decider.decide(TASK).decision_id, 1.0)])
        assert receipt.status == "applied"
        _same_as_journal(learner, tmp_path)
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_take_over_and_back(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(), "models:/tested@champion", "test")
        pairs = await connected(learner, clock, replicas=2)
        decider, client = pairs[0]
        old = [decider.decide(TASK) for _ in range(3)]
        await client.feedback([Feedback(old[0].decision_id, 1.0)])
        former = router_text(learner.learnt)
        await learner.begin(loaded_router(UCB1(), version="2"), "models:/tested@champion", "registry")
        for one, its_client in pairs:
            its_client._apply(await learner.changes(its_client._cursor, 0.0))
            decided = one.decide(TASK)
            assert (decided.epoch, decided.router) == (2, "tested/2")
        # A decision of the former router: its outcome is the present one's to learn from, for neither looks at tasks.
        [receipt] = await client.feedback([Feedback(old[1].decision_id, 1.0)])
        assert receipt.status == "applied"
        await learner.control("rollback", "me", "token")
        await learner.control("rollback", "me", "token")  # sent twice on the way
        assert (learner.learnt.epoch, learner.learnt.ignored) == (3, "tested/2")
        assert router_text(learner.learnt) == former
        with pytest.raises(Refusal) as refused:
            await learner.control("rollback", "me", "another")
        assert refused.value.status == 409
        _same_as_journal(learner, tmp_path)
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_replicas_have_the_learners_state_and_their_own_pending(tmp_path: Path) -> None:
    """Whoever joins late, misses events or follows the next learner."""

    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(SlidingWindow(UCB1(), 20)), "suite", "test")
        pairs = await connected(learner, clock, replicas=2)
        (one, its_client), (two, other_client) = pairs
        mine = [one.decide(TASK) for _ in range(10)]
        others = [two.decide(TASK) for _ in range(10)]
        await its_client.feedback([Feedback(each.decision_id, 0.5) for each in mine[:5]])
        assert sum(two.router.pending.values()) == 10
        await other_client.feedback([Feedback(each.decision_id, 1.0) for each in others[:2]])
        assert sum(one.router.pending.values()) == 5
        its_client._apply(await learner.changes(its_client._cursor, 0.0))
        assert sum(one.router.pending.values()) == 5
        await learner.close()
        successor = open_learner(tmp_path, clock)
        its_client._apply(await successor.changes(its_client._cursor, 0.0))
        [(three, _)] = await connected(successor, clock)
        for decider in (one, two, three):
            for ours, theirs in zip(_flat(decider.router.snapshot().state), _flat_of(successor), strict=True):
                assert np.array_equal(ours, theirs)
        assert sum(one.router.pending.values()) == 5
        assert three.version == one.version == 7
        await successor.close()

    asyncio.run(main())


def _flat(state: object) -> list[np.ndarray]:
    if isinstance(state, np.ndarray):
        return [state]
    assert isinstance(state, tuple)
    return [array for part in state for array in _flat(part)]


def _flat_of(learner: Learner) -> list[np.ndarray]:
    assert learner.learnt.current is not None
    return _flat(learner.learnt.current.router.snapshot().state)


def test_segments_rotate_and_a_checkpoint_is_the_state(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock, max_bytes=20_000)
        await learner.begin(loaded_router(EXP3()), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        ids = []
        await learner.control("freeze", "me", "1")
        for number in range(300):
            if number == 3:
                await learner.control("unfreeze", "me", "2")
            clock.advance(1.0)
            decided = decider.decide(TASK)
            ids.append(decided.decision_id)
            client.note(
                DecisionMade(
                    clock.now_seconds(), decided.decision_id, "r", "", decided.arm, 0.5, "router", 1, 0, None, "c"
                )
            )
            await client.feedback([Feedback(decided.decision_id, float(number % 2))])
        assert learner.segment > 5
        assert len(list(tmp_path.glob("checkpoint-*"))) == 2
        _same_as_journal(learner, tmp_path)
        # A checkpoint that is damaged costs time alone.
        assert restore(tmp_path, learner.ids).learnt.unlearnt == learner.learnt.unlearnt != {}
        newest = max(tmp_path.glob("checkpoint-*"))
        newest.write_text(newest.read_text().replace("epoch", "epoche", 1))
        _same_as_journal(learner, tmp_path)
        for checkpoint in tmp_path.glob("checkpoint-*"):
            checkpoint.unlink()
        _same_as_journal(learner, tmp_path)
        receipts = await client.feedback([Feedback(ids[0], 0.0), Feedback(ids[1], 0.0)])
        assert [receipt.status for receipt in receipts] == ["duplicate", "conflict"]
        await client.close()
        await learner.close()

    asyncio.run(main())


def test_what_a_router_cannot_learn_from_is_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(ThompsonBeta()), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        [receipt] = await client.feedback([Feedback(decider.decide(TASK).decision_id, 0.5)])
        assert receipt.status == "recorded"
        assert sum(decider.router.pending.values()) == 0
        _same_as_journal(learner, tmp_path)
        await client.close()
        await learner.close()

    asyncio.run(main())


@settings(max_examples=50, deadline=None)
@given(
    batches=st.lists(
        st.dictionaries(
            st.integers(0, 2**64 - 1), st.tuples(st.floats(0, 1), st.none() | st.floats(-1, 1)), max_size=20
        ),
        max_size=6,
    ),
    capacity=st.integers(1, 60),
)
def test_seen_forgets_nothing_after_its_horizon(
    batches: list[dict[int, tuple[float, float | None]]], capacity: int
) -> None:
    seen, known, now = Seen(capacity), dict[int, tuple[float, First]](), 0.0
    for number, batch in enumerate(batches):
        for key, (quality, reward) in batch.items():
            now += 1.0
            if key not in known:
                known[key] = now, First(quality, reward, number)
                seen.add(key, now, known[key][1])
        seen.seal(number)
    for key, (decided, first) in known.items():
        assert seen.find(key) == first or decided <= seen.horizon_seconds


def test_two_learners_never_share_a_journal(tmp_path: Path) -> None:
    async def main() -> None:
        learner = open_learner(tmp_path)
        with pytest.raises(Exception, match="another learner"):
            open_learner(tmp_path)
        await learner.close()

    asyncio.run(main())


def test_arms_are_named_in_order() -> None:
    assert loaded_router().snapshot(0.0).arms == ARMS
