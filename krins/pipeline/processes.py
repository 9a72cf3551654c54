"""The processes of a suite's arms, put together from its option `pipeline`.

Left out: which model judges whom (`krins.suite.LiveEnvironment.judge_of`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from krins.context.edits import Edit
from krins.context.index import CodeIndex
from krins.context.tests_for import TestMap
from krins.context.tree import MemoryTree
from krins.domain import Change
from krins.interfaces import Gate, Model, Sandbox
from krins.pipeline.judging.judge import Judge
from krins.pipeline.process import Process
from krins.pipeline.reviewing import GatesOf, Reviewer
from krins.pipeline.spec import Tester
from krins.pipeline.syntax import syntax_error_lines
from krins.pipeline.tasks import CodingTask
from krins.quality.gates.running import default_gates
from krins.quality.gates.tree_runs import TEST_LIMITS
from krins.suite import LiveEnvironment


def processes(environment: LiveEnvironment, models: Mapping[str, Model], sandbox: Sandbox) -> Mapping[str, Process]:
    """By arm. `models`: by arm, too."""
    option = environment.pipeline
    if option.mode == "direct":
        return {arm: Process(model) for arm, model in models.items()}
    gates_of = gates_by_task(sandbox)
    made = {}
    for arm, model in models.items():
        judge = environment.judge_of(arm)
        reviewer = Reviewer(gates_of, Judge(models[judge], judge), environment.accept_score_of(judge))
        tester = Tester(model, sandbox, TEST_LIMITS) if option.mode == "spec" else None
        made[arm] = Process(model, reviewer, tester, option.rounds)
    return made


def gates_by_task(sandbox: Sandbox) -> GatesOf:
    """By task: its gates, made once."""
    made: dict[str, Sequence[Gate]] = {}

    def gates_of(coding: CodingTask) -> Sequence[Gate]:
        task_id = coding.task.task_id
        if task_id not in made:
            made[task_id] = default_gates(sandbox, syntax_error_lines, coding.visible_tests, impacted)
        return made[task_id]

    return gates_of


def impacted(change: Change) -> Sequence[str] | None:
    """Test files that a change can break, by the code graph of the tree before; None: all of them."""
    if change.deleted or any(path not in change.before for path in change.written):
        return None
    tree = MemoryTree(dict(change.before))
    tests = TestMap(CodeIndex(tree, workers=1).update(), tree)
    edits = [Edit(path, change.before[path].encode(), text.encode()) for path, text in change.written.items()]
    return sorted({name.partition("::")[0] for name in tests.tests_for(edits).ids})
