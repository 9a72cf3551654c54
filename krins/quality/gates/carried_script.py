"""Runs one of this folder's scripts in a sandbox and reads what it reports, row by row, as it comes.

The script's first row, `["ready"]`, is written before it touches anything of the change: without it, the sandbox is
at fault; after it, whatever happens is the doing of what the script was given. Invariant: what a script reports is
data from a process that may have been taken over; a row that is not of the shape asked for ends the reading.
Left out: the scripts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from krins.errors import SandboxFault
from krins.interfaces import Limits, Sandbox, SandboxedProcess
from krins.quality.interpreter import interpreter

_FOLDERS = (Path(__file__).parent, Path(__file__).parents[1])
_MOST_ROW_BYTES = 2**21
_ENDED_SECONDS = 1.0
"""How long a process whose output has ended may take to report its exit code."""


class Report(NamedTuple):
    """What a script said until it ended."""

    rows: list[Any]
    how_it_ended: str
    """In words, for rows that are missing."""


def carried_script(name: str) -> str:
    """The text of a script, from this folder or the one around it."""
    return next(folder / name for folder in _FOLDERS if (folder / name).is_file()).read_text(encoding="utf-8")


def run_script(
    sandbox: Sandbox, scripts: tuple[str, ...], data: Mapping[str, object], row: TypeAdapter[Any], limits: Limits
) -> Report:
    """Run the first of `scripts` beside the others and `data` (file name to what it holds, as JSON).

    Raises:
        SandboxFault: the sandbox did not start.
    """
    files = {name: carried_script(name) for name in scripts} | {name: json.dumps(item) for name, item in data.items()}
    with closing(sandbox.start([*interpreter().command, scripts[0]], files, limits)) as process:
        if process.stdout.readline(_MOST_ROW_BYTES) != b'["ready"]\n':
            process.wait(_ENDED_SECONDS)
            raise SandboxFault(f"the sandbox did not start: {process.stderr_tail().strip() or 'it said nothing'}")
        rows: list[Any] = []
        try:
            while line := process.stdout.readline(_MOST_ROW_BYTES):
                rows.append(row.validate_json(line))
        except ValidationError:
            return Report(rows, "a report that is none")
        return Report(rows, _how_it_ended(process, limits))


def _how_it_ended(process: SandboxedProcess, limits: Limits) -> str:
    code = process.wait(_ENDED_SECONDS)
    if code in (None, -9, 137):
        return f"killed: past {limits.wall_seconds:g} s, {limits.cpu_seconds} s of processor time, or its output limit"
    tail = process.stderr_tail().strip().rpartition("\n")[2][-200:]
    return f"exit code {code}{': ' if tail else ''}{tail}"
