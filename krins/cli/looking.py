"""Commands that only look: `show`, `what-if`, `describe`, `schema`, `doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from krins.cli.common import (
    PATH,
    console,
    home_option,
    json_option,
    report_option,
    show_result,
    write_file,
    write_report,
)


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


@click.command(name="what-if")
@click.argument("name", metavar="RUN", default="latest")
@click.option("--router", required=True, metavar="ROUTER", help="As in a suite: thompson, fixed:MODEL, {policy: ...}.")
@click.option("--logged", metavar="LABEL", help="Whose decisions to read, where the run has several routers.")
@click.option("--replication", type=click.IntRange(min=0), default=0, show_default=True)
@json_option
@report_option
@home_option
def what_if(
    name: str,
    router: str,
    logged: str | None,
    replication: int,
    json_path: Path | None,
    report_folder: Path | None,
    home: Path,
) -> None:
    """Estimate what ROUTER would have scored and cost on the traffic that another one served in RUN."""
    import json

    from krins.reports.what_if import render_what_if
    from krins.studies.what_if import as_json, parse_router
    from krins.studies.what_if import what_if as ask

    found = ask(home, name, parse_router(router), logged, replication)
    if json_path is not None:
        write_file(json_path.resolve(), json.dumps(as_json(found), indent=2, allow_nan=False) + "\n")
    render_what_if(found, console())
    if report_folder is not None:
        from krins.reports.what_if_page import what_if_page

        write_report(what_if_page(found), report_folder)


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
