"""Processes put together from a suite's option, and what their gates look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from krins.domain import Change, Task
from krins.pipeline.processes import gates_by_task, impacted, processes
from krins.pipeline.tasks import CodingTask
from krins.quality.bubblewrap import Bubblewrap
from krins.suite import LiveEnvironment
from tests.pipeline.scripted import Scripted, ScriptedJudge, WordVerifier, attempted, code

TREE = {
    "app/__init__.py": "",
    "app/one.py": "def one():\n    return 1\n",
    "app/two.py": "def two():\n    return 2\n",
    "settings.toml": "a = 1\n",
    "tests/test_one.py": "from app.one import one\n\n\ndef test_one():\n    assert one() == 1\n",
    "tests/test_two.py": "from app.two import two\n\n\ndef test_two():\n    assert two() == 2\n",
}


def environment(names: list[str], **pipeline: Any) -> LiveEnvironment:
    return LiveEnvironment.model_validate({"kind": "live", "tasks": Path("x"), "models": names, "pipeline": pipeline})


MODELS = {name: Scripted(name=name) for name in ("a", "b", "c")}


def test_directly_nobody_reviews() -> None:
    made = processes(environment([*MODELS]), MODELS, Bubblewrap())
    assert list(made) == ["a", "b", "c"]
    assert all((one.reviewer, one.tester, one.rounds) == (None, None, 0) for one in made.values())
    assert made["b"].proposer is MODELS["b"]


@pytest.mark.parametrize("mode", ["judge", "spec"])
def test_each_has_its_reviewer_and_in_spec_mode_its_tester(mode: str) -> None:
    made = processes(environment([*MODELS], mode=mode, rounds=3, accept_score=0.7), MODELS, Bubblewrap())
    for arm, process in made.items():
        assert process.proposer is MODELS[arm]
        assert process.reviewer is not None
        assert (process.reviewer.accept_score, process.rounds) == (0.7, 3)
        assert (process.tester is not None) == (mode == "spec")


@pytest.mark.parametrize(("option", "judge"), [({}, "c"), ({"judge": "b"}, "b"), ({"judge": "a"}, "a")])
def test_another_model_judges_unless_one_is_named(option: dict[str, str], judge: str) -> None:
    judges = {name: ScriptedJudge(0.9) for name in MODELS}
    made = processes(environment([*MODELS], mode="judge", **option), judges, Bubblewrap())["a"]
    assert made.reviewer is not None
    without_gates = replace(made.reviewer, gates_of=lambda _: [])
    process = replace(made, proposer=Scripted(code("f = 'good'")), reviewer=without_gates)
    coding = CodingTask(Task("t", "Write f."), "", answer_file="solution.py")
    outcome = attempted(coding, process, lambda _: WordVerifier())
    judgement = outcome.rounds[0].judgement
    assert judgement is not None
    assert judgement.model == judge
    assert [name for name in MODELS if judges[name].requests] == [judge]


def test_gates_are_made_once_for_each_task() -> None:
    gates_of = gates_by_task(Bubblewrap())
    one, two = (CodingTask(Task(name), "") for name in ("one", "two"))
    assert gates_of(one) is gates_of(one)
    assert gates_of(one) is not gates_of(two)
    assert [gate.name for gate in gates_of(one)][:2] == ["syntax", "visible tests"]


def test_a_body_breaks_the_tests_that_reach_it_alone() -> None:
    change = Change(TREE, {**TREE, "app/one.py": "def one():\n    return 3\n"}, "")
    assert impacted(change) == ["tests/test_one.py"]


def test_what_is_outside_of_bodies_breaks_all_tests() -> None:
    for path, text in (("app/one.py", "def one(x=0):\n    return 1\n"), ("settings.toml", "a = 2\n")):
        assert impacted(Change(TREE, {**TREE, path: text}, "")) == ["tests/test_one.py", "tests/test_two.py"]


def test_files_that_come_or_go_leave_no_telling() -> None:
    assert impacted(Change(TREE, {**TREE, "app/three.py": ""}, "")) is None
    assert impacted(Change(TREE, {path: text for path, text in TREE.items() if path != "app/two.py"}, "")) is None
