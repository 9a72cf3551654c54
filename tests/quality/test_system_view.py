"""What of the system is in view of a sandbox, and that hidden tests never are."""

from __future__ import annotations

import os
import xml
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from krins.errors import SandboxFault
from krins.quality.interpreter import Interpreter, interpreter
from krins.quality.system_view import private_folders, system_view

SYSTEM = Interpreter(Path("/usr/bin/python3"), Path("/usr"))
HOME = Path(os.environ.get("HOME", "/root"))
XML = Path(xml.__file__).resolve().parent
"""A folder among the interpreter's libraries that Python does not need to start."""


@pytest.fixture
def own(tmp_path: Path) -> Interpreter:
    """An interpreter in a folder of its own, which has other things in it as well."""
    for name in ("bin", "lib/python3.11", "lib/checkout/evals", "src/checkout"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin" / "python3").touch()
    return Interpreter(tmp_path / "bin" / "python3", tmp_path)


def test_an_interpreter_of_its_own_is_bound_beside_the_system(own: Interpreter) -> None:
    added = set(system_view(own, []).bound) - set(system_view(SYSTEM, []).bound)
    assert added == {own.executable, own.prefix / "lib"}


def test_whole_trees_are_never_bound(own: Interpreter) -> None:
    for python in (own, SYSTEM, interpreter()):
        bound = set(system_view(python, []).bound)
        assert not {Path(name) for name in ("/", "/usr", "/usr/share", "/home", "/root", "/etc", "/opt")} & bound
        assert not [path for path in bound if path.is_relative_to("/usr/src") or path == python.prefix]


@pytest.mark.parametrize("prefix", ["/", "/usr"])
def test_an_interpreter_of_the_system_adds_nothing(prefix: str) -> None:
    bound = system_view(Interpreter(Path(prefix) / "bin" / "python3", Path(prefix)), []).bound
    assert len(bound) == len(set(bound))
    assert {path.parts[1] for path in bound} <= {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc"}
    assert not [path for path in bound if path.is_relative_to("/usr/local")]


def test_an_interpreter_whose_folder_holds_the_home_is_refused() -> None:
    with pytest.raises(SandboxFault, match="holds the home"):
        system_view(Interpreter(HOME / "bin" / "python3", HOME), [])


def test_a_private_folder_is_hidden_where_it_would_be_in_view(own: Interpreter) -> None:
    checkout = own.prefix / "lib" / "checkout"
    view = system_view(own, [checkout / "evals", checkout, own.prefix / "src" / "checkout", own.prefix, Path("/")])
    assert view.hidden == [checkout]


def test_a_private_folder_is_hidden_behind_a_link(own: Interpreter, tmp_path: Path) -> None:
    libraries = (tmp_path / "lib").rename(tmp_path / "src" / "lib")
    (tmp_path / "lib").symlink_to(libraries)
    assert system_view(own, [libraries / "checkout"]).hidden == [tmp_path / "lib" / "checkout"]


@pytest.mark.parametrize("folder", [Path("/usr/bin"), Path("/usr/lib"), XML.parent])
def test_a_private_folder_that_is_needed_is_refused(folder: Path) -> None:
    with pytest.raises(SandboxFault, match="must be kept from sandboxed code"):
        system_view(interpreter(), [folder])


def test_the_project_and_the_current_folder_are_private(tmp_path: Path) -> None:
    with chdir(tmp_path):
        assert set(private_folders()) == {Path(__file__).parents[2], tmp_path}


def test_a_current_folder_that_is_gone_needs_no_hiding(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    with chdir(tmp_path):  # where the end of the inner block returns to
        os.chdir("gone")
        (tmp_path / "gone").rmdir()
        assert private_folders() == [Path(__file__).parents[2]]


LIST = """
import os, sys
for folder in sys.argv[1:]:
    print(sum(len(files) for _, _, files in os.walk(folder)), os.access(folder, os.W_OK))
"""


def test_the_current_folder_is_empty_inside_though_it_lies_among_the_libraries(run: Callable[..., Any]) -> None:
    files, _ = run(LIST, arguments=(str(XML),)).output.split()
    assert int(files) > 0
    with chdir(XML / "dom"):
        assert run(LIST, arguments=(str(XML / "dom"),)).output.split() == ["0", "False"]
    with chdir(XML):
        assert run(LIST, arguments=(str(XML),)).output.split() == ["0", "False"]


def test_the_project_is_out_of_view(run: Callable[..., Any]) -> None:
    assert run(LIST, arguments=(str(Path(__file__).parents[2]),)).output.split() == ["0", "False"]


def test_of_usr_only_what_is_needed_is_in_view(run: Callable[..., Any]) -> None:
    code = "import glob, os\nfor folder in ('/usr/', '/usr/share/'): print(*glob.glob('*', root_dir=folder))"
    folders, shared = run(code).output.splitlines()
    expected = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "share"}
    assert set(folders.split()) <= expected | ({"local"} if interpreter().prefix == Path("/usr/local") else set())
    assert set(shared.split()) <= {"zoneinfo"}


def test_the_interpreter_is_the_one_outside_any_virtual_environment() -> None:
    python = interpreter()
    assert python.executable.is_file()
    assert not python.executable.is_symlink()
    assert python.command == (str(python.executable), "-I", "-S")
