"""Check an installation: sandbox, history and state do a small piece of their real work, libraries are looked up.

Left out: starting Ray and MLflow, which takes longer than anyone waits for a check; model servers (a live run checks
its own); and the tracking server (a run that cannot reach it is kept).
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from krins.errors import KrinsError

_LIBRARIES = ("numpy", "duckdb", "pyarrow", "ray", "mlflow", "openai", "altair", "vl-convert-python")
_FREE_BYTES = 2**30


@dataclass(frozen=True)
class Finding:
    what: str
    is_fine: bool
    detail: str


def examine(home: Path) -> list[Finding]:
    """One finding a check; none raises."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("libraries", _libraries),
        ("state", lambda: _state(home)),
        ("disk", lambda: _disk(home)),
        ("sandbox", _sandbox),
        ("history", _duckdb),
    ]
    return list(_findings(checks))


def _findings(checks: list[tuple[str, Callable[[], str]]]) -> Iterator[Finding]:
    for what, check in checks:
        try:
            yield Finding(what, True, check())
        except Exception as failure:  # whatever it is, it is the finding
            yield Finding(what, False, f"{type(failure).__name__}: {failure}")


def _python() -> str:
    if not (3, 11) <= sys.version_info < (3, 14):
        raise KrinsError(f"Python {platform.python_version()}", "use Python 3.11, 3.12 or 3.13")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors"


def _libraries() -> str:
    return ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def _state(home: Path) -> str:
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=home) as file:
        file.write(b"x")
        os.fsync(file.fileno())
    return f"{home.absolute()} can be written (set KRINS_HOME or --home to keep it elsewhere)"


def _disk(home: Path) -> str:
    free = shutil.disk_usage(home if home.exists() else Path.cwd()).free
    if free < _FREE_BYTES:
        raise KrinsError(f"{free / 2**30:.1f} GiB free", "free some space, or move the state with KRINS_HOME")
    return f"{free / 2**30:.0f} GiB free"


def _sandbox() -> str:
    from krins.domain import Change
    from krins.interfaces import Limits
    from krins.quality.hidden_tests import HiddenTests
    from krins.quality.sandbox import choose_sandbox

    sandbox = choose_sandbox(allow_unsafe=False)
    right = Change({}, {"solution.py": "def one(): return 1"}, "")
    verdict = HiddenTests(sandbox, Limits()).verify(right, "def test_one(solution): assert solution.one() == 1")
    if verdict.quality != 1.0:
        raise KrinsError(f"{sandbox.name} judged right code wrong: {verdict.evidence}", "install bubblewrap")
    return f"{sandbox.name} runs and judges code"


def _duckdb() -> str:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("select 1")
    return f"DuckDB {duckdb.__version__} answers"
