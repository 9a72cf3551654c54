"""What every test of a project ran, function by function, at one state of its tree.

A test that did not run a function, each test being by itself (`krins.context.recorder`), runs the same with any other
body of that function, so it cannot tell them apart. That holds as far as a test does the same whenever it is run:
where time, chance, the network or what other tests leave decide what it runs, a recording is one sample of it. The
tests that were recorded are the suite: there are no others.
Invariants: tests go by the node ids of `krins.context.test_files`, all parameters of one together; whatever is not
known to be harmless is in `unconfined`. Left out: which state of the tree it is of, but for the commit's name.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from krins.errors import ContextError, StorageFault, boundary
from krins.runs.store import published

_RECORDER = Path(__file__).with_name("recorder.py")
_VERSION = 1
_TAIL_CHARACTERS = 2000


@dataclass(frozen=True)
class Recording:
    """Sets of tests are integers: bit i for the i-th of `tests`."""

    tests: tuple[str, ...]
    """Node ids, sorted."""
    functions: Mapping[str, Mapping[int, int]]
    """By path and first line, decorators included: the tests that run the function."""
    loading: Mapping[str, Sequence[int]]
    """By path: first lines of functions that are run before any test is, or after all are."""
    reads: Mapping[str, int]
    """By path of a source: the tests that read it as a text."""
    unconfined: int
    """Tests of which it is not known what they run."""
    commit: str = ""
    """Of the tree that it is of; empty where it is that of no commit."""

    def running(self, path: str, start_line: int, end_line: int) -> int:
        """Tests that ran a function, or one inside it."""
        inside = (tests for line, tests in self.functions.get(path, {}).items() if start_line <= line <= end_line)
        return reduce(or_, inside, 0)

    def is_run_by_loading(self, path: str, start_line: int, end_line: int) -> bool:
        """Whether a function, or one inside it, is run when no test is running."""
        return any(start_line <= line <= end_line for line in self.loading.get(path, ()))

    def ids(self, tests: int) -> tuple[str, ...]:
        return tuple(test for bit, test in enumerate(self.tests) if tests >> bit & 1)

    def save(self, path: Path) -> None:
        """Raises StorageFault if it cannot be written."""
        record = {
            "version": _VERSION,
            "commit": self.commit,
            "tests": self.tests,
            "functions": {
                path: {line: hex(tests) for line, tests in lines.items()} for path, lines in self.functions.items()
            },
            "loading": {path: list(lines) for path, lines in self.loading.items()},
            "reads": {path: hex(tests) for path, tests in self.reads.items()},
            "unconfined": hex(self.unconfined),
        }
        with boundary(StorageFault, f"{path.parent}: cannot hold a recording", catch=OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        with published(path) as draft:
            draft.write_text(json.dumps(record), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Raises ContextError if it cannot be read."""
        remedy = "record the tests again"
        damage = (OSError, ValueError, KeyError, TypeError, AttributeError)
        with boundary(ContextError, f"{path}: is no recording of tests", remedy, catch=damage):
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["version"] != _VERSION:
                raise ContextError(f"{path}: was made by another version of krins", remedy)
            return cls(
                tests=tuple(record["tests"]),
                functions={
                    path: {int(line): int(tests, 16) for line, tests in lines.items()}
                    for path, lines in record["functions"].items()
                },
                loading=record["loading"],
                reads={path: int(tests, 16) for path, tests in record["reads"].items()},
                unconfined=int(record["unconfined"], 16),
                commit=record["commit"],
            )


def record(root: Path, python: str, arguments: Sequence[str] = (), commit: str = "") -> Recording:
    """Run a project's tests and write down what each of them runs.

    Args:
        root: the project's folder, where its tests are run.
        python: the interpreter that has the project and pytest.
        arguments: further ones for pytest.

    Raises:
        ContextError: pytest could not run or collect the tests.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "tests.json")
        command = [python, str(_RECORDER), str(output), *arguments]
        with boundary(ContextError, f"{python}: cannot be run", "name an interpreter", catch=OSError):
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode or not output.exists():
            words = (done.stdout + done.stderr).strip()[-_TAIL_CHARACTERS:]
            raise ContextError(
                f"{root}: the tests could not be recorded (exit {done.returncode}):\n{words}",
                f"make `{python} -m pytest {' '.join(arguments)}` collect without errors there",
            )
        return _recording(json.loads(output.read_text(encoding="utf-8")), commit)


def _recording(found: Mapping[str, Any], commit: str) -> Recording:
    tests = tuple(sorted({_base(node_id) for node_id in found["tests"]}))
    bits = {test: 1 << bit for bit, test in enumerate(tests)}
    functions: dict[str, dict[int, int]] = {}
    reads: dict[str, int] = {}
    unconfined = 0
    for node_id, ran in found["tests"].items():
        bit = bits[_base(node_id)]
        for path, line in ran["functions"]:
            lines = functions.setdefault(path, {})
            lines[line] = lines.get(line, 0) | bit
        for path in ran["reads"]:
            reads[path] = reads.get(path, 0) | bit
        unconfined |= bit if ran["unconfined"] else 0
    loading: dict[str, list[int]] = {}
    for path, line in found["loading"]:
        loading.setdefault(path, []).append(line)
    return Recording(tests, functions, loading, reads, unconfined, commit)


def _base(node_id: str) -> str:
    """A test's id without its parameters."""
    path, separator, name = node_id.partition("::")
    return path + separator + name.partition("[")[0]


__all__ = ["Recording", "record"]
