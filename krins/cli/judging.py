"""The command `judge-report`: how far a judge can be trusted."""

from __future__ import annotations

from pathlib import Path

import click

from krins.cli.common import PATH, console, home_option, json_option, progress_display, unsafe_option, write_file


@click.command("judge-report")
@click.argument("suite", type=PATH)
@click.option("--judge", help="One of the suite's models; by default the one that `pipeline` names, else the last.")
@click.option("--answers", "recordings", type=PATH, multiple=True, help="A recording of the suite's tasks; repeatable.")
@click.option("--yes", is_flag=True, help="Go on although the forecast passes budget.confirm_above_usd.")
@unsafe_option
@json_option
@home_option
def judge_report(
    suite: Path,
    judge: str | None,
    recordings: tuple[Path, ...],
    yes: bool,
    unsafe_local: bool,
    json_path: Path | None,
    home: Path,
) -> None:
    """Measure a judge on changes that are known to be right or wrong.

    These are the references and wrong changes kept beside the tasks of SUITE, and with --answers what other models
    answered when they were recorded, which hidden tests judge now. The suite's budget of a run holds. What --json
    writes can stand as the verifier of a cascade.
    """
    from krins.errors import SuiteError
    from krins.reports.judge_table import render_judge
    from krins.runs.execution import Execution
    from krins.runs.judge_report import report_judge
    from krins.runs.store import Store
    from krins.suite import LiveEnvironment
    from krins.suite_file import load_suite

    environment = load_suite(suite).environment
    if not isinstance(environment, LiveEnvironment):
        raise SuiteError(f"{suite}: a recorded suite asks no model", "give a live suite")
    with progress_display() as progress:
        execution = Execution(0, None, unsafe_local, None, True, yes, progress)
        report = report_judge(environment, judge, execution, Store(home).cache, recordings)
    if json_path is not None:
        write_file(json_path.resolve(), report.model_dump_json(indent=2) + "\n")
    render_judge(report, console())
