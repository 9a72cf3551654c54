"""Checking tasks: right ones are sound, and each way in which one can be unsound is found."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from krins.cli import main
from krins.errors import TaskError
from krins.interfaces import Limits
from krins.pipeline.task_check import Checked, check_tasks, n_changes
from krins.pipeline.tasks import load_folder, runnable
from krins.pipeline.verifiers import hidden_tests
from krins.quality.sandbox import choose_sandbox
from tests.support.suites import TASKS

YAML = """
category: docs
difficulty: easy
language: python
prompt: Double it.
tests: [tests/test_double.py]
wrong:
  triples: It triples.
  adds: It adds two.
  edits_tests: It changes the visible tests.
"""
FILES = {
    "task.yaml": YAML,
    "tests.py": "def test_it(project): assert project.module('double').double(4) == 8\n",
    "tree/double.py": "def double(n): return n\n",
    "tree/tests/test_double.py": "",
    "reference/double.py": "def double(n): return 2 * n\n",
    "wrong_triples/double.py": "def double(n): return 3 * n\n",
    "wrong_adds/double.py": "def double(n): return n + 2\n",
    "wrong_edits_tests/double.py": "def double(n): return 2 * n\n",
    "wrong_edits_tests/tests/test_double.py": "# nothing to see here\n",
}


def write(folder: Path, **changed: str | None) -> Path:
    for name, text in (FILES | {key.replace("__", "/").replace("_py", ".py"): v for key, v in changed.items()}).items():
        path = folder / "doubling" / name
        if text is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return folder


def check(folder: Path, seed: int = 0) -> list[Checked]:
    seen: list[int] = []
    tasks = load_folder(folder)
    verifier_of = hidden_tests(choose_sandbox(allow_unsafe=False), Limits(wall_seconds=60.0))
    checked = check_tasks(folder, tasks, verifier_of, 2, seed, seen.append)
    assert sum(seen) == len(checked) == n_changes(folder, tasks)
    return checked


@pytest.mark.parametrize("folder", [TASKS, TASKS.parent / "context_tasks"], ids=lambda folder: folder.name)
def test_the_tasks_of_this_project_are_sound(folder: Path) -> None:
    tasks, _ = runnable(load_folder(folder))
    verifier_of = hidden_tests(choose_sandbox(allow_unsafe=False), Limits(wall_seconds=60.0))
    checked = check_tasks(folder, tasks, verifier_of, os.cpu_count() or 1, 3, lambda _: None)
    assert [one for one in checked if not one.is_right] == []
    assert len({one.task_id for one in checked}) == len(tasks)


def test_a_sound_task(tmp_path: Path) -> None:
    checked = check(write(tmp_path))
    assert all(one.is_right for one in checked)
    assert [(one.name, one.passes) for one in checked] == [
        ("reference", True),
        ("unchanged", False),
        ("wrong_adds", False),
        ("wrong_edits_tests", False),
        ("wrong_triples", False),
    ]
    assert "tests/test_double.py" in checked[3].evidence
    assert checked[4].evidence.startswith("0 of 1 hidden tests pass\ntest_it: AssertionError")
    assert check(tmp_path, seed=7) == checked


def test_a_reference_that_fails_and_a_wrong_change_that_passes_are_found(tmp_path: Path) -> None:
    write(tmp_path, reference__double_py="def double(n): return 0\n")
    write(tmp_path, wrong_adds__double_py="def double(n): return n + n\n")
    (tmp_path / "doubling/reference/double.py").write_text("def double(n): return 0\n")
    assert [one.name for one in check(tmp_path) if not one.is_right] == ["reference", "wrong_adds"]


def test_a_task_that_is_done_before_anyone_answers_is_found(tmp_path: Path) -> None:
    write(tmp_path, tree__double_py="def double(n): return n * 2\n")
    assert "unchanged" in [one.name for one in check(tmp_path) if not one.is_right]


def test_what_is_not_explained_or_not_enough_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "doubling" / "wrong_more").mkdir()
    with pytest.raises(TaskError, match="wrong_more is a folder or explained"):
        check(tmp_path)
    (tmp_path / "doubling" / "task.yaml").write_text(YAML + "  more: It is empty.\n")
    with pytest.raises(TaskError, match="wrong_more: no files"):
        check(tmp_path)


def test_fewer_than_three_wrong_changes_are_too_few(tmp_path: Path) -> None:
    write(tmp_path, wrong_adds__double_py=None)
    (tmp_path / "doubling" / "task.yaml").write_text(YAML.replace("  adds: It adds two.\n", ""))
    with pytest.raises(TaskError, match="2 wrong changes"):
        check(tmp_path)


def test_tests_that_cannot_be_run_are_said_of_their_task_alone(tmp_path: Path) -> None:
    write(tmp_path)
    shutil.copytree(tmp_path / "doubling", tmp_path / "broken")
    (tmp_path / "broken" / "tests.py").write_text("def (\n")
    wrong = [one for one in check(tmp_path) if not one.is_right]
    assert [(one.task_id, one.is_judged) for one in wrong] == [("broken", False)] * 4, "one is refused unrun"
    assert all(one.evidence.startswith("the tests cannot be run: SyntaxError") for one in wrong)


def test_the_command_says_what_is_unsound_and_fails(tmp_path: Path) -> None:
    write(tmp_path)
    sound = CliRunner().invoke(main, ["tasks", "check", str(tmp_path), "--repeat", "2"])
    assert sound.exit_code == 0, sound.output
    assert "1 tasks, 10 changes judged: all came as they should" in sound.output
    (tmp_path / "doubling/wrong_adds/double.py").write_text("def double(n): return n + n\n")
    unsound = CliRunner().invoke(main, ["tasks", "check", str(tmp_path), "--repeat", "1"])
    assert unsound.exit_code == 1
    assert "doubling, wrong_adds: 1 of 1 hidden tests pass" in unsound.output
