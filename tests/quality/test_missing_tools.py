"""What is chosen on machines that lack bubblewrap, or both tools, down to what the command line says of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from krins.cli import main
from krins.errors import SandboxMissing
from krins.quality.sandbox import choose_sandbox, why_not
from krins.quality.unshare import Unshare
from tests.conftest import ROOT

TASK = "backend-easy-success-status"
Hide = Callable[..., None]


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Let programs be found nowhere, by name."""
    find = shutil.which

    def hide_programs(*names: str) -> None:
        def which(name: str, *arguments: Any, **options: Any) -> str | None:
            return f"/nowhere/{name}" if name in names else find(name, *arguments, **options)

        monkeypatch.setattr(shutil, "which", which)

    return hide_programs


def test_without_bubblewrap_it_is_unshare(hide: Hide) -> None:
    if reason := why_not(Unshare()):
        pytest.skip(f"unshare does not work on this machine: {reason}")
    hide("bwrap")
    assert isinstance(choose_sandbox(allow_unsafe=False), Unshare)


def test_without_both_there_is_none(hide: Hide) -> None:
    hide("bwrap", "unshare", "setpriv")
    with pytest.raises(
        SandboxMissing, match=r"bubblewrap: /nowhere/bwrap did not start.*unshare: /nowhere/setpriv did"
    ):
        choose_sandbox(allow_unsafe=False)


def test_the_command_line_refuses_unless_it_is_told_to_go_without(hide: Hide, tmp_path: Path) -> None:
    hide("bwrap", "unshare", "setpriv")
    shutil.copytree(ROOT / "evals" / "tasks" / TASK, tmp_path / TASK)
    command = ["tasks", "check", str(tmp_path), "--repeat", "1", "--workers", "1"]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "no sandbox works on this machine" in refused.output and "--unsafe-local" in refused.output
    allowed = CliRunner().invoke(main, [*command, "--unsafe-local"])
    assert allowed.exit_code == 0, allowed.output
