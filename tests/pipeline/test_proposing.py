"""What a proposer is asked, first and again."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from krins.domain import (
    Checkpoint,
    CheckpointVerdict,
    GateResult,
    GateStatus,
    GeneratedTests,
    Judgement,
    Message,
    Round,
    Task,
)
from krins.pipeline.proposing import (
    AGAIN,
    CHANGED_FILES,
    MAX_FINDING_CHARS,
    MOST_FINDINGS_BYTES,
    ONE_FILE,
    Turn,
    findings_of,
    request_for,
)
from krins.pipeline.tasks import CodingTask

CODING = CodingTask(Task("t", "Write f.\n"), "HIDDEN", {"a.py": "A = 1\n"}, context_text="a.py: A = 1\n")
ONE = CodingTask(Task("t", "Write f."), "HIDDEN", answer_file="solution.py")
TURNS = [Turn("first answer", "first findings"), Turn("second answer", "second findings")]


def gate(evidence: str, status: GateStatus = GateStatus.FAILED, blocks: bool = True, name: str = "tests") -> GateResult:
    return GateResult(name, status, blocks, evidence, 0.0)


def objecting(*doubted: Checkpoint) -> Judgement:
    verdicts = [CheckpointVerdict(point, point not in doubted, f"line of {point}") for point in Checkpoint]
    return Judgement(0.1, True, tuple(verdicts), "m")


def test_context_comes_first_then_the_task_then_the_form() -> None:
    [message] = request_for(CODING, 3).messages
    assert message == Message("user", f"a.py: A = 1\n\n=== Task\n\nWrite f.\n\n{CHANGED_FILES}\n")
    assert request_for(CODING, 3).sample == 3
    assert request_for(ONE, 0).messages[0].text == f"Write f.\n\n{ONE_FILE}\n"


def test_every_later_question_begins_with_all_of_the_earlier_one() -> None:
    asked = [request_for(CODING, 0, TURNS[:n]).messages for n in range(3)]
    assert asked[1] == (
        *asked[0],
        Message("assistant", "first answer"),
        Message("user", f"first findings\n\n{AGAIN}\n"),
    )
    assert asked[2][:3] == asked[1]
    assert request_for(CODING, 0, TURNS) == request_for(CODING, 0, TURNS)
    assert "HIDDEN" not in str(asked)


def test_tests_that_must_pass_are_shown_in_their_language_behind_a_fence_that_they_cannot_end() -> None:
    python = GeneratedTests("tests/test_request.py", 'TEXT = """\n````\ncode\n````\n"""\n')
    text = request_for(CODING, 0, tests=python).messages[0].text
    assert f"These tests must pass:\n\n{python.path}\n`````python\n{python.text}`````\n\n{CHANGED_FILES}" in text
    node = GeneratedTests("tests/request.test.mjs", "test();")
    assert "request.test.mjs\n```javascript\ntest();\n```\n" in request_for(CODING, 0, tests=node).messages[0].text
    none = GeneratedTests("tests/test_request.py", "", "they pass on the unchanged tree")
    assert request_for(CODING, 0, tests=none) == request_for(CODING, 0)


def test_findings_are_the_red_gates_alone_where_there_are_any() -> None:
    gates = (
        gate("a.py:1: one"),
        gate("GPL", blocks=False, name="licences"),
        gate("2 tests ran", GateStatus.PASSED, name="impact"),
        gate("no node", GateStatus.NOT_RUN, name="semgrep"),
        gate("b.py:2: two", name="security"),
    )
    assert findings_of(Round("d", gates=gates)).splitlines() == [
        "This was found wrong with your change:",
        "",
        "- tests: a.py:1: one",
        "- security: b.py:2: two",
    ]


def test_findings_of_a_judge_are_the_checkpoints_that_do_not_hold() -> None:
    found = findings_of(Round("d", judgement=objecting(Checkpoint.EDGE_CASES, Checkpoint.SECURITY)))
    assert found.splitlines()[2:] == [
        "- edge cases: a reviewer objects to: line of edge_cases",
        "- security: a reviewer objects to: line of security",
    ]
    uncounted = Judgement(0.1, True, tuple(CheckpointVerdict(point, None, "?") for point in Checkpoint), "m")
    for judgement in (objecting(), uncounted):
        assert findings_of(Round("d", judgement=judgement)).splitlines()[2:] == [
            "A reviewer doubts that the change is right."
        ]


def test_a_problem_is_told_and_long_evidence_is_cut() -> None:
    assert findings_of(Round(problem="no change")) == "Your answer cannot be used: no change"
    long = findings_of(Round("d", gates=(gate("x" * (MAX_FINDING_CHARS + 1)),)))
    assert long.endswith("x ...")
    assert len(re.findall("x+ \\.\\.\\.", long)[0]) == MAX_FINDING_CHARS + len(" ...")


@given(
    evidences=st.lists(st.text(min_size=1).map(lambda text: text * 2000), max_size=8),
    quotes=st.lists(st.text(max_size=3).map(lambda text: text * 2000), min_size=7, max_size=7),
    problem=st.text(max_size=3).map(lambda text: text * 2000),
)
def test_findings_stay_within_what_budgets_reserve_for_them(
    evidences: list[str], quotes: list[str], problem: str
) -> None:
    verdicts = tuple(CheckpointVerdict(point, False, quote) for point, quote in zip(Checkpoint, quotes, strict=True))
    gates = tuple(gate(evidence, name="visible tests") for evidence in evidences)
    for found in (
        Round(problem=problem),
        Round("d", gates=gates),
        Round("d", judgement=Judgement(0, True, verdicts, "m")),
    ):
        assert len(f"{findings_of(found)}\n\n{AGAIN}\n".encode()) <= MOST_FINDINGS_BYTES
