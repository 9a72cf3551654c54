"""Past runs as text: a line a run, or all about one. What they found is in `krins.reports.run_table`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from krins.runs.history.pruning import Sizes
from krins.runs.history.run_rows import RunRow
from krins.runs.records import COMMANDS, NOUNS
from krins.runs.session import RunLog


def render_runs(rows: Sequence[RunRow], sizes: Sizes, console: Console) -> None:
    """A line a run, in the order given, and what everything takes on disk."""
    if not rows:
        console.print("no runs yet: start one with `krins-eval run SUITE`", highlight=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", no_wrap=True)  # to be copied
    for name in ("state", "started (UTC)", "environment"):
        table.add_column(name, overflow="fold")
    for name in ("tasks", "replications", "billed USD", "on disk"):
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(
            row.run_id,
            row.state if row.purpose in (None, "run") else NOUNS[row.purpose],
            f"{row.started_at:%Y-%m-%d %H:%M:%S}",
            _known(row.environment),
            _known(row.n_tasks),
            _known(row.n_replications),
            "-" if row.billed_usd is None else f"{row.billed_usd.normalize():f}",
            _mebibytes(sizes.runs.get(row.run_id, 0)),
        )
    console.print(table)
    console.print(f"{len(rows)} runs; all state together takes {_mebibytes(sizes.total)} on disk", highlight=False)


def render_run(row: RunRow, log: RunLog, size_bytes: int, folder: Path, console: Console) -> None:
    """State, size, health and files of one run."""
    lines = {
        "run": row.run_id,
        "state": row.state,
        "suite": f"{_known(row.suite)} (fingerprint {_known(row.fingerprint)[:16]})",
        "started": f"{row.started_at:%Y-%m-%d %H:%M:%S} UTC, by krins {_known(row.krins_version)}",
        "outcomes kept": f"{len(log.outcomes):,}",
        "streams decided": f"{len(log.trajectories):,}",
        "unaccounted": f"{log.n_unaccounted:,} attempts were dispatched and have no outcome",
        "damage": "; ".join(f"line {d.line}: {d.reason}" for d in log.damage) or "none",
        "on disk": f"{_mebibytes(size_bytes)} in {folder}",
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(name, value)
    console.print(table, highlight=False)
    if row.state == "unfinished":
        command = COMMANDS[row.purpose or "run"]
        console.print(f"go on with: krins-eval {command} --resume {row.run_id}", highlight=False)


def _known(value: object) -> str:
    return "-" if value is None else str(value)


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"
