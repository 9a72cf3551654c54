"""Paths and links that lead out of a tree lead nowhere on the host, were they to come as far as a sandbox.

What refuses them before is tested with patches and tasks (tests/pipeline).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from krins.errors import SandboxFault
from krins.quality.hidden_tests import HiddenTests
from tests.quality.conftest import of

UP = "../" * 20


@pytest.mark.parametrize("start", [UP, f"a/{UP}"])
def test_a_path_that_leads_out_of_the_tree_writes_nothing_outside(
    hidden_tests: HiddenTests, tmp_path: Path, start: str
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    for path in (tmp_path / "planted", kept, Path("/etc/krins-planted")):
        tree = {start + str(path).lstrip("/"): "planted"}
        with suppress(SandboxFault):  # a sandbox in which there is no such place to write to
            hidden_tests.verify(of("x = 1", tree), "def test_it(solution): pass")
    assert [file.name for file in tmp_path.iterdir()] == ["kept"] and kept.read_text() == "kept"
    assert not Path("/etc/krins-planted").exists()


LINKS = """
import os
def link(target, name):
    os.symlink(target, name)
    try:
        with open(name) as file:
            return file.read()
    except OSError as refused:
        return type(refused).__name__
def write(name):
    try:
        with open(name, "w") as file:
            file.write("overwritten")
    except OSError as refused:
        return type(refused).__name__
"""


def test_a_link_to_the_host_reads_and_writes_nothing_there(hidden_tests: HiddenTests, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    tests = f"""
def test_links(solution):
    for number, target in enumerate(("/etc/shadow", {str(secret)!r}, "/proc/self/cwd/../etc/shadow")):
        name = f"/tmp/tree/link-{{number}}"
        assert solution.link(target, name) == "FileNotFoundError"
        assert solution.write(name) in ("FileNotFoundError", "PermissionError", "OSError")

def test_kept(project):
    ran = project.run("sh", "-c", "ln -s {secret} kept && ln -s / root", keep=["kept", "root/etc/shadow"])
    assert ran.exit_code == 0 and ran.files == {{"kept": None, "root/etc/shadow": None}}
"""
    verdict = hidden_tests.verify(of(LINKS), tests)
    assert (verdict.quality, verdict.evidence) == (1.0, "")
    assert secret.read_text() == "secret"


def test_a_link_in_the_working_directory_cannot_be_made(run: Callable[..., Any]) -> None:
    code = """
import os
try:
    os.symlink("/etc/passwd", "a.txt.link")
    print("made")
except OSError:
    print("refused")
"""
    assert run(code, files={"a.txt": "text"}).output == "refused\n"
