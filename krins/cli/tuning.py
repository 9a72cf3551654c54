"""The command that tunes: `tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from krins.cli.common import (
    PATH,
    FiniteRange,
    console,
    home_option,
    json_option,
    progress_display,
    report_option,
    tracking_option,
    write_file,
    write_report,
)
from krins.errors import KrinsError

if TYPE_CHECKING:
    from krins.runs.tracking.registry import Registration


@click.command()
@click.argument("suite", type=PATH, required=False)
@click.option("--table", type=PATH, help="Outcome table of the suite (Parquet or CSV).")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Instead of the suite's.")
@click.option("--replications", type=click.IntRange(min=1, max=100_000), help="Instead of the suite's; 16 at a time.")
@click.option(
    "--unseen",
    type=FiniteRange(0.05, 0.95),
    help="Share of the tasks that is kept for the report.  [default: 0.5]",
)
@click.option("--candidates", type=click.IntRange(1, 1024), help="Of each policy, at most.  [default: 8]")
@click.option("--register", "register_as", metavar="NAME", help="Name in the registry.  [default: the suite's]")
@click.option("--resume", "resume_id", metavar="STUDY", help="Go on with a study, or log it; `latest` for the last.")
@json_option
@report_option
@tracking_option
@click.option("--no-tracking", is_flag=True, help="Neither log to MLflow nor register; `--resume` can do it later.")
@home_option
def tune(
    suite: Path | None,
    table: Path | None,
    seed: int | None,
    replications: int | None,
    unseen: float | None,
    candidates: int | None,
    register_as: str | None,
    resume_id: str | None,
    json_path: Path | None,
    report_folder: Path | None,
    tracking_uri: str | None,
    no_tracking: bool,
    home: Path,
) -> None:
    """Find SUITE's best router and hyper-parameters on one part of its tasks, report on the other, and register it."""
    if (suite is None) == (resume_id is None):
        raise click.UsageError("give either a SUITE or --resume STUDY")
    if resume_id is not None and any(value is not None for value in (table, seed, replications, unseen, candidates)):
        raise click.UsageError("a resumed study is what it was: give --resume without what it was begun with")
    from krins.reports.tune import render_tuning
    from krins.studies.publish_study import check_model_name
    from krins.studies.study_journal import TuneOptions
    from krins.studies.tune import resume_tuning
    from krins.studies.tune import tune as begin

    given = {
        "unseen_share": unseen,
        "n_points": candidates,
        "register_as": register_as and check_model_name(register_as),
    }
    options = TuneOptions(**{key: value for key, value in given.items() if value is not None})
    with progress_display() as progress:
        found = (
            begin(
                suite,
                table=table,
                seed=seed,
                replications=replications,
                options=options,
                home=home,
                progress=progress,
            )
            if suite is not None
            else resume_tuning(resume_id or "", home=home, progress=progress)
        )
    if json_path is not None:
        write_file(json_path.resolve(), found.model_dump_json(indent=2) + "\n")
    render_tuning(found, console())
    if report_folder is not None:
        from krins.reports.tune_page import tune_page

        write_report(tune_page(found), report_folder)
    if not no_tracking:
        _publish(found.study_id, home, tracking_uri, register_as if resume_id is not None else None)


def _publish(study_id: str, home: Path, tracking_uri: str | None, register_as: str | None) -> None:
    """The study is safe by now: a tracking server that is down is a warning."""
    from krins.studies.publish_study import publish_study

    try:
        done = publish_study(home, study_id, tracking_uri, register_as=register_as)
    except KrinsError as fault:
        click.echo(f"warning: {fault}\n  the study is kept: {study_id}", err=True)
        return
    click.echo(f"registered: {_written(done)}", err=True)


def _written(done: Registration) -> str:
    if done.champion != done.version:
        return f"models:/{done.name}/{done.version}, as before; the champion is version {done.champion}"
    written = f"models:/{done.name}@champion, version {done.version}"
    if done.replaced is None:
        return written
    study = "" if done.replaced.study_id is None else f" of study {done.replaced.study_id}"
    return f"{written}; replaces version {done.replaced.version}{study}"
