"""Runs a tool over texts of a change, in a folder of its own, and reads the JSON that it answers with.

The tools are trusted, the texts are not: they lie under numbers, so that no path of a change means anything to the
file system or to a tool, and no setting that the change brings along is found. Invariants: every run ends with its time
limit; the folder is gone afterwards; a tool gets neither the user's environment nor the user's home.
Left out: tools that run what they look at.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from krins.errors import GateFault

_SECONDS = 60.0
_PATH = "/usr/local/bin:/usr/bin:/bin"
_TAIL_CHARACTERS = 300


def python_tool(module: str) -> list[str]:
    """The command that runs a module of this environment.

    Raises:
        GateFault: it is not installed.
    """
    if find_spec(module) is None:
        raise GateFault(f"{module} is not installed", f"install it beside krins: pip install {module}")
    return [sys.executable, "-I", "-m", module]


def run_over(texts: Mapping[str, str], command: Sequence[str], suffix: Callable[[str], str]) -> tuple[Any, list[str]]:
    """What `command` prints in a folder that holds `texts`, and the paths that their numbers stand for.

    Args:
        suffix: what the name of a file ends in, by its path; its stem is its number, from 0.

    Raises:
        GateFault: the tool did not start, took too long, failed or answered with something other than JSON.
    """
    paths = sorted(texts)
    with tempfile.TemporaryDirectory(prefix="krins-gate-") as folder:
        place = Path(folder, "texts")
        place.mkdir()
        for number, path in enumerate(paths):
            (place / f"{number}{suffix(path)}").write_bytes(texts[path].encode("utf-8", "replace"))
        return _answer(command, place, {"PATH": _PATH, "HOME": folder, "LANG": "C.UTF-8"}), paths


def number_of(file: str) -> int:
    """The number of a text, from the file name that a tool gives."""
    return int(Path(file).stem)


def _answer(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Any:
    name = Path(command[0]).name if "-m" not in command else command[command.index("-m") + 1]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise GateFault(f"{name} did not end within {_SECONDS:g} s") from None
    except OSError as failure:
        raise GateFault(f"{name} did not start: {failure}") from failure
    said = done.stderr.decode("utf-8", "replace").strip()[-_TAIL_CHARACTERS:]
    if done.returncode != 0:
        raise GateFault(f"{name} ended with exit code {done.returncode}: {said or 'it said nothing'}")
    try:
        return json.loads(done.stdout)
    except ValueError as failure:
        raise GateFault(f"{name} answered with no JSON: {said or failure}") from failure
