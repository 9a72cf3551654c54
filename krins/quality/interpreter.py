"""The Python that runs inside a sandbox: the one that runs outside, without its virtual environment.

Invariants: the interpreter has the same path inside and outside; it starts isolated (`-I`: no user site, no PYTHON*
variables) and without site-packages (`-S`), so sandboxed code has the standard library alone.
Left out: any other version of Python, and third-party packages.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple


class Interpreter(NamedTuple):
    """Where the interpreter lives outside, which is where it is bound inside."""

    executable: Path
    prefix: Path
    """Folder with everything that the executable needs beside the system's shared libraries."""

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.executable), "-I", "-S")


def interpreter() -> Interpreter:
    """The base interpreter of this process, with symbolic links resolved."""
    executable = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(executable).resolve(), Path(sys.base_prefix).resolve())
