"""Commands that only look: `show`, `describe`, `schema`, `doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from krins.cli.common import PATH, console, home_option, json_option, show_result


@click.command()
@click.argument("name", metavar="RUN", default="latest")
@json_option
@home_option
def show(name: str, json_path: Path | None, home: Path) -> None:
    """Print the table of a finished RUN again (by default the latest)."""
    from krins.runs.session import finished_result
    from krins.runs.store import Store

    store = Store(home)
    show_result(finished_result(store, store.find(name)), json_path)


@click.command()
@click.argument("table", type=PATH)
@click.option("--exclude-model", "excluded", multiple=True, metavar="MODEL", help="Leave a model out; repeatable.")
@click.option("--missing", type=click.Choice(["refuse", "drop_task", "fail"]), default="fail", show_default=True)
def describe(table: Path, excluded: tuple[str, ...], missing: str) -> None:
    """Print what an outcome TABLE holds, and what fixed rules reach on it."""
    from krins.environments.reading import read_table
    from krins.reports.description import describe as describe_table
    from krins.reports.description import render_description
    from krins.suite import RecordedEnvironment

    exclude = {"model": list(excluded)} if excluded else {}
    spec = {"kind": "recorded", "table": table, "missing": missing, "exclude": exclude}
    render_description(describe_table(read_table(RecordedEnvironment.model_validate(spec))), console())


@click.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors to complete from."""
    import json

    from krins.suite import Suite

    click.echo(json.dumps(Suite.model_json_schema(), indent=2))


@click.command()
@home_option
def doctor(home: Path) -> None:
    """Check the installation: what works here, what does not, and what to do about it."""
    from krins.doctor import examine

    findings = examine(home)
    for finding in findings:
        click.echo(f"{'ok  ' if finding.is_fine else 'FAIL'}  {finding.what}: {finding.detail}")
    if not all(finding.is_fine for finding in findings):
        raise SystemExit(1)
