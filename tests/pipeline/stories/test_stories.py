"""Stories that the pipeline must tell as stated: real tasks, gates, sandbox and hidden tests; scripted answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from krins.domain import GateStatus, Outcome, Task
from krins.pipeline.processes import gates_by_task
from krins.pipeline.tasks import CodingTask, load_tasks, load_tree
from krins.pipeline.verifiers import hidden_tests
from krins.runs.execution import Execution
from krins.runs.run import run
from krins.runs.session import read_run
from krins.runs.store import Store
from krins.suite import LiveEnvironment
from tests.pipeline.scripted import Scripted, ScriptedJudge, attempted, files, reviewed, sandbox, timeless
from tests.support.fake_provider import FakeServer
from tests.support.suites import TASKS, live_environment, write_suite

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node, which runs this task, is not here")


def task_of(task_id: str) -> CodingTask:
    only = {"kind": "live", "tasks": TASKS, "models": ["m"], "include": {"task_id": [task_id]}}
    [coding] = load_tasks(LiveEnvironment.model_validate(only))
    return coding


def kept_answer(coding: CodingTask, name: str) -> str:
    """A change that is kept beside a task, as an answer."""
    return files(load_tree(TASKS / coding.task.task_id / name))


def told(
    coding: CodingTask, answers: Sequence[str], scores: Sequence[float], quote: str = ""
) -> tuple[Outcome, Scripted]:
    """As many answers as there are; the judge objects with `quote`."""
    proposer = Scripted(*answers)
    judge = ScriptedJudge(*scores, quote=quote)
    process = reviewed(proposer, judge, gates_by_task(sandbox()), rounds=len(answers) - 1)
    outcome = attempted(coding, process, hidden_tests(sandbox()))
    assert_audited(outcome)
    return outcome, proposer


def assert_audited(outcome: Outcome) -> None:
    """Who did what, with which model, for how many tokens, at what cost, with what verdict, in how many seconds."""
    assert outcome.correlation_id
    for made in outcome.calls:
        assert made.agent in {"proposer", "judge", "tester"}
        assert made.model and made.usage is not None and made.usage.tokens > 0
        assert made.cost_usd is not None and made.latency_seconds >= 0
    assert sum(made.cost_usd or 0 for made in outcome.calls) == outcome.cost_usd
    n_answers = sum(made.agent == "proposer" for made in outcome.calls)
    assert n_answers == len(outcome.rounds)
    for found in outcome.rounds:
        assert [result.gate for result in found.gates][:2] == ["syntax", "visible tests"]
        assert all(result.evidence and result.seconds >= 0 for result in found.gates)
        assert found.judgement is None or (found.judgement.model and 0 <= found.judgement.score <= 1)
    assert outcome.submitted is not None and outcome.verdict is not None


def statuses(outcome: Outcome, number: int) -> Mapping[str, GateStatus]:
    return {result.gate: result.status for result in outcome.rounds[number].gates}


def red(outcome: Outcome, number: int) -> list[str]:
    return [result.gate for result in outcome.rounds[number].gates if result.is_red]


def touched(outcome: Outcome) -> list[str]:
    assert outcome.submitted is not None
    lines = outcome.rounds[outcome.submitted].diff.splitlines()
    return [line.removeprefix("+++ b/") for line in lines if line.startswith("+++ ")]


@needs_node
def test_add_a_dark_mode_toggle() -> None:
    coding = task_of("frontend-medium-dark-toggle")
    outcome, _ = told(coding, [kept_answer(coding, "reference")], [0.9])
    assert touched(outcome) == ["src/header.mjs", "src/settings.mjs"]
    assert statuses(outcome, 0)["visible tests"] is statuses(outcome, 0)["security"] is GateStatus.PASSED
    assert (outcome.rounds[0].is_accepted, outcome.quality) == (True, 1.0)
    made_by = [(made.agent, made.model) for made in outcome.calls]
    assert made_by == [("proposer", "m"), ("judge", "judge"), ("judge", "judge")]


LOG_TREE = {
    "ops/__init__.py": "",
    "ops/log.py": 'def entry(text):\n    return f"typed: {text}"\n',
    "tests/test_log.py": "import unittest\n\nfrom ops.log import entry\n\n\nclass LogTest(unittest.TestCase):\n"
    '    def test_entry(self):\n        self.assertIn("typed: [1, 2]", entry("[1, 2]"))\n',
}
LOG = CodingTask(
    Task("log", "Let `ops.log.entry` say the type of the Python literal that was typed, too.", language="python"),
    "def test_type(project):\n"
    '    entry = project.module("ops.log").entry\n'
    "    assert entry('[1, 2]') == 'typed: [1, 2] (list)'\n",
    LOG_TREE,
)


def log_with(expression: str, more: str = "") -> str:
    body = f'{more}def entry(text):\n    return f"typed: {{text}} ({{type({expression}).__name__}})"\n'
    return files({"ops/log.py": body})


def test_log_with_eval() -> None:
    answers = [log_with("eval(text)"), log_with("ast.literal_eval(text)", "import ast\n\n\n")]
    outcome, proposer = told(LOG, answers, [0.9])
    assert [red(outcome, number) for number in (0, 1)] == [["security"], []]
    assert statuses(outcome, 0)["test impact"] is GateStatus.PASSED, "the tests alone would have let it through"
    assert outcome.rounds[0].judgement is None, "nobody was asked to judge it"
    assert "- security: ops/log.py:2: " in proposer.requests[1].messages[2].text
    assert "eval" in proposer.requests[1].messages[2].text
    assert (outcome.submitted, outcome.rounds[1].is_accepted, outcome.quality) == (1, True, 1.0)
    assert "eval(text)" in outcome.rounds[1].diff and "literal_eval" in outcome.rounds[1].diff
    assert outcome.cost_usd == Decimal("2.2")


GPL = CodingTask(
    Task("gpl", "Let `app.checks.is_tidy` say whether YAML text is tidy.", language="python"),
    "def test_there(project):\n    assert 'yamllint' in project.texts['requirements.txt']\n",
    {"app/__init__.py": "", "requirements.txt": "rich\n"},
)


def test_add_a_gplv3_package() -> None:
    checks = 'def is_tidy(text):\n    from yamllint import linter\n\n    return not list(linter.run(text, "relaxed"))\n'
    outcome, _ = told(GPL, [files({"requirements.txt": "rich\nyamllint==1.35\n", "app/checks.py": checks})], [0.9])
    [licences] = [result for result in outcome.rounds[0].gates if result.gate == "licences"]
    assert (licences.status, licences.blocks, licences.is_red) == (GateStatus.FAILED, False, False)
    assert "requirements.txt:2: dependency: yamllint comes under GPL-3.0-or-later" in licences.evidence
    assert (len(outcome.rounds), outcome.rounds[0].is_accepted, outcome.quality) == (1, True, 1.0)


def test_a_red_patch_is_repaired_and_passes_the_hidden_tests() -> None:
    coding = task_of("backend-easy-search-trash")
    answers = [kept_answer(coding, name) for name in ("wrong_trash_for_good", "reference")]
    outcome, proposer = told(coding, answers, [0.9])
    assert [red(outcome, number) for number in (0, 1)] == [["test impact"], []]
    assert "- test impact: tests/test_trash.py: test: " in proposer.requests[1].messages[2].text
    assert (outcome.submitted, outcome.quality) == (1, 1.0)
    again, _ = told(coding, answers, [0.9])
    assert timeless(again) == timeless(outcome), "the same answers tell the same story"


def test_a_wrong_patch_that_no_gate_sees_is_repaired_after_the_judges_word() -> None:
    coding = task_of("backend-easy-search-trash")
    answers = [kept_answer(coding, name) for name in ("wrong_total_forgotten", "reference")]
    outcome, proposer = told(coding, answers, [0.1, 0.9], quote="that `GET /search` gives (`count_matches`).")
    assert [red(outcome, number) for number in (0, 1)] == [[], []]
    assert "a reviewer objects to: that `GET /search` gives" in proposer.requests[1].messages[2].text
    assert ([found.is_accepted for found in outcome.rounds], outcome.quality) == ([False, True], 1.0)
    assert [made.agent for made in outcome.calls] == ["proposer", "judge", "judge"] * 2


def test_a_repeated_task_is_answered_from_the_cache(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    server = start_server()
    only = {"task_id": ["backend-easy-success-status"]}
    pipeline = {"mode": "spec", "rounds": 1}
    environment = live_environment(server.base_url, ["p-100", "p-0"], include=only, pipeline=pipeline)
    suite = write_suite(tmp_path, environment, ["fixed:p-100", "fixed:p-0"])
    home = tmp_path / "home"
    first = run(suite, home=home, execution=Execution(workers=0))
    n_calls = len(server.calls)
    second = run(suite, home=home, execution=Execution(workers=0))
    assert (first.billed_usd > 0, second.billed_usd, len(server.calls)) == (True, Decimal(0), n_calls)
    once, again = (read_run(Store(home), one.run_id).outcomes for one in (first, second))
    assert len(once) == len(again) == 2
    for cell, outcome in again.items():
        assert_audited(outcome)
        assert all(made.is_cached and made.billed_usd == 0 for made in outcome.calls)
        assert {made.agent for made in outcome.calls} == {"tester", "proposer", "judge"}
        assert outcome.cost_usd == once[cell].cost_usd
        # A change that a model repeats is judged once: the second judgement comes from the cache too.
        paid = [made.cost_usd or Decimal(0) for made in once[cell].calls if not made.is_cached]
        assert once[cell].billed_usd == sum(paid, Decimal(0)) > 0
        mine, theirs = timeless(outcome), timeless(once[cell])
        assert (mine.rounds, mine.submitted, mine.verdict) == (theirs.rounds, theirs.submitted, theirs.verdict)
