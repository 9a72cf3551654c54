"""The coordinator: whatever goes wrong with an attempt is in its outcome, with the right name."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from krins.domain import Arm, Attempt, FailureKind, Outcome, Task, Usage, Verdict
from krins.errors import ModelFault, SandboxFault, TaskError
from krins.pipeline.coordinator import Coordinator
from krins.pipeline.tasks import CodingTask

TASK = Task("t", "Write f.", "docs", "easy", "python")
CODE = "```python\ndef f(): return 1\n```"


class Scripted:
    """A model that gives one text, or fails."""

    def __init__(self, text: str | None, finish_reason: str = "stop") -> None:
        self.text, self.finish_reason = text, finish_reason
        self.prompts: list[str] = []

    async def answer(self, prompt: str, sample: int) -> Attempt:
        self.prompts.append(prompt)
        if self.text is None:
            raise ModelFault("no server")
        return Attempt(self.text, Usage(10, 20), Decimal("0.5"), 1.5, self.finish_reason)


class Judge:
    """A verifier that gives one verdict, or fails."""

    def __init__(self, verdict: Verdict | Exception) -> None:
        self.verdict = verdict
        self.seen: list[tuple[str, str]] = []

    def verify(self, code: str, tests: str) -> Verdict:
        self.seen.append((code, tests))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


async def attempted(model: Scripted, judge: Judge) -> Outcome:
    return await Coordinator([CodingTask(TASK, "TESTS")], {"m": model}, judge).attempt(TASK, Arm("m"), 3)


PASSED = Verdict(1.0, 2, 2)


def run(model: Scripted, judge: Judge) -> Outcome:
    return asyncio.run(attempted(model, judge))


def test_a_right_answer() -> None:
    model, judge = Scripted(CODE), Judge(PASSED)
    outcome = run(model, judge)
    assert (outcome.quality, outcome.cost_usd, outcome.sample, outcome.failure) == (1.0, Decimal("0.5"), 3, None)
    assert judge.seen == [("def f(): return 1\n", "TESTS")]
    assert model.prompts[0].startswith("Write f.\n\n")
    assert "TESTS" not in model.prompts[0]


def test_a_wrong_answer_is_no_failure() -> None:
    outcome = run(Scripted(CODE), Judge(Verdict(0.0, 1, 2, "no")))
    assert (outcome.quality, outcome.failure) == (0.0, None)


@pytest.mark.parametrize(("reason", "message"), [("stop", "no Python code"), ("length", "cut off at the token limit")])
def test_an_answer_without_code_is_the_models_failure_and_is_charged(reason: str, message: str) -> None:
    outcome = run(Scripted("I cannot.", reason), Judge(PASSED))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.MODEL
    assert message in outcome.failure.message
    assert (outcome.quality, outcome.cost_usd) == (0.0, Decimal("0.5"))


def test_no_server_is_infrastructure_at_unknown_cost() -> None:
    outcome = run(Scripted(None), Judge(PASSED))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert (outcome.cost_usd, outcome.usage, outcome.attempts) == (None, None, ())


def test_a_broken_sandbox_is_infrastructure_and_the_answer_is_still_charged() -> None:
    outcome = run(Scripted(CODE), Judge(SandboxFault("no room")))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert outcome.cost_usd == Decimal("0.5")


def test_broken_tests_are_found_before_an_answer_is_paid_for_and_later_are_a_row() -> None:
    model, judge = Scripted(CODE), Judge(TaskError("tests.py does not import"))
    with pytest.raises(TaskError):
        asyncio.run(Coordinator([CodingTask(TASK, "TESTS")], {"m": model}, judge).check())
    assert model.prompts == []
    outcome = run(model, judge)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert outcome.cost_usd == Decimal("0.5")
