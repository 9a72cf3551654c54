"""How a run is carried out: by whom, with how much, and who is told. Nothing in it changes the result."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from krins.runs.progress import SILENT, Progress


@dataclass(frozen=True)
class Execution:
    """What the command line says of a run beside its suite."""

    workers: int | None = None
    """Ray actors; 0: in this process; None: in this process where that is quicker than starting Ray."""
    ray_address: str | None = None
    """A running cluster to join."""
    allow_unsafe: bool = False
    """Run candidate code without a sandbox where this machine has none."""
    budget_usd: Decimal | None = None
    """Most that the run may spend, instead of the suite's `budget.run.usd`."""
    use_cache: bool = True
    """Take answers that were had before from the cache, and keep new ones there."""
    is_confirmed: bool = False
    """Go on although the forecast passes the suite's `budget.confirm_above_usd`."""
    progress: Progress = SILENT
