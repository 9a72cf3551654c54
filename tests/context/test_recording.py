"""Recordings of real test suites, run by this interpreter's pytest in folders of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from krins.context.edits import Edit
from krins.context.index import CodeIndex
from krins.context.recording import Recording, record
from krins.context.tests_for import TestMap
from krins.context.tree import WorkTree
from krins.errors import ContextError

CORE = """def first():
    return 0


import functools


def early():
    return 1


EARLY = early()


@functools.cache
def cached():
    return 2


def late():
    return 3


class Box:
    def __len__(self):
        return 4


def outer():
    def inner():
        return 5

    return inner()


def spare():
    return 6


class Cyclic:
    def __del__(self):
        return 8
"""
TESTS = """import subprocess
import sys
import threading

import pytest

import core


@pytest.fixture(scope="module")
def made():
    return core.late()


def test_first(made):
    assert core.cached() == 2


def test_second(made):
    assert core.cached() == 2


def test_box():
    assert core.Box()


@pytest.mark.parametrize("n", [1, 2])
def test_inner(n):
    assert n == 1 or core.outer() == 5


def test_thread():
    thread = threading.Thread(target=core.spare)
    thread.start()
    thread.join()


def test_process():
    subprocess.run([sys.executable, "-c", "import core; core.spare()"], check=True)


def test_source():
    with open(core.__file__) as file:
        assert file.read()


def test_lines():
    import inspect

    assert inspect.getsource(core.late)


def test_loader():
    assert core.__loader__.get_source("core")


def test_spawn():
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()


def test_cycle():
    box = core.Cyclic()
    box.box = box


class TestFailing:
    def test_fails(self):
        assert False
"""
ALL = {
    "test_core.py::test_first",
    "test_core.py::test_second",
    "test_core.py::test_box",
    "test_core.py::test_inner",
    "test_core.py::test_thread",
    "test_core.py::test_process",
    "test_core.py::test_source",
    "test_core.py::test_lines",
    "test_core.py::test_loader",
    "test_core.py::test_spawn",
    "test_core.py::test_cycle",
    "test_core.py::TestFailing::test_fails",
}
READERS = {"test_core.py::test_source", "test_core.py::test_lines", "test_core.py::test_loader"}
UNKNOWN = {"test_core.py::test_process", "test_core.py::test_spawn", "test_core.py::TestFailing::test_fails"}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True, scope="module")
def _no_plugins() -> Iterator[None]:
    """Those that this interpreter happens to have take longer to load than the tests to run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("project"), {"core.py": CORE, "test_core.py": TESTS})


@pytest.fixture(scope="module")
def recorded(project: Path) -> Recording:
    return record(project, sys.executable, ["-q"], "abc")


def line(text: str) -> int:
    return CORE.split("\n").index(text) + 1


def ran(recorded: Recording, text: str) -> set[str]:
    return set(recorded.ids(recorded.running("core.py", line(text), line(text))))


def test_each_test_is_known_once_by_its_id_without_parameters(recorded: Recording) -> None:
    assert set(recorded.tests) == ALL
    assert recorded.commit == "abc"


def test_whatever_a_test_needs_counts_as_run_by_it_though_it_is_made_once_for_many(recorded: Recording) -> None:
    """A fixture of the module and a cache are filled by the first test alone, where tests run one after another."""
    assert ran(recorded, "def late():") == {"test_core.py::test_first", "test_core.py::test_second"}
    assert ran(recorded, "@functools.cache") == {"test_core.py::test_first", "test_core.py::test_second"}


def test_what_the_interpreter_or_a_thread_calls_counts_as_run(recorded: Recording) -> None:
    assert ran(recorded, "    def __len__(self):") == {"test_core.py::test_box"}
    assert ran(recorded, "    def inner():") == {"test_core.py::test_inner"}
    assert ran(recorded, "def spare():") == {"test_core.py::test_thread"}
    assert ran(recorded, "    def __del__(self):") == {"test_core.py::test_cycle"}


def test_functions_that_loading_runs_are_told_apart(recorded: Recording) -> None:
    assert recorded.is_run_by_loading("core.py", line("def early():"), line("def early():") + 1)
    assert not recorded.is_run_by_loading("core.py", line("def late():"), line("def late():") + 1)


def test_tests_that_start_processes_or_fail_are_unconfined_and_readers_of_sources_are_known(
    recorded: Recording,
) -> None:
    assert set(recorded.ids(recorded.unconfined)) == UNKNOWN
    assert set(recorded.ids(recorded.reads["core.py"])) >= READERS
    assert "test_core.py::test_box" not in recorded.ids(recorded.reads["core.py"])


def test_a_recording_is_read_back_as_it_was_saved(recorded: Recording, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tests.json"
    recorded.save(path)
    assert Recording.load(path) == recorded


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 0}', '{"version": 1, "tests": []}'])
def test_a_damaged_recording_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "tests.json"
    path.write_text(content)
    with pytest.raises(ContextError, match=r"tests\.json"):
        Recording.load(path)


def test_an_edit_selects_what_ran_the_function_and_what_is_not_known(project: Path, recorded: Recording) -> None:
    tree = WorkTree(project)
    tests = TestMap(CodeIndex(tree).update(), tree, recorded)

    def selected(old: str, new: str) -> set[str]:
        return set(tests.tests_for([Edit("core.py", CORE.encode(), CORE.replace(old, new).encode())]).ids)

    always = UNKNOWN | set(recorded.ids(recorded.reads["core.py"]))
    assert selected("return 4", "return 0") == {"test_core.py::test_box"} | always
    assert selected("return 0", "return 7") == always
    assert selected("return 5", "return 0") == {"test_core.py::test_inner"} | always
    assert selected("return 1", "return 0") == {"test_core.py"}
    assert selected("EARLY = early()", "EARLY = 0") == {"test_core.py"}


def test_tests_that_cannot_be_collected_are_an_error_with_pytests_words(tmp_path: Path) -> None:
    folder = write(tmp_path / "broken", {"test_a.py": "import nowhere\n"})
    with pytest.raises(ContextError, match="nowhere"):
        record(folder, sys.executable)


def test_a_project_without_tests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="could not be recorded"):
        record(write(tmp_path / "empty", {"a.py": ""}), sys.executable)


def test_an_interpreter_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="cannot be run"):
        record(tmp_path, str(tmp_path / "python"))


def test_tests_that_end_their_process_or_take_the_profiler_away_are_unconfined_and_others_go_on(tmp_path: Path) -> None:
    tests = (
        "import os\nimport sys\n\n\ndef test_dies():\n    os._exit(3)\n\n\n"
        "def test_takes():\n    sys.setprofile(None)\n\n\ndef test_lives():\n    pass\n"
    )
    found = record(write(tmp_path / "dying", {"test_a.py": tests}), sys.executable)
    assert found.ids(found.unconfined) == ("test_a.py::test_dies", "test_a.py::test_takes")
    assert found.tests == ("test_a.py::test_dies", "test_a.py::test_lives", "test_a.py::test_takes")
