"""Task folders: a tree to change, what a model is asked, and the hidden tests that judge the change.

A folder holds one folder a task, named by its id, with

    task.yaml       prompt, category, difficulty, language; see `TaskFile`
    tree/           the files as they are before; may be left out
    tests.py        hidden tests, see `krins.quality.hidden_tests`
    reference/      files that a right change adds or replaces
    wrong_NAME/     the same of a plausible wrong change, of which `task.yaml` says what is wrong

Invariants: tasks come sorted by id, and files by path, so their order is the same everywhere; nobody who asks a model
reads tests, reference or wrong changes from here. Left out: running anything, and what a prompt shows of a tree
(`krins.pipeline.contexts`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from krins.domain import GivenContext, Task
from krins.errors import TaskError, boundary
from krins.quality.programs import ROOM, is_there
from krins.suite import LiveEnvironment, Scalar

_MOST_TREE_BYTES = 2**20
_MAKE_ROOM = "keep the files that the task is about"
_NEEDED = "a task needs task.yaml and tests.py"


class TaskFile(BaseModel):
    """What `task.yaml` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt: str = Field(min_length=1)
    category: str
    difficulty: Literal["easy", "medium", "hard"]
    language: str = Field(min_length=1)
    """Of what is to be changed: python, javascript, yaml, shell, markdown ..."""
    tests: list[str] = Field(default_factory=list)
    """Test files of the tree that show the request: visible ones, which a change need not keep from failing before."""
    protected: list[str] = Field(default_factory=list)
    """Patterns of paths, as fnmatch has them, that a change must leave alone, beside all tests."""
    answer_file: str | None = None
    """The file that an answer which is one code block alone stands for."""
    needs: list[str] = Field(default_factory=list)
    """Programs without which the tests cannot be run, beside Python and sh."""
    wrong: dict[str, str] = Field(default_factory=dict)
    """Of each folder `wrong_NAME`, by NAME, what is wrong there."""

    @field_validator("needs")
    @classmethod
    def _known(cls, needs: list[str]) -> list[str]:
        if unknown := set(needs) - ROOM.keys():
            raise ValueError(f"{sorted(unknown)}; a task may need {sorted(ROOM)}")
        return needs


@dataclass(frozen=True, slots=True)
class CodingTask:
    """A task with its hidden tests, which no model and no router sees, and its source tree, which routers never see."""

    task: Task
    tests: str
    tree: Mapping[str, str] = field(default_factory=dict)
    """Relative POSIX path to text, sorted."""
    visible_tests: Sequence[str] = ()
    """Paths of the tree."""
    protected: Sequence[str] = ()
    needs: Sequence[str] = ()
    answer_file: str | None = None
    context_text: str = ""
    """What a prompt shows of the tree."""
    context: GivenContext | None = None
    """How much that is; None without a tree, and until `krins.pipeline.contexts` has made it."""


def load_tasks(environment: LiveEnvironment) -> list[CodingTask]:
    """Read the tasks that a live suite names, filtered, sorted by id.

    Raises:
        TaskError: the folder is missing, a task in it is incomplete, or the filters leave none.
    """
    folder = environment.tasks
    everything = load_folder(folder)
    _check_filters(environment, [coding.task for coding in everything])
    kept = [coding for coding in everything if _selected(coding.task, environment)]
    if not kept:
        raise TaskError(
            f"{folder}: no task is left of {len(everything)} after include and exclude", "loosen the filters"
        )
    return kept


def load_folder(folder: Path) -> list[CodingTask]:
    """All tasks in a folder, sorted by id.

    Raises:
        TaskError: the folder is missing, holds no task, or a task in it is incomplete.
    """
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such task folder", "give a folder of task folders (a suite's, relative to it)")
    tasks = [_load_task(path) for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] not in "._"]
    if not tasks:
        raise TaskError(f"{folder}: there is no task in it", "give a folder that holds one folder a task")
    return tasks


def runnable(tasks: Sequence[CodingTask]) -> tuple[list[CodingTask], Mapping[str, list[str]]]:
    """The tasks whose programs are there; and by missing program, the ids of those that are left out.

    Raises:
        TaskError: none is left.
    """
    missing: dict[str, list[str]] = {}
    kept = []
    for coding in tasks:
        absent = [program for program in coding.needs if not is_there(program)]
        for program in absent:
            missing.setdefault(program, []).append(coding.task.task_id)
        if not absent:
            kept.append(coding)
    if not kept:
        raise TaskError(f"no task can be run without {', '.join(missing)}", "install it, or choose other tasks")
    return kept, missing


