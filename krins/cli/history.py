"""Commands about past runs: `history list | show | audit | rebuild | export | prune | sync`."""

from __future__ import annotations

from pathlib import Path

import click

from krins.cli.common import PATH, console, home_option, tracking_option


@click.group()
def history() -> None:
    """Past runs: list, show, export, prune, rebuild from journals, log to MLflow."""


@history.command("list")
@home_option
def list_(home: Path) -> None:
    """List all runs, newest first, with what they take on disk."""
    from krins.reports.run_list import render_runs
    from krins.runs.history import list_runs
    from krins.runs.history.pruning import size_bytes
    from krins.runs.store import Store

    store = Store(home)
    render_runs(list_runs(store), size_bytes(store), console())


@history.command()
@click.argument("name", metavar="RUN", default="latest")
@home_option
def show(name: str, home: Path) -> None:
    """Show what is kept of a RUN: state, size, journal health, files."""
    from krins.reports.run_list import render_run
    from krins.runs.history import list_runs
    from krins.runs.history.pruning import size_bytes
    from krins.runs.session import read_run
    from krins.runs.store import Store

    store = Store(home)
    run_id = store.find(name)
    row = next(row for row in list_runs(store) if row.run_id == run_id)
    render_run(row, read_run(store, run_id), size_bytes(store).runs[run_id], store.folder(run_id), console())


@history.command()
@click.argument("name", metavar="RUN", default="latest")
@home_option
def audit(name: str, home: Path) -> None:
    """Print a line of JSON for each step of a RUN: agent, model, tokens, cost, verdict, seconds."""
    from krins.runs.audit import audit_lines
    from krins.runs.session import read_run
    from krins.runs.store import Store

    store = Store(home)
    for line in audit_lines(read_run(store, store.find(name)).observed):
        click.echo(line.model_dump_json(exclude_none=True))


@history.command()
@home_option
def rebuild(home: Path) -> None:
    """Make the history anew from the journals."""
    from krins.runs.history import rebuild_history
    from krins.runs.outcome import republish
    from krins.runs.store import Store

    rebuilt = rebuild_history(Store(home), republish)
    for problem in rebuilt.problems:
        click.echo(f"{problem.run_id}: {problem.what}", err=True)
    click.echo(
        f"{rebuilt.n_runs} runs, {rebuilt.n_finished} of them finished; "
        f"files of {rebuilt.n_republished} runs written again; {len(rebuilt.problems)} problems"
    )


@history.command()
@click.argument("output", type=PATH)
@home_option
def export(output: Path, home: Path) -> None:
    """Write all results to OUTPUT: .csv, .parquet or .json."""
    from krins.runs.history import export_history
    from krins.runs.store import Store

    click.echo(f"{output}: {export_history(Store(home), output)} rows")


@history.command()
@click.option("--keep", type=click.IntRange(min=0), help="Keep this many of the newest runs.")
@click.option("--older-than-days", type=click.IntRange(min=0), help="Remove runs older than this.")
@click.option("--include-unfinished", is_flag=True, help="Also runs and recordings that did not end.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@home_option
def prune(keep: int | None, older_than_days: int | None, include_unfinished: bool, dry_run: bool, home: Path) -> None:
    """Remove old runs."""
    from krins.runs.history.pruning import prune as prune_runs
    from krins.runs.store import Store

    if keep is None and older_than_days is None:
        raise click.UsageError("say what to remove: --keep N, --older-than-days N, or both")
    pruned = prune_runs(Store(home), keep, older_than_days, dry_run=dry_run, include_unfinished=include_unfinished)
    for run_id in pruned.run_ids:
        click.echo(run_id)
    for run_id in pruned.in_use:
        click.echo(f"{run_id}: kept, a process is writing it", err=True)
    verb = "would be" if dry_run else "were"
    click.echo(f"{len(pruned.run_ids)} runs {verb} removed, {pruned.freed_bytes / 2**20:.1f} MiB", err=True)


@history.command()
@tracking_option
@home_option
def sync(tracking_uri: str | None, home: Path) -> None:
    """Log to MLflow every finished run that it does not have yet."""
    from krins.runs.store import Store
    from krins.runs.tracking import sync as sync_runs

    failed = False
    for synced in sync_runs(Store(home), tracking_uri):
        failed |= synced.error is not None
        click.echo(f"{synced.run_id}: {synced.error or synced.mlflow_run_id}", err=synced.error is not None)
    if failed:
        raise SystemExit(1)
