"""Task folders: those of the project are sound, and what is wrong with one is named."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from krins.domain import Change, Task
from krins.errors import TaskError
from krins.pipeline.tasks import CodingTask, fingerprint, load_tasks, runnable
from krins.quality.hidden_tests import HiddenTests
from krins.quality.sandbox import choose_sandbox
from krins.suite import LiveEnvironment
from tests.support.suites import TASKS, live_environment

CONTEXT_TASKS = TASKS.parent / "context_tasks"


def environment(tasks: Path, **keys: Any) -> LiveEnvironment:
    return LiveEnvironment.model_validate(live_environment("http://unused/v1", ["m"], tasks=str(tasks), **keys))


def make_task(folder: Path, name: str = "one", more: str = "", **files: str) -> None:
    content = {
        "task.yaml": "prompt: Do it.\ncategory: docs\ndifficulty: easy\nlanguage: python\n" + more,
        "tests.py": "def test_it(solution): assert solution.f() == 1\n",
        **{key.replace("__", "."): value for key, value in files.items()},
    }
    (folder / name).mkdir(parents=True)
    for file, text in content.items():
        (folder / name / file).write_text(text)


def test_there_are_as_many_tasks_in_each_category_and_difficulty() -> None:
    tasks = [coding.task for coding in load_tasks(environment(TASKS))]
    counts = Counter((task.category, task.difficulty) for task in tasks)
    assert counts.keys() == set(product(("backend", "devops", "docs", "frontend"), ("easy", "medium", "hard")))
    assert len(set(counts.values())) == 1


def load_one(folder: Path) -> CodingTask:
    [coding] = load_tasks(environment(folder.parent, include={"task_id": [folder.name]}))
    return coding


@pytest.mark.parametrize("folder", sorted(CONTEXT_TASKS.iterdir()), ids=lambda folder: folder.name)
def test_tasks_about_a_tree_need_it_and_most_of_it_is_beside_the_point(folder: Path) -> None:
    coding = load_one(folder)
    solution = (folder / "reference" / "solution.py").read_text()
    assert 8 <= len(coding.tree) <= 12
    assert (folder / "wrong_without_tree").exists()
    tests = "import importlib\ndef test_it():\n"
    names = [path.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for path in coding.tree]
    tests += "".join(f"    importlib.import_module({name!r})\n" for name in names)
    verifier = HiddenTests(choose_sandbox(allow_unsafe=False))
    assert verifier.verify(Change(coding.tree, coding.tree, ""), tests).evidence == "", "every module imports"
    alone = verifier.verify(Change({}, {"solution.py": solution}, ""), "def test_it(solution): pass")
    assert "ModuleNotFoundError" in alone.evidence


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
        ({"task__yaml": "language: 2024-13-45\n"}, "task.yaml: not YAML: month must be in"),
        ({"task__yaml": f"language: {'1' * 5000}\n"}, "task.yaml: not YAML: Exceeds the limit"),
        ({"task__yaml": "[" * 3000}, "task.yaml: not YAML: maximum recursion depth"),
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


@pytest.mark.parametrize("name", ["tests.py", "task.yaml"])
def test_a_file_of_a_task_that_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    make_task(tmp_path)
    (tmp_path / "one" / name).write_bytes(b"# \xff\n")
    with pytest.raises(TaskError, match=f"one/{name}: no UTF-8 text"):
        load_tasks(environment(tmp_path))


def test_a_folder_without_a_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=f"{tmp_path.name}: there is no task in it"):
        load_tasks(environment(tmp_path))


def test_a_fingerprint_sees_prompts_and_hidden_tests(tmp_path: Path) -> None:
    make_task(tmp_path)
    before = fingerprint(load_tasks(environment(tmp_path)))
    assert fingerprint(load_tasks(environment(tmp_path))) == before
    (tmp_path / "one" / "tests.py").write_text("def test_it(solution): assert solution.f() == 2\n")
    assert fingerprint(load_tasks(environment(tmp_path))) != before


def make_tree(folder: Path, files: dict[str, bytes]) -> Path:
    make_task(folder)
    for name, content in files.items():
        path = folder / "one" / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "one" / "tree"


def test_a_tree_is_read_by_path_with_line_ends_as_they_are(tmp_path: Path) -> None:
    files = {"b.py": b"x = 1\r\n", "a/c.py": "é = 2".encode(), "a/__pycache__/c.cpython-311.pyc": b"\xff"}
    make_tree(tmp_path, files)
    [coding] = load_tasks(environment(tmp_path))
    assert list(coding.tree.items()) == [("a/c.py", "é = 2"), ("b.py", "x = 1\r\n")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.py": b"\xff"}, "tree/a.py: no UTF-8 text"),
        ({os.fsdecode(b"\xff.py"): b""}, "no UTF-8 text"),
        ({"a.py": b"#" * 2**19, "b.py": b"#" * 2**19, "c.py": b"#"}, "tree: more than 1,048,576 bytes"),
    ],
    ids=["binary", "name", "too much"],
)
def test_a_tree_of_other_than_a_little_text_is_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    make_tree(tmp_path, files)
    with pytest.raises(TaskError, match=message):
        load_tasks(environment(tmp_path))


@pytest.mark.parametrize("name", ["tree", "tree/link.py", "tree/folder"])
@pytest.mark.parametrize("target", ["tests.py", "nowhere"])
def test_a_tree_holds_no_links(tmp_path: Path, name: str, target: str) -> None:
    make_task(tmp_path)
    link = tmp_path / "one" / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "one" / target)
    with pytest.raises(TaskError, match="folders and files alone"):
        load_tasks(environment(tmp_path))


def test_a_tree_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    make_task(tmp_path)
    (tmp_path / "one" / "tree").write_text("x = 1\n")
    with pytest.raises(TaskError, match="folders and files alone"):
        load_tasks(environment(tmp_path))


def test_a_fingerprint_sees_trees_contexts_and_what_answers_may_be(tmp_path: Path) -> None:
    make_tree(tmp_path, {"a.py": b"x = 1\n"})
    [coding] = load_tasks(environment(tmp_path))
    others = [
        coding,
        replace(coding, tree={}),
        replace(coding, tree={"a.py": "x = 2\n"}),
        replace(coding, tree={"b.py": "x = 1\n"}),
        replace(coding, context_text="x = 1\n"),
        replace(coding, protected=("a.py",)),
        replace(coding, visible_tests=("a.py",)),
        replace(coding, answer_file="a.py"),
    ]
    assert len({fingerprint([other]) for other in others}) == len(others)


def test_visible_tests_are_files_of_the_tree_and_programs_are_known(tmp_path: Path) -> None:
    make_task(tmp_path, more="tests: [tests/test_a.py]\nneeds: [node]\nprotected: [conf/*]\n")
    with pytest.raises(TaskError, match=r"tests: tests/test_a\.py is not in tree/"):
        load_tasks(environment(tmp_path))
    (tmp_path / "one" / "tree" / "tests").mkdir(parents=True)
    (tmp_path / "one" / "tree" / "tests" / "test_a.py").write_text("x = 1\n")
    coding = load_one(tmp_path / "one")
    assert (coding.visible_tests, coding.needs, coding.protected) == (("tests/test_a.py",), ("node",), ("conf/*",))
    make_task(tmp_path, "two", more="needs: [perl]\n")
    with pytest.raises(TaskError, match="a task may need"):
        load_tasks(environment(tmp_path))


def test_tasks_whose_programs_are_missing_are_left_out_with_their_names() -> None:
    plain, other = CodingTask(Task("a"), ""), CodingTask(Task("b"), "", needs=("no-such-program",))
    assert runnable([plain, other]) == ([plain], {"no-such-program": ["b"]})
    with pytest.raises(TaskError, match="no task can be run without no-such-program"):
        runnable([other])
