"""Commands that do work: `run` and `record`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from krins.cli.common import (
    NEW_FILE,
    PATH,
    home_option,
    json_option,
    progress_display,
    show_result,
    tracking_option,
    unsafe_option,
)
from krins.errors import KrinsError

if TYPE_CHECKING:
    from krins.runs.result import RunResult


class _Usd(click.ParamType[Decimal]):
    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value!r} is no amount of US dollars", param, ctx)
        return amount


def spending_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What both commands that call models take."""
    for option in (
        click.option("--budget-usd", type=_Usd(), help="Most to spend, instead of the suite's budget.run.usd."),
        click.option("--no-cache", is_flag=True, help="Ask anew what the answer cache holds."),
        click.option("--yes", is_flag=True, help="Go on although the forecast passes budget.confirm_above_usd."),
    ):
        command = option(command)
    return command


class _Workers(click.ParamType[int | None]):
    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value == "auto" else int(click.IntRange(min=0).convert(value, param, ctx))


@click.command()
@click.argument("suite", type=PATH, required=False)
@click.option("--table", type=PATH, help="Outcome table of a recorded suite (Parquet or CSV).")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Instead of the suite's.")
@click.option("--replications", type=click.IntRange(min=1, max=1_000_000), help="Instead of the suite's.")
@click.option("--workers", type=_Workers(), default="auto", show_default=True, help="Ray workers; 0: this process.")
@click.option("--ray-address", help="Join this Ray cluster.")
@json_option
@click.option("--resume", "resume_id", metavar="RUN", help="Go on with a run that was stopped; `latest` for the last.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@tracking_option
@click.option("--no-tracking", is_flag=True, help="Do not log to MLflow; `history sync` can do it later.")
@spending_options
@unsafe_option
@home_option
def run(
    suite: Path | None,
    resume_id: str | None,
    dry_run: bool,
    json_path: Path | None,
    tracking_uri: str | None,
    no_tracking: bool,
    workers: int | None,
    ray_address: str | None,
    unsafe_local: bool,
    budget_usd: Decimal | None,
    no_cache: bool,
    yes: bool,
    home: Path,
    **overrides: Any,
) -> None:
    """Run SUITE and show which router wins, and by how much."""
    if (suite is None) == (resume_id is None):
        raise click.UsageError("give either a SUITE or --resume RUN")
    if resume_id is not None and (dry_run or any(value is not None for value in overrides.values())):
        raise click.UsageError("a resumed run is what it was: give --resume without a table, seed or replications")
    if dry_run and suite is not None:
        from krins.runs.dry_run import describe_plan

        click.echo(describe_plan(suite, allow_unsafe=unsafe_local, **overrides))
        return
    from krins.runs import run as runs
    from krins.runs.execution import Execution

    with progress_display() as progress:
        execution = Execution(workers, ray_address, unsafe_local, budget_usd, not no_cache, yes, progress)
        result = (
            runs.run(suite, home=home, execution=execution, **overrides)
            if suite is not None
            else runs.resume(resume_id or "", home=home, execution=execution)
        )
    show_result(result, json_path)
    _draw(result)
    if not no_tracking:
        _track(result, home, tracking_uri)


@click.command()
@click.argument("suite", type=PATH)
@click.option("--output", type=NEW_FILE, required=True, help="Outcome table to write (.parquet).")
@click.option("--resume", "resume_id", metavar="RUN", help="Go on with a recording, or add samples to it.")
@spending_options
@unsafe_option
@home_option
def record(
    suite: Path,
    output: Path,
    resume_id: str | None,
    unsafe_local: bool,
    budget_usd: Decimal | None,
    no_cache: bool,
    yes: bool,
    home: Path,
) -> None:
    """Ask every model of the live SUITE every task, several times, and write an outcome table."""
    from krins.runs.execution import Execution
    from krins.runs.recording import record_suite

    with progress_display() as progress:
        execution = Execution(0, None, unsafe_local, budget_usd, not no_cache, yes, progress)
        done = record_suite(suite, output, resume_id, home=home, execution=execution)
    click.echo(f"{output}: {done.n_rows} outcomes, ${done.billed_usd.normalize():f} at the suite's prices")
    if done.n_unaccounted:
        click.echo(f"{done.n_unaccounted} attempts were cut off and made again: perhaps paid for twice", err=True)


def _draw(result: RunResult) -> None:
    from krins.reports.figures import draw

    try:
        for path in draw(result, result.folder / "figures"):
            click.echo(f"figure: {path}", err=True)
    except Exception as failure:  # a figure is no reason to fail a run that is safe
        click.echo(f"warning: the figures could not be drawn: {failure}\n  the run is kept: {result.run_id}", err=True)


def _track(result: RunResult, home: Path, tracking_uri: str | None) -> None:
    """The run is safe by now: a tracking server that is down is a warning."""
    from krins.runs.store import Store
    from krins.runs.tracking import track

    try:
        track(Store(home), result.run_id, tracking_uri)
    except KrinsError as fault:
        click.echo(f"warning: {fault}\n  the run is kept; `krins-eval history sync` logs it later", err=True)
