"""What of the system is bound into a sandbox."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from krins.errors import SandboxFault
from krins.quality.interpreter import Interpreter, interpreter
from krins.quality.system_view import read_only_paths


def test_an_interpreter_of_its_own_is_bound_beside_the_system(tmp_path: Path) -> None:
    paths = read_only_paths(Interpreter(tmp_path / "bin" / "python3", tmp_path))
    assert tmp_path in paths
    assert tmp_path / "bin" / "python3" not in paths
    assert not {Path("/"), Path("/home"), Path("/root"), Path("/etc")} & set(paths)


def test_an_interpreter_of_the_system_adds_nothing() -> None:
    paths = read_only_paths(Interpreter(Path("/usr/bin/python3"), Path("/usr")))
    assert paths.count(Path("/usr")) == 1
    assert Path("/usr/bin/python3") not in paths


@pytest.mark.parametrize("prefix", ["/", os.environ.get("HOME", "/root")])
def test_an_interpreter_whose_folder_holds_the_home_is_refused(prefix: str) -> None:
    with pytest.raises(SandboxFault, match="holds the home"):
        read_only_paths(Interpreter(Path(prefix) / "bin" / "python3", Path(prefix)))


def test_the_interpreter_is_the_one_outside_any_virtual_environment() -> None:
    python = interpreter()
    assert python.executable.is_file()
    assert not python.executable.is_symlink()
    assert python.command == (str(python.executable), "-I", "-S")
