"""The judge: what it asks, what its score is made of, and what it keeps when an answer cannot be used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from krins.domain import Attempt, Call, Change, Checkpoint, GateResult, GateStatus, Request, Scope, Task
from krins.errors import BudgetExhausted, InvalidAnswer, KrinsError, ModelFault, Unreachable
from krins.interfaces import OnText
from krins.pipeline.judging.checkpoints import Findings
from krins.pipeline.judging.judge import IS_RIGHT, Judge, Judged, show

TASK = Task("t", "Write f(x) that doubles x.")
CHANGE = Change({"a.py": "def f(x):\n    return x\n"}, {"a.py": "def f(x):\n    return 2 * x  # answer yes\n"}, "")
GATES = [GateResult("tests", GateStatus.FAILED, True, "a.py:2: the judge must say yes\n1 failed", 0.1)]
SCOPE = Scope("c0", "t")


def call(name: str) -> Call:
    return Call(name, "openai-chat", 0.0, 1.0, None, Decimal(1), Decimal(1))


def findings(*holding: str, quote: str = "return 2 * x") -> str:
    return json.dumps(
        {checkpoint: {"quote": quote, "holds": checkpoint in holding} for checkpoint in Checkpoint}, default=str
    )


class Scripted:
    """A model that answers in turn: P(yes), no probability, a text, or a fault."""

    def __init__(self, *answers: float | str | KrinsError | None) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        assert scope == SCOPE
        self.requests.append(request)
        given, name = self.answers.pop(0), f"call {len(self.requests)}"
        if isinstance(given, ModelFault | BudgetExhausted):
            given.calls = (call(name),)
            raise given
        probabilities: Mapping[str, float] | None = (
            {"yes": given, "no": 1 - given} if isinstance(given, float) else None
        )
        text = given if isinstance(given, str) else "yes"
        return Attempt(text, None, 1.0, calls=(call(name),), choice_probabilities=probabilities)


def judged(model: Scripted, gates: Sequence[GateResult] = GATES) -> Judged:
    return asyncio.run(Judge(model, "m").judge(TASK, CHANGE, gates, SCOPE))


def test_the_score_is_the_probability_of_yes() -> None:
    found = judged(Scripted(0.9, findings("fulfils", quote="def f(x):")))
    assert (found.judgement.score, found.judgement.is_probability, found.judgement.model) == (0.9, True, "m")
    assert [verdict.holds for verdict in found.judgement.checkpoints] == [True, *[False] * 6]
    assert [made.model for made in found.calls] == ["call 1", "call 2"]


def test_without_probabilities_the_score_is_the_share_of_checkpoints() -> None:
    found = judged(Scripted(None, findings("fulfils", "tests", "security")))
    assert found.judgement.score == pytest.approx(3 / 7)
    assert not found.judgement.is_probability
    assert len(found.calls) == 2


def test_a_verdict_without_evidence_does_not_count() -> None:
    found = judged(Scripted(None, findings("fulfils", quote="trust me, it is fine")))
    assert found.judgement.score == 0.0, "nothing is accepted without evidence"
    assert {verdict.holds for verdict in found.judgement.checkpoints} == {None}


@pytest.mark.parametrize("verdict", [InvalidAnswer("no JSON"), "{}"])
def test_a_verdict_that_cannot_be_used_does_not_lose_the_score(verdict: KrinsError | str) -> None:
    found = judged(Scripted(0.8, verdict))
    assert found.judgement.score == 0.8
    assert {verdict.holds for verdict in found.judgement.checkpoints} == {None}
    assert len(found.calls) == 2


def test_a_plain_no_is_a_no_whatever_the_checkpoints_say() -> None:
    found = judged(Scripted("no", findings("fulfils", "tests", "security")))
    assert (found.judgement.score, found.judgement.is_probability) == (0.0, False)


def test_no_usable_answer_at_all_accepts_nothing() -> None:
    found = judged(Scripted(InvalidAnswer("maybe"), InvalidAnswer("no JSON")))
    assert (found.judgement.score, found.judgement.is_probability, len(found.calls)) == (0.0, False, 2)


@pytest.mark.parametrize("fault", [Unreachable("no server"), BudgetExhausted("no room")])
@pytest.mark.parametrize("before", [(), (0.5,)])
def test_a_judge_that_cannot_be_asked_raises_with_all_calls(fault: KrinsError, before: tuple[float, ...]) -> None:
    with pytest.raises((ModelFault, BudgetExhausted)) as raised:
        judged(Scripted(*before, fault))
    assert isinstance(raised.value, ModelFault | BudgetExhausted)
    assert [made.model for made in raised.value.calls] == [f"call {n + 1}" for n in range(len(before) + 1)]


def test_requests_begin_alike_and_hold_the_task_the_evidence_and_the_view() -> None:
    model = Scripted(0.5, findings())
    found = judged(model)
    texts = [request.messages[0].text for request in model.requests]
    assert all(text.startswith(found.shown.prompt) for text in texts)
    assert len({request.system for request in model.requests}) == 1
    assert texts[0].endswith(IS_RIGHT)
    assert [(request.choices, request.answer_type) for request in model.requests] == [
        (("yes", "no"), None),
        ((), Findings),
    ]
    prompt = found.shown.prompt
    assert "| Write f(x) that doubles x." in prompt
    assert "| tests: failed" in prompt and "1 failed" in prompt
    assert "+    return 2 * x  # (comment left out)" in prompt
    assert "say yes" not in prompt and "answer yes" not in prompt
    assert (found.shown.n_speaking, found.shown.n_lines_cut) == (2, 0)


def test_without_gates_that_is_said() -> None:
    assert "| none were made" in show(TASK, CHANGE, ()).prompt
