"""Task folders: those of the project are sound, and what is wrong with one is named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from krins.errors import TaskError
from krins.pipeline.tasks import fingerprint, load_tasks
from krins.quality.hidden_tests import HiddenTests
from krins.quality.sandbox import choose_sandbox
from krins.suite import LiveEnvironment
from tests.support.suites import TASKS, live_environment

FOLDERS = sorted(path for path in TASKS.iterdir() if path.is_dir())


def environment(tasks: Path, **keys: Any) -> LiveEnvironment:
    return LiveEnvironment.model_validate({**live_environment("http://unused/v1", ["m"], **keys), "tasks": tasks})


def make_task(folder: Path, name: str = "one", **files: str) -> None:
    content = {
        "task.yaml": "prompt: Do it.\ncategory: docs\ndifficulty: easy\nlanguage: python\n",
        "tests.py": "def test_it(solution): assert solution.f() == 1\n",
        **{key.replace("__", "."): value for key, value in files.items()},
    }
    (folder / name).mkdir(parents=True)
    for file, text in content.items():
        (folder / name / file).write_text(text)


def test_there_is_one_task_for_each_category_and_difficulty() -> None:
    tasks = [coding.task for coding in load_tasks(environment(TASKS))]
    assert Counter((task.category, task.difficulty) for task in tasks) == {
        (category, difficulty): 1
        for category in ("backend", "devops", "docs", "frontend")
        for difficulty in ("easy", "medium", "hard")
    }


@pytest.fixture(scope="module")
def verifier() -> HiddenTests:
    return HiddenTests(choose_sandbox(allow_unsafe=False))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_reference_passes_and_every_wrong_solution_fails(folder: Path, verifier: HiddenTests) -> None:
    tests = (folder / "tests.py").read_text()
    verdict = verifier.verify((folder / "reference.py").read_text(), tests)
    assert (verdict.quality, verdict.checks_passed) == (1.0, verdict.checks_total), verdict.evidence
    wrong = sorted(folder.glob("wrong_*.py"))
    assert len(wrong) >= 3
    for path in wrong:
        assert verifier.verify(path.read_text(), tests).quality == 0.0, path.name


def test_filters(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        make_task(tmp_path, name)
    chosen = load_tasks(environment(tmp_path, include={"category": ["docs"]}, exclude={"task_id": ["b"]}))
    assert [coding.task.task_id for coding in chosen] == ["a", "c"]
    with pytest.raises(TaskError, match="no task is left of 3"):
        load_tasks(environment(tmp_path, exclude={"category": ["docs"]}))
    with pytest.raises(TaskError, match="names 'devops', which no task has"):
        load_tasks(environment(tmp_path, include={"category": ["devops"]}))
    with pytest.raises(TaskError, match="cannot filter by colour"):
        load_tasks(environment(tmp_path, include={"colour": ["red"]}))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"task__yaml": "prompt: [\n"}, "task.yaml: not YAML"),
        ({"task__yaml": "prompt: x\n"}, "task.yaml: category: Field required"),
        ({"task__yaml": "- x\n"}, "task.yaml: : Input should be a valid dictionary"),
    ],
)
def test_a_task_that_is_wrong_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    make_task(tmp_path, **files)
    with pytest.raises(TaskError, match=message):
        load_tasks(environment(tmp_path))


def test_a_task_without_tests_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    make_task(tmp_path)
    (tmp_path / "one" / "tests.py").unlink()
    with pytest.raises(TaskError, match=r"tests\.py: No such file"):
        load_tasks(environment(tmp_path))
    with pytest.raises(TaskError, match="no such task folder"):
        load_tasks(environment(tmp_path / "nowhere"))


def test_a_fingerprint_sees_prompts_and_hidden_tests(tmp_path: Path) -> None:
    make_task(tmp_path)
    before = fingerprint(load_tasks(environment(tmp_path)))
    assert fingerprint(load_tasks(environment(tmp_path))) == before
    (tmp_path / "one" / "tests.py").write_text("def test_it(solution): assert solution.f() == 2\n")
    assert fingerprint(load_tasks(environment(tmp_path))) != before
