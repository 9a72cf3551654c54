"""The coordinator: whatever goes wrong with an attempt is in its outcome, with the right name."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from krins.domain import (
    Arm,
    Attempt,
    Call,
    Change,
    FailureKind,
    GivenContext,
    Outcome,
    Request,
    Scope,
    Task,
    Usage,
    Verdict,
)
from krins.errors import BudgetExhausted, ModelFault, Refused, SandboxFault, TaskError, TimedOut, Unreachable
from krins.interfaces import OnText
from krins.pipeline.coordinator import Coordinator
from krins.pipeline.process import Process
from krins.pipeline.tasks import CodingTask

TASK = Task("t", "Write f.", "docs", "easy", "python")
CODING = CodingTask(TASK, "TESTS", answer_file="solution.py")
CODE = "```python\ndef f(): return 1\n```"


def call(cost_usd: str, usage: Usage | None = None, error: str | None = None) -> Call:
    cost = Decimal(cost_usd)
    return Call("m", "openai-chat", 0.0, 1.0, usage, cost, cost, is_usage_unknown=cost > 0 and not usage, error=error)


ANSWERED = call("0.5", Usage(10, 20))


class Scripted:
    """A model that gives one text, or fails, after `before`."""

    def __init__(self, answer: str | Exception, finish_reason: str = "stop", before: tuple[Call, ...] = ()) -> None:
        self.given, self.finish_reason, self.before = answer, finish_reason, before
        self.requests: list[Request] = []
        self.scopes: list[Scope] = []

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        self.requests.append(request)
        self.scopes.append(scope)
        if isinstance(self.given, Exception):
            if isinstance(self.given, ModelFault | BudgetExhausted):
                self.given.calls = self.before
            raise self.given
        calls = (*self.before, ANSWERED)
        return Attempt(self.given, Usage(10, 20), 1.5, "m", finish_reason=self.finish_reason, calls=calls)


class Judge:
    """A verifier that gives one verdict, or fails."""

    def __init__(self, verdict: Verdict | Exception) -> None:
        self.verdict = verdict
        self.seen: list[tuple[Change, str]] = []

    def verify(self, change: Change, tests: str) -> Verdict:
        self.seen.append((change, tests))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


async def attempted(model: Scripted, judge: Judge) -> Outcome:
    return await Coordinator([CODING], {"m": Process(model)}, lambda _: judge).attempt(TASK, Arm("m"), 3, "c0")


PASSED = Verdict(1.0, 2, 2)


def run(model: Scripted, judge: Judge) -> Outcome:
    return asyncio.run(attempted(model, judge))


def test_a_right_answer() -> None:
    model, judge = Scripted(CODE), Judge(PASSED)
    outcome = run(model, judge)
    assert (outcome.quality, outcome.cost_usd, outcome.sample, outcome.failure) == (1.0, Decimal("0.5"), 3, None)
    [(change, tests)] = judge.seen
    assert (change.before, change.after, tests) == ({}, {"solution.py": "def f(): return 1\n"}, "TESTS")
    [message] = model.requests[0].messages
    assert message.text.startswith("Write f.\n\n")
    assert "TESTS" not in message.text
    assert (model.requests[0].sample, model.scopes) == (3, [Scope("c0", "t")])
    assert (outcome.correlation_id, outcome.context) == ("c0", None)


def test_a_task_with_a_tree_is_shown_its_context_and_its_change_is_judged() -> None:
    model, judge = Scripted("a.py\n```python\nA = 2\n```\n"), Judge(Verdict(0.0, 1, 2))
    given = GivenContext("select", 3, 10)
    tree = {"a.py": "A = 1\n", "b.py": "B = 1\n"}
    coding = CodingTask(TASK, "TESTS", tree, context_text="a.py: A = 1\n", context=given)

    async def attempted() -> Outcome:
        return await Coordinator([coding], {"m": Process(model)}, lambda _: judge).attempt(TASK, Arm("m"), 0)

    outcome = asyncio.run(attempted())
    assert (outcome.context, outcome.quality) == (given, 0.0)
    [(change, _)] = judge.seen
    assert (change.before, change.written) == (tree, {"a.py": "A = 2\n"})
    assert "-A = 1\n+A = 2\n" in change.diff
    assert model.requests[0].messages[0].text.startswith("a.py: A = 1\n\n=== Task\n\nWrite f.\n\n")
    model.given = Unreachable("no server")
    assert asyncio.run(attempted()).context == given, "it was given though nobody answered"


def test_a_change_of_what_is_protected_is_the_models_failure_and_nobody_judges_it() -> None:
    coding = CodingTask(TASK, "TESTS", {"conf/a.py": "A = 1\n"}, protected=("conf/*",))
    model, judge = Scripted("conf/a.py\n```python\nA = 2\n```\n"), Judge(PASSED)
    outcome = asyncio.run(Coordinator([coding], {"m": Process(model)}, lambda _: judge).attempt(TASK, Arm("m"), 0))
    assert outcome.failure is not None
    assert (outcome.failure.kind, judge.seen) == (FailureKind.MODEL, [])
    assert "protected by conf/*" in outcome.failure.message


def test_a_wrong_answer_is_no_failure() -> None:
    outcome = run(Scripted(CODE), Judge(Verdict(0.0, 1, 2, "no")))
    assert (outcome.quality, outcome.failure) == (0.0, None)


@pytest.mark.parametrize(("reason", "message"), [("stop", "no change"), ("length", "cut off at the token limit")])
def test_an_answer_without_code_is_the_models_failure_and_is_charged(reason: str, message: str) -> None:
    outcome = run(Scripted("I cannot.", reason), Judge(PASSED))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.MODEL
    assert message in outcome.failure.message
    assert (outcome.quality, outcome.cost_usd) == (0.0, Decimal("0.5"))


def test_no_server_is_infrastructure_at_unknown_cost() -> None:
    outcome = run(Scripted(Unreachable("no server"), before=(call("0", error="Unreachable"),)), Judge(PASSED))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert (outcome.cost_usd, outcome.usage, outcome.attempts) == (None, None, ())
    assert outcome.billed_usd == 0


def test_calls_that_came_to_nothing_are_charged_to_the_decision() -> None:
    lost = call("0.25", error="TimedOut")
    outcome = run(Scripted(CODE, before=(lost,)), Judge(PASSED))
    assert (outcome.cost_usd, outcome.billed_usd, outcome.usage) == (
        Decimal("0.75"),
        Decimal("0.75"),
        Usage(10, 20, calls=2),
    )
    assert outcome.calls == (lost, ANSWERED)
    assert outcome.attempts[0].calls == ()
    outcome = run(Scripted(TimedOut("no end"), before=(lost, lost)), Judge(PASSED))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.cost_usd) == (FailureKind.INFRASTRUCTURE, Decimal("0.50"))


def test_a_refusal_is_the_models_failure_and_a_full_budget_is_nobodys() -> None:
    outcome = run(Scripted(Refused("I will not"), before=(call("0.1", Usage(5, 5)),)), Judge(PASSED))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.cost_usd, outcome.usage) == (
        FailureKind.MODEL,
        Decimal("0.1"),
        Usage(5, 5),
    )
    outcome = run(Scripted(BudgetExhausted("no room")), Judge(PASSED))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.cost_usd) == (FailureKind.BUDGET, None)


def test_a_broken_sandbox_is_infrastructure_and_the_answer_is_still_charged() -> None:
    outcome = run(Scripted(CODE), Judge(SandboxFault("no room")))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert outcome.cost_usd == Decimal("0.5")


def test_broken_tests_are_found_before_an_answer_is_paid_for_and_later_are_a_row() -> None:
    model, judge = Scripted(CODE), Judge(TaskError("tests.py does not import"))
    with pytest.raises(TaskError):
        asyncio.run(Coordinator([CODING], {"m": Process(model)}, lambda _: judge).check())
    assert model.requests == []
    outcome = run(model, judge)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert outcome.cost_usd == Decimal("0.5")


def test_a_task_without_hidden_tests_has_the_verdict_of_those_who_reviewed_it_or_none() -> None:
    steps: list[tuple[str, int]] = []

    def told(step: str, round_: int) -> None:
        steps.append((step, round_))

    async def attempted() -> Outcome:
        coordinator = Coordinator([CODING], {"m": Process(Scripted(CODE))}, lambda _: None, told)
        await coordinator.check()
        return await coordinator.attempt(TASK, Arm("m"), 0)

    outcome = asyncio.run(attempted())
    assert (outcome.verdict, outcome.quality, outcome.submitted, outcome.failure) == (None, 0.0, 0, None)
    assert steps == [("proposing", 0)]
