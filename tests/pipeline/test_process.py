"""The way from the first question to the change that is submitted, with models that answer by script."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from krins.domain import FailureKind, GateStatus, Outcome, Task
from krins.errors import BudgetExhausted, Overloaded, Refused, TooLong, Unreachable
from krins.pipeline.judging.judge import Judge
from krins.pipeline.process import Process
from krins.pipeline.tasks import CodingTask
from krins.runs.audit import audit_lines
from tests.pipeline.scripted import (
    Fault,
    Scripted,
    ScriptedJudge,
    WordGate,
    WordVerifier,
    attempted,
    code,
    files,
    reviewed,
    timeless,
)

CODING = CodingTask(Task("t", "Write f."), "assert HIDDEN", answer_file="solution.py")
GOOD, BAD = code("f = 'good'"), code("f = 'bad'")
GATES = [WordGate("bad")]


def agents(outcome: Outcome) -> list[str]:
    return [made.agent for made in outcome.calls]


def test_directly_one_answer_is_one_round_with_its_diff() -> None:
    model, verifier = Scripted(BAD), WordVerifier()
    outcome = attempted(CODING, Process(model), lambda _: verifier)
    [found] = outcome.rounds
    assert "+++ b/solution.py\n@@ -0,0 +1 @@\n+f = 'bad'\n" in found.diff
    assert (found.problem, found.gates, found.judgement, found.is_accepted) == ("", (), None, False)
    assert (outcome.submitted, outcome.quality, outcome.cost_usd, agents(outcome)) == (0, 0.0, Decimal(1), ["proposer"])
    assert [change.diff for change in verifier.seen] == [found.diff]


def test_directly_an_answer_without_a_change_is_a_round_and_not_asked_again() -> None:
    outcome = attempted(CODING, Process(Scripted("I cannot.")), lambda _: WordVerifier())
    assert len(outcome.rounds) == 1
    assert outcome.rounds[0].problem
    assert (outcome.submitted, outcome.failure is not None) == (None, True)


def test_a_red_gate_goes_back_with_its_evidence_and_nobody_judges_it() -> None:
    model, judge = Scripted(BAD, GOOD), ScriptedJudge(0.9)
    outcome = attempted(CODING, reviewed(model, judge, GATES), lambda _: WordVerifier())
    first, second = (request.messages for request in model.requests)
    assert second[: len(first)] == first, "a provider's cache takes the longest prefix"
    assert [message.role for message in second] == ["user", "assistant", "user"]
    assert second[1].text == BAD
    assert "- tests: solution.py:1: bad\n" in second[2].text
    assert len(judge.requests) == 2, "of the second round alone"
    assert all("'good'" in request.messages[0].text for request in judge.requests)
    assert agents(outcome) == ["proposer", "proposer", "judge", "judge"]
    assert [(found.gates[0].status, found.is_accepted) for found in outcome.rounds] == [
        (GateStatus.FAILED, False),
        (GateStatus.PASSED, True),
    ]
    assert (outcome.submitted, outcome.quality, outcome.cost_usd) == (1, 1.0, Decimal("2.2"))
    assert outcome.usage is not None
    assert (outcome.usage.calls, outcome.usage.tokens, outcome.latency_seconds) == (4, 480, 8.0)


def test_no_more_rounds_than_allowed_each_charged() -> None:
    model, judge = Scripted(*[code(f"f = 'bad {number}'") for number in range(4)]), ScriptedJudge()
    outcome = attempted(CODING, reviewed(model, judge, GATES, rounds=2), lambda _: WordVerifier())
    assert (len(model.requests), len(outcome.rounds), len(outcome.attempts), judge.requests) == (3, 3, 3, [])
    assert (outcome.cost_usd, outcome.submitted, outcome.quality, outcome.failure) == (Decimal(3), 2, 0.0, None)
    asked = [request.messages for request in model.requests]
    assert [len(messages) for messages in asked] == [1, 3, 5]
    assert asked[1][:1] == asked[0] and asked[2][:3] == asked[1]
    assert not any("HIDDEN" in message.text for message in asked[2])


def test_accepted_at_once_it_is_asked_and_judged_once() -> None:
    model, judge = Scripted(GOOD, BAD), ScriptedJudge(0.5)
    outcome = attempted(CODING, reviewed(model, judge, GATES), lambda _: WordVerifier())
    assert (len(model.requests), len(judge.requests), outcome.submitted) == (1, 2, 0)
    assert outcome.rounds[0].is_accepted, "a score at the threshold is enough"
    assert outcome.rounds[0].judgement is not None
    assert (outcome.rounds[0].judgement.score, outcome.rounds[0].judgement.model) == (0.5, "judge")


def test_what_the_judge_objects_to_goes_back_word_for_word() -> None:
    model, judge = Scripted(code("f = 'so so'"), GOOD), ScriptedJudge(0.49, 0.9, quote="f = 'so so'")
    outcome = attempted(CODING, reviewed(model, judge, GATES), lambda _: WordVerifier())
    assert "- edge cases: a reviewer objects to: f = 'so so'\n" in model.requests[1].messages[2].text
    assert agents(outcome) == ["proposer", "judge", "judge"] * 2
    assert (outcome.submitted, outcome.cost_usd, outcome.quality) == (1, Decimal("2.4"), 1.0)


def test_a_doubt_without_an_objection_goes_back_as_a_doubt() -> None:
    model, judge = Scripted(BAD, GOOD), ScriptedJudge(0.2, 0.9, objects=False)
    attempted(CODING, reviewed(model, judge), lambda _: WordVerifier())
    assert "A reviewer doubts" in model.requests[1].messages[2].text


@pytest.mark.parametrize(("reason", "cut"), [("stop", False), ("length", True)])
def test_an_answer_without_a_change_is_a_round_with_a_problem_and_is_repaired(reason: str, cut: bool) -> None:
    model = Scripted("I cannot.", GOOD, finish_reason=reason)
    outcome = attempted(CODING, reviewed(model, ScriptedJudge(0.9), GATES), lambda _: WordVerifier())
    problem = outcome.rounds[0].problem
    assert ("cut off at the token limit" in problem) == cut
    assert (outcome.rounds[0].diff, outcome.rounds[0].gates) == ("", ())
    assert f"Your answer cannot be used: {problem}" in model.requests[1].messages[2].text
    assert (outcome.submitted, outcome.quality, len(outcome.rounds)) == (1, 1.0, 2)


def test_never_a_change_is_the_models_failure_in_its_last_words() -> None:
    model = Scripted("I cannot.", "I still cannot.", "```python\nf = 1")
    outcome = attempted(CODING, reviewed(model, ScriptedJudge(), GATES), lambda _: WordVerifier())
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == (FailureKind.MODEL, outcome.rounds[2].problem)
    assert "cut off" in outcome.failure.message
    assert (outcome.submitted, outcome.cost_usd, outcome.quality) == (None, Decimal(3), 0.0)


def test_a_change_of_what_is_not_to_be_changed_is_repaired() -> None:
    tree = {"a.py": "A = 1\n", "tests/test_a.py": "import a\n", "conf.toml": "a = 1\n"}
    coding = CodingTask(CODING.task, "", tree, visible_tests=["tests/test_a.py"], protected=["*.toml"])
    tests, settings = files({"tests/test_a.py": "pass"}), files({"conf.toml": "a = 2"})
    outcome = attempted(
        coding,
        reviewed(Scripted(tests, settings, files({"a.py": "A = 'good'"})), ScriptedJudge(0.9)),
        lambda _: WordVerifier(),
    )
    assert ["protected by" in found.problem for found in outcome.rounds] == [True, True, False]
    assert (outcome.submitted, outcome.quality) == (2, 1.0)


def test_what_a_gate_cannot_check_is_not_accepted_nor_sent_back_in_vain() -> None:
    model, judge = Scripted(code("f = 'unknowable good'"), GOOD), ScriptedJudge(0.9)
    outcome = attempted(CODING, reviewed(model, judge, GATES), lambda _: WordVerifier())
    [found] = outcome.rounds
    assert (found.gates[0].status, found.is_accepted, judge.requests) == (GateStatus.NOT_RUN, False, [])
    assert (outcome.submitted, outcome.quality, outcome.cost_usd) == (0, 1.0, Decimal(1)), (
        "it is submitted all the same"
    )


@pytest.mark.parametrize("text", ["f = 'good unknowable'", "f = 'good bad'"])
def test_a_gate_that_does_not_block_neither_stops_nor_goes_back(text: str) -> None:
    model, judge = Scripted(code(text), GOOD), ScriptedJudge(0.9)
    process = reviewed(model, judge, [WordGate("bad", "licences", blocks=False)])
    outcome = attempted(CODING, process, lambda _: WordVerifier())
    assert (len(outcome.rounds), outcome.rounds[0].is_accepted, len(judge.requests)) == (1, True, 2)
    assert "licences: " in judge.requests[0].messages[0].text, "the judge is told"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Overloaded("too busy"), FailureKind.INFRASTRUCTURE),
        (BudgetExhausted("no room"), FailureKind.BUDGET),
    ],
)
def test_a_judge_that_fails_in_the_second_round_loses_neither_calls_nor_rounds(fault: Fault, kind: FailureKind) -> None:
    model, judge = Scripted(BAD, GOOD), ScriptedJudge(0.1, fault)
    outcome = attempted(CODING, reviewed(model, judge), lambda _: WordVerifier())
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert agents(outcome) == ["proposer", "judge", "judge", "proposer", "judge"]
    assert [made.error for made in outcome.calls] == [None] * 4 + [type(fault).__name__]
    assert outcome.cost_usd == outcome.billed_usd == Decimal("2.3")
    assert [bool(found.diff) for found in outcome.rounds] == [True, True]
    assert [found.judgement is not None for found in outcome.rounds] == [True, False]
    assert (len(outcome.attempts), outcome.verdict, outcome.quality) == (2, None, 0.0)


@pytest.mark.parametrize("fault", [Refused("I will not"), TooLong("the prompt does not fit")])
def test_a_model_that_gives_no_second_answer_submits_its_first(fault: Fault) -> None:
    model, judge = Scripted(code("f = 'bad good'"), fault, GOOD), ScriptedJudge()
    outcome = attempted(CODING, reviewed(model, judge, GATES), lambda _: WordVerifier())
    assert [found.problem for found in outcome.rounds] == ["", str(fault)]
    assert (outcome.submitted, outcome.quality, outcome.failure) == (0, 1.0, None)
    assert (outcome.cost_usd, agents(outcome), len(outcome.attempts)) == (Decimal(2), ["proposer"] * 2, 1)


def test_a_proposer_out_of_reach_in_the_second_round_is_infrastructure_with_all_calls() -> None:
    model, judge = Scripted(BAD, Unreachable("no server")), ScriptedJudge(0.1)
    outcome = attempted(CODING, reviewed(model, judge), lambda _: WordVerifier())
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INFRASTRUCTURE
    assert (agents(outcome), outcome.cost_usd) == (["proposer", "judge", "judge", "proposer"], Decimal("2.2"))


def test_nothing_accepted_submits_the_surest() -> None:
    answers = [code(f"f = 'good {number}'") for number in range(3)]
    model, judge = Scripted(*answers), ScriptedJudge(0.2, 0.4, 0.3)
    verifier = WordVerifier()
    outcome = attempted(CODING, reviewed(model, judge), lambda _: verifier)
    assert (outcome.submitted, outcome.cost_usd) == (1, Decimal("3.6"))
    assert [change.written for change in verifier.seen] == [{"solution.py": "f = 'good 1'\n"}]


def test_the_same_answers_give_the_same_outcome() -> None:
    def outcome() -> Outcome:
        model, judge = Scripted("I cannot.", BAD, GOOD), ScriptedJudge(0.9)
        return timeless(attempted(CODING, reviewed(model, judge, GATES), lambda _: WordVerifier(), sample=2))

    assert outcome() == outcome()


def test_a_change_that_the_judge_cannot_be_shown_whole_is_not_sent_back() -> None:
    """It would be as long the next time, and nothing was found wrong with it."""
    process = reviewed(Scripted(GOOD), judge := ScriptedJudge(0.9), GATES, rounds=2)
    assert process.reviewer is not None
    short = replace(process.reviewer, judge=Judge(judge, "judge", max_chars=20))
    outcome = attempted(CODING, replace(process, reviewer=short), lambda _: WordVerifier())
    [found] = outcome.rounds
    assert found.judgement is not None
    assert (found.judgement.n_lines_cut > 0, found.is_accepted, outcome.submitted, outcome.quality) == (
        True,
        False,
        0,
        1.0,
    )
    assert any("had no room" in line.verdict for line in audit_lines([outcome]))
