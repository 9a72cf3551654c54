"""What is said of a change before it is submitted, and which change is."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.domain import Call, Change, GateResult, GateStatus, Judgement, Round, Scope, Task
from krins.errors import Unreachable
from krins.pipeline.judging.judge import Judge
from krins.pipeline.reviewing import Reviewer, best
from krins.pipeline.tasks import CodingTask
from tests.pipeline.scripted import ScriptedJudge, WordGate

CODING = CodingTask(Task("t", "Write f."), "HIDDEN")


def gate(name: str, status: GateStatus = GateStatus.FAILED, blocks: bool = True) -> GateResult:
    return GateResult(name, status, blocks, "", 0.0)


def judged(score: float, is_accepted: bool = False, diff: str = "d") -> Round:
    return Round(diff, judgement=Judgement(score, True, (), "m"), is_accepted=is_accepted)


def red(*names: str) -> Round:
    return Round("d", gates=tuple(gate(name) for name in names))


NO_CHANGE = Round(problem="no change")
UNREADABLE = Round("d", gates=(gate("syntax"), gate("tests", GateStatus.NOT_RUN, False)))
CANNOT_RUN = Round("d", gates=(gate("tests", GateStatus.NOT_RUN),))
GPL = Round("d", gates=(gate("licences", blocks=False),), judgement=Judgement(0.4, True, (), "m"))


@pytest.mark.parametrize(
    ("rounds", "submitted"),
    [
        ([], None),
        ([NO_CHANGE, NO_CHANGE], None),
        ([NO_CHANGE, red("tests"), NO_CHANGE], 1),
        ([red("tests", "security"), red("tests"), red("tests", "secrets")], 1),
        ([judged(0.1), red("tests")], 0),
        ([judged(0.4), judged(0.2), judged(0.3)], 0),
        ([judged(0.3), judged(0.4), judged(0.4)], 2),
        ([red("tests"), red("security")], 1),
        ([judged(0.1, is_accepted=True), judged(0.9)], 0),
        ([red("tests", "security"), UNREADABLE], 0),
        ([UNREADABLE, NO_CHANGE], 0),
        ([red("tests"), CANNOT_RUN], 1),
        ([judged(0.1), CANNOT_RUN], 0),
        ([judged(0.3), GPL], 1),
    ],
    ids=[
        "nothing asked",
        "no change at all",
        "the only change",
        "fewest red",
        "none red before one red",
        "surest",
        "the latest of equals",
        "the latest of equally red",
        "accepted before anything",
        "what does not parse comes last",
        "though before nothing",
        "what could not be run is not red",
        "but nobody is sure of it",
        "a finding that does not block is not red",
    ],
)
def test_which_round_is_submitted(rounds: list[Round], submitted: int | None) -> None:
    assert best(rounds) == submitted


ROUNDS = st.lists(
    st.one_of(
        st.just(NO_CHANGE),
        st.just(UNREADABLE),
        st.lists(st.sampled_from(["tests", "security", "secrets"]), unique=True).map(lambda names: red(*names)),
        st.builds(judged, st.floats(0, 1)),
    ),
    max_size=6,
)


@given(ROUNDS)
def test_no_other_round_is_better(rounds: list[Round]) -> None:
    chosen = best(rounds)
    changes = [number for number, found in enumerate(rounds) if found.diff]
    assert (chosen is None) == (not changes)
    if chosen is None:
        return
    assert chosen in changes

    def n_red(number: int) -> int:
        return sum(result.is_red for result in rounds[number].gates)

    readable = [number for number in changes if rounds[number] != UNREADABLE]
    assert chosen in (readable or changes)
    assert n_red(chosen) == min(map(n_red, readable or changes))
    assert best([*rounds, replace(rounds[chosen])]) == len(rounds), "of equals the latest"
    accepted = judged(0.0, is_accepted=True)
    assert best([accepted, *rounds]) == 0


def review(judge: ScriptedJudge, text: str, calls: list[Call]) -> Round:
    reviewer = Reviewer(lambda _: [WordGate("bad")], Judge(judge, "judge"), 0.5)
    change = Change({}, {"a.py": text}, f"+{text}")

    async def both() -> Round:
        with ThreadPoolExecutor(1) as checks:
            seen = await reviewer.check(change, CODING, [WordGate("wrong", "more tests")], checks)
        return await reviewer.ask_judge(seen, change, CODING, Scope("c", "t"), calls)

    return asyncio.run(both())


def test_gates_come_in_their_order_and_the_judge_sees_what_all_of_them_say() -> None:
    judge, calls = ScriptedJudge(0.75), [Call("p", "x", 0.0, 0.0, None, None, None)]
    found = review(judge, "good", calls)
    assert [result.gate for result in found.gates] == ["tests", "more tests"]
    assert (found.diff, found.is_accepted) == ("+good", True)
    assert found.judgement is not None
    assert (found.judgement.score, found.judgement.is_probability) == (0.75, True)
    assert all("| tests: passed\n| more tests: passed\n" in request.messages[0].text for request in judge.requests)
    assert [made.agent for made in calls] == ["proposer", "judge", "judge"]
    assert "HIDDEN" not in str(judge.requests)


@pytest.mark.parametrize(("text", "red"), [("bad", [True, False]), ("wrong", [False, True])])
def test_nobody_is_asked_about_what_a_gate_turned_down(text: str, red: list[bool]) -> None:
    judge, calls = ScriptedJudge(), list[Call]()
    found = review(judge, text, calls)
    assert ([result.is_red for result in found.gates], found.judgement, found.is_accepted) == (red, None, False)
    assert (judge.requests, calls) == ([], [])


def test_a_judge_out_of_reach_hands_over_its_calls_as_the_judges() -> None:
    calls: list[Call] = []
    with pytest.raises(Unreachable) as raised:
        review(ScriptedJudge(Unreachable("no server")), "good", calls)
    assert [(made.agent, made.model) for made in raised.value.calls] == [("judge", "judge")]
    assert calls == [], "or they would be counted twice"
