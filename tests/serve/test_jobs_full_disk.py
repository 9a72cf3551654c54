"""A keeper whose disk is full, or whose answer got lost: whoever waits for it asks again after a while, not at once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from krins.clock import FakeClock
from krins.models.catalogue import resolve_all
from krins.suite import LiveModel
from serve.interfaces import Answered, Feedback
from serve.jobs.actor import parts
from serve.jobs.examples import RESULT
from serve.jobs.job import KEEPS_NOTHING, JobRules
from serve.jobs.keeper import Keeper
from serve.jobs.models import EXAMPLE, Order, TaskRequest, TaskResult
from serve.jobs.tasks import Tasks
from serve.jobs.worker import Worker
from serve.web import Refusal
from tests.serve.test_propose import ME, Parts, Silent


class Troubled:
    """The keeper, as far as it has room."""

    def __init__(self, folder: Path) -> None:
        self.keeper = Keeper(folder / "k.sqlite3", parts(JobRules()))
        self.fault: str | None = None
        """Code of the refusal."""
        self.asked = 0
        self.loses_answer_of: str | None = None

    async def call(self, part: str, method: str, *arguments: Any) -> Any:
        self._reach()
        answer = await self.keeper.call(part, method, *arguments)
        if self.loses_answer_of == method:
            self.loses_answer_of = None
            return await self.call(part, method, *arguments)  # as `KeeperClient` does
        return answer

    async def until(self, seconds: float, part: str, method: str, *arguments: Any) -> Any:
        self._reach()
        return await self.keeper.until(min(seconds, 0.01), part, method, *arguments)

    def _reach(self) -> None:
        self.asked += 1
        if self.fault:
            raise Refusal(503, self.fault, "no")


async def _do(job_id: str, order: Order, tell: Any) -> TaskResult:
    return TaskResult.model_validate(RESULT)


async def _tell(answered: Answered, feedback: Feedback | None) -> str:
    return "noted"


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_worker_outlives_a_full_disk_and_ends_when_the_keeper_is_gone(tmp_path: Path) -> None:
    async def work() -> None:
        keeper, clock = Troubled(tmp_path), FakeClock(1e9)
        request = TaskRequest.model_validate(EXAMPLE)
        order = Order(request=request, arm="a", arms=["a"], decision_id="", reason="", most_usd=Decimal(1))
        await keeper.call("jobs", "submit", "task_1", order.model_dump_json(), "digest", "key", "me")
        keeper.fault, keeper.asked = KEEPS_NOTHING, 0
        working = asyncio.create_task(Worker(keeper, _do, _tell, clock).run(lambda: True))
        await _turns()
        assert keeper.asked == 1, "it waits before it asks again"
        clock.advance(1.0)
        await _turns()
        assert keeper.asked == 2
        keeper.fault = None
        while (await keeper.call("jobs", "job", "task_1", None)).state != "done":
            await asyncio.sleep(0.001)
            clock.advance(1.0)
        keeper.fault = "keeper_unreachable"
        with pytest.raises(Refusal):
            await working
        await keeper.keeper.close()

    asyncio.run(work())


def test_a_followed_task_is_asked_for_once_in_a_while_when_the_disk_is_full_and_settled_in_the_end(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        keeper, clock, books = Troubled(tmp_path), FakeClock(1e9), Parts()
        specs = resolve_all([LiveModel(name="p-100", base_url="http://127.0.0.1:9")])
        tasks = Tasks(keeper, books, books, books, Silent(), specs, lambda: None, clock)
        keeper.loses_answer_of = "submit"
        submitted = await tasks.submit(TaskRequest.model_validate(EXAMPLE), ME, "r1", None)
        assert submitted.is_new and not books.settled, "said twice, it is still ours, and its money stays set aside"
        keeper.fault, keeper.asked = KEEPS_NOTHING, 0
        while not keeper.asked:  # what it asked before is over soon
            await asyncio.sleep(0.001)
        await _turns()
        assert keeper.asked == 1
        keeper.fault = None
        job = await keeper.call("jobs", "take")
        await keeper.call(
            "jobs", "finish", job.job_id, job.attempt, TaskResult.model_validate(RESULT).model_dump_json()
        )
        while not books.settled:
            await asyncio.sleep(0.001)
            clock.advance(1.0)
        assert [usd for _, usd in books.settled] == [Decimal(RESULT["cost_usd"])]
        await tasks.close()
        await keeper.keeper.close()

    asyncio.run(work())
