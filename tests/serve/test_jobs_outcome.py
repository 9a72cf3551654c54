"""What a worker tells the learner of a task that hidden tests judge, and what the task's result says of that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from krins.clock import FakeClock
from krins.domain import Failure, FailureKind, Outcome, Task, Verdict
from krins.pipeline.tasks import CodingTask
from serve.interfaces import Answered, Feedback
from serve.jobs.actor import parts
from serve.jobs.examples import RESULT
from serve.jobs.job import JobRules
from serve.jobs.keeper import Keeper
from serve.jobs.models import EXAMPLE, Order, TaskRequest, TaskResult
from serve.jobs.telling import result_of
from serve.jobs.worker import Worker
from serve.web import Refusal

AWAY = Refusal(503, "learner_unreachable", "the learner cannot be reached", "")
NO_COST = Refusal(422, "cost_unknown", "nobody knows what it cost", "")


def _order(decision_id: str = "d-1") -> Order:
    request = TaskRequest.model_validate(EXAMPLE)
    return Order(request=request, arm="a", arms=["a"], decision_id=decision_id, reason="router", most_usd=Decimal(1))


async def _done(folder: Path, order: Order, quality: float | None, replies: Sequence[Any]) -> tuple[TaskResult, Any]:
    """The result of a task that is recorded, and what the learner, who replies so, was told as feedback."""
    told: list[Feedback | None] = []
    clock, left = FakeClock(1e9), list(replies)

    async def do(job_id: str, order: Order, tell: Any) -> TaskResult:
        return TaskResult.model_validate(RESULT).model_copy(update={"quality": quality})

    async def tell_learner(answered: Answered, feedback: Feedback | None) -> str:
        told.append(feedback)
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Exception):
            raise reply
        return str(reply)

    keeper = Keeper(folder / "k.sqlite3", parts(JobRules()))
    payload = order.model_dump_json()
    submitted = await keeper.call("jobs", "submit", "task_1", payload, "digest", "key", "me")
    working = asyncio.create_task(Worker(keeper, do, tell_learner, clock).work_once(1.0))
    while not working.done():
        await asyncio.sleep(0.001)
        clock.advance(1.0)
    assert await working
    job = await keeper.call("jobs", "job", submitted.job_id, None)
    await keeper.close()
    return TaskResult.model_validate_json(job.result), told


@pytest.mark.parametrize(
    ("replies", "times", "said"),
    [
        (["applied"], 1, "applied"),
        ([AWAY, AWAY, "applied"], 3, "applied"),
        ([AWAY], 10, "not taken: the learner cannot be reached"),
        ([NO_COST], 1, "not taken: nobody knows what it cost"),
        ([TypeError("a fault of ours")], 1, "not taken: TypeError: a fault of ours"),
    ],
)
def test_the_result_says_what_the_learner_said(tmp_path: Path, replies: Sequence[Any], times: int, said: str) -> None:
    result, told = asyncio.run(_done(tmp_path, _order(), 0.0, replies))
    assert result.feedback == said
    assert told == [Feedback("d-1", 0.0, Decimal("0.000052"), 1.4)] * times


@pytest.mark.parametrize(("decision_id", "quality"), [("", 1.0), ("d-1", None)])
def test_what_nobody_decided_or_judged_is_no_feedback(tmp_path: Path, decision_id: str, quality: float | None) -> None:
    result, told = asyncio.run(_done(tmp_path, _order(decision_id), quality, ["noted"]))
    assert result.feedback is None
    assert not any(told)


@pytest.mark.parametrize(
    ("tests", "failure", "passed", "quality"),
    [
        ("def test_it(): ...", None, True, 1.0),
        ("def test_it(): ...", None, False, 0.0),
        ("def test_it(): ...", FailureKind.MODEL, None, 0.0),
        ("def test_it(): ...", FailureKind.BUDGET, None, None),
        ("", None, True, None),
        ("", FailureKind.MODEL, None, None),
    ],
)
def test_a_model_without_a_usable_answer_has_failed_as_in_an_evaluation(
    tests: str, failure: FailureKind | None, passed: bool | None, quality: float | None
) -> None:
    outcome = Outcome(
        task_id="t",
        arm="a",
        sample=0,
        quality=float(passed or 0),
        cost_usd=None,
        verdict=None if passed is None else Verdict(float(passed), int(passed), 1),
        failure=None if failure is None else Failure(failure, "the model said nothing"),
    )
    result = result_of(outcome, CodingTask(Task("t", "do it"), tests, {}, ()), _order())
    assert result.quality == quality
