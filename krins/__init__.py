"""krins finds, for each coding task, the cheapest way to a result that passes, and proves it on an evaluation suite.

`krins.run("suite.yaml")` runs a suite and returns a `RunResult` with data frames; `krins-eval` does it on the command
line; `krins.load_router("models:/NAME@champion")` gives back the router that `krins-eval tune` registered. Importing
this package is cheap: what is heavy is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from krins.runs.result import RunResult
    from krins.runs.run import resume, run
    from krins.studies.champion import Champion, load_router

__version__ = "0.1.0"
__all__ = ["Champion", "RunResult", "__version__", "load_router", "resume", "run"]

_HOMES = {
    "run": "krins.runs.run",
    "resume": "krins.runs.run",
    "RunResult": "krins.runs.result",
    "load_router": "krins.studies.champion",
    "Champion": "krins.studies.champion",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'krins' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
