"""The command `race`: the best model or router, for as few answers as it takes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from krins.cli.common import (
    PATH,
    FiniteRange,
    console,
    home_option,
    json_option,
    progress_display,
    report_option,
    unsafe_option,
    write_file,
    write_report,
)
from krins.cli.running import spending_options

if TYPE_CHECKING:
    from krins.runs.execution import Execution
    from krins.studies.race_result import RaceOptions, RaceResult


@click.command()
@click.argument("suite", type=PATH, required=False)
@click.option("--among", type=click.Choice(["models", "routers"]), default="models", show_default=True)
@click.option(
    "--by",
    "objective",
    type=click.Choice(["quality", "reward"]),
    help="By default quality of models, reward of routers.",
)
@click.option(
    "--error",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Most probability of naming a wrong one.",
)
@click.option(
    "--tolerance",
    type=FiniteRange(0),
    default=0.0,
    show_default=True,
    help="How much worse than the best the winner may be: 0.02 is 2 points of quality.",
)
@click.option("--table", type=PATH, help="Outcome table of a recorded suite (Parquet or CSV).")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Instead of the suite's.")
@click.option("--replications", type=click.IntRange(min=1, max=1_000_000), help="Of routers, instead of the suite's.")
@click.option("--resume", "resume_id", metavar="RUN", help="Go on with a live race that was stopped.")
@spending_options
@unsafe_option
@json_option
@report_option
@home_option
def race(
    suite: Path | None,
    among: Literal["models", "routers"],
    objective: Literal["quality", "reward"] | None,
    error: float,
    tolerance: float,
    table: Path | None,
    seed: int | None,
    replications: int | None,
    resume_id: str | None,
    budget_usd: Decimal | None,
    no_cache: bool,
    yes: bool,
    unsafe_local: bool,
    json_path: Path | None,
    report_folder: Path | None,
    home: Path,
) -> None:
    """Find the best model or router of SUITE for as few answers as it takes, and say how sure that is.

    Models are asked in turn, each for as long as it may still be the best; on recorded suites the answers are there,
    and what is told is what they would have cost. Routers are raced on recorded suites, replication by replication.
    """
    from krins.reports.race import render_race
    from krins.runs.execution import Execution
    from krins.studies.race_result import RaceOptions

    if (suite is None) == (resume_id is None):
        raise click.UsageError("give either a SUITE or --resume RUN")
    if resume_id is not None and (given := sorted(_OF_THE_RACE & _given())):
        raise click.UsageError(f"a resumed race is what it was: leave out --{', --'.join(given)}")
    options = RaceOptions(
        objective=objective or ("quality" if among == "models" else "reward"),
        error_probability=error,
        tolerance=tolerance,
    )
    with progress_display() as progress:
        execution = Execution(0, None, unsafe_local, budget_usd, not no_cache, yes, progress)
        found = (
            _begin(suite, table, seed, replications, among, options, home, execution)
            if suite is not None
            else _resume(resume_id or "", home, execution)
        )
    if json_path is not None:
        write_file(json_path.resolve(), found.model_dump_json(indent=2) + "\n")
    render_race(found, console())
    if report_folder is not None:
        from krins.reports.race_page import race_page

        write_report(race_page(found), report_folder)


_OF_THE_RACE = {"among", "by", "error", "tolerance", "table", "seed", "replications"}


def _given() -> set[str]:
    """Options that stand on the command line."""
    context = click.get_current_context()
    names = {"objective": "by"}
    return {
        names.get(name, name)
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }


def _begin(
    suite: Path,
    table: Path | None,
    seed: int | None,
    replications: int | None,
    among: str,
    options: RaceOptions,
    home: Path,
    execution: Execution,
) -> RaceResult:
    from krins.runs.run import customise
    from krins.studies.live_race import race_live
    from krins.studies.race import race_recorded
    from krins.studies.router_race import race_routers
    from krins.suite import LiveEnvironment
    from krins.suite_file import load_suite

    read = customise(load_suite(suite), table, seed, replications)
    if among == "routers":
        return race_routers(read, options, execution.progress)
    if isinstance(read.environment, LiveEnvironment):
        return race_live(suite, read, options, home, execution)
    return race_recorded(read, options)


def _resume(run_id: str, home: Path, execution: Execution) -> RaceResult:
    from krins.studies.live_race import resume_race

    return resume_race(run_id, home, execution)