def fingerprint(tasks: Sequence[CodingTask]) -> str:
    """SHA-256 over prompts, hidden tests, trees and contexts: equal fingerprints ask and judge the same."""
    return hashlib.sha256(repr([_identity(coding) for coding in tasks]).encode()).hexdigest()


def _identity(coding: CodingTask) -> tuple[object, ...]:
    of_answers = (coding.visible_tests, coding.protected, coding.answer_file)
    return (coding.task, coding.tests, dict(coding.tree), coding.context_text, *of_answers)


def _load_task(folder: Path) -> CodingTask:
    file = read_task_file(folder)
    tests = _text_of(folder / "tests.py")
    task = Task(folder.name, file.prompt, file.category, file.difficulty, file.language)
    tree = load_tree(folder / "tree")
    if absent := sorted(set(file.tests) - tree.keys()):
        raise TaskError(f"{folder / 'task.yaml'}: tests: {absent[0]} is not in tree/", "name files of the tree")
    return CodingTask(task, tests, tree, tuple(file.tests), tuple(file.protected), tuple(file.needs), file.answer_file)


def read_task_file(folder: Path) -> TaskFile:
    """
    Raises:
        TaskError: `task.yaml` is missing, or does not hold what it should.
    """
    path = folder / "task.yaml"
    text = _text_of(path)
    # Of anything: a date that is none, a number that is too long and lists in lists have errors of their own.
    with boundary(TaskError, f"{path}: not YAML", "mend the syntax there"):
        content = yaml.safe_load(text)
    try:
        return TaskFile.model_validate(content)
    except ValidationError as failure:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in failure.errors(include_url=False))
        raise TaskError(f"{path}: {problems}", "mend these keys") from failure


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as failure:
        raise TaskError(f"{path}: {failure.strerror}", _NEEDED) from failure
    except UnicodeError as failure:
        raise TaskError(f"{path}: no UTF-8 text: {failure}", "write it in UTF-8") from failure


def load_tree(root: Path) -> dict[str, str]:
    """The files under `root`, byte code aside; none where there is no such folder.

    Raises:
        TaskError: a file is no UTF-8 text, all are too much, or something there is a link and so lies elsewhere.
    """
    tree: dict[str, str] = {}
    n_bytes = 0
    for path in [root, *root.rglob("*")] if root.is_symlink() or root.exists() else []:
        if path.is_symlink() or not (path.is_dir() or (path.is_file() and path != root)):
            raise TaskError(f"{path}: a tree holds folders and files alone", "copy what it stands for, or remove it")
        if path.is_dir() or path.parent.name == "__pycache__":
            continue
        with boundary(TaskError, f"{path}: no UTF-8 text", _MAKE_ROOM, catch=(OSError, UnicodeError)):
            n_bytes += path.stat().st_size
            if n_bytes > _MOST_TREE_BYTES:
                raise TaskError(f"{root}: more than {_MOST_TREE_BYTES:,} bytes of source", _MAKE_ROOM)
            name = path.relative_to(root).as_posix().encode().decode()
            tree[name] = path.read_bytes().decode()
    return dict(sorted(tree.items()))


_FILTERS = ("task_id", "category", "difficulty", "language")


def _check_filters(environment: LiveEnvironment, tasks: Sequence[Task]) -> None:
    unknown = sorted((environment.include.keys() | environment.exclude.keys()) - set(_FILTERS))
    if unknown:
        raise TaskError(f"a live suite cannot filter by {', '.join(unknown)}", f"filter by {', '.join(_FILTERS)}")
    for key, values in (*environment.include.items(), *environment.exclude.items()):
        found = {getattr(task, key) for task in tasks}
        for value in values:
            if value not in found:
                raise TaskError(f"a filter on {key} names {value!r}, which no task has", f"there is {sorted(found)}")


def _selected(task: Task, environment: LiveEnvironment) -> bool:
    def among(key: str, values: Sequence[Scalar]) -> bool:
        return getattr(task, key) in values

    return all(among(key, values) for key, values in environment.include.items()) and not any(
        among(key, values) for key, values in environment.exclude.items()
    )
