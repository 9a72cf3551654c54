"""Task folders: what a model is asked, and the hidden tests that judge its answer.

A folder holds one folder a task, named by its id, with `task.yaml` (prompt, category, difficulty, language),
`tests.py` (hidden tests, see `krins.quality.hidden_tests`) and `reference.py` (a solution that passes).
Invariant: tasks come sorted by id, so their order is the same everywhere. Left out: running anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from krins.domain import Task
from krins.errors import TaskError
from krins.suite import LiveEnvironment, Scalar


class TaskFile(BaseModel):
    """What `task.yaml` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt: str = Field(min_length=1)
    category: str
    difficulty: Literal["easy", "medium", "hard"]
    language: Literal["python"]


@dataclass(frozen=True, slots=True)
class CodingTask:
    """A task with its hidden tests, which no model and no router sees."""

    task: Task
    tests: str


def load_tasks(environment: LiveEnvironment) -> list[CodingTask]:
    """Read the tasks that a live suite names, filtered, sorted by id.

    Raises:
        TaskError: the folder is missing, a task in it is incomplete, or the filters leave none.
    """
    folder = environment.tasks
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such task folder", "give `tasks` relative to the suite file")
    everything = [_load_task(path) for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] not in "._"]
    _check_filters(environment, [coding.task for coding in everything])
    kept = [coding for coding in everything if _selected(coding.task, environment)]
    if not kept:
        raise TaskError(
            f"{folder}: no task is left of {len(everything)} after include and exclude", "loosen the filters"
        )
    return kept


def fingerprint(tasks: Sequence[CodingTask]) -> str:
    """SHA-256 over prompts and hidden tests: equal fingerprints ask and judge the same."""
    return hashlib.sha256(repr([(coding.task, coding.tests) for coding in tasks]).encode()).hexdigest()


def _load_task(folder: Path) -> CodingTask:
    try:
        content = yaml.safe_load((folder / "task.yaml").read_text(encoding="utf-8"))
        tests = (folder / "tests.py").read_text(encoding="utf-8")
        file = TaskFile.model_validate(content)
    except OSError as failure:
        raise TaskError(f"{failure.filename}: {failure.strerror}", "a task needs task.yaml and tests.py") from failure
    except yaml.YAMLError as failure:
        raise TaskError(f"{folder / 'task.yaml'}: not YAML: {failure}", "mend the syntax there") from failure
    except ValidationError as failure:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in failure.errors(include_url=False))
        raise TaskError(f"{folder / 'task.yaml'}: {problems}", "mend these keys") from failure
    task = Task(folder.name, file.prompt, file.category, file.difficulty, file.language)
    return CodingTask(task, tests)


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
