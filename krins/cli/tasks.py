"""The commands `tasks`: about the task folders that live suites ask."""

from __future__ import annotations

import os
from pathlib import Path

import click

from krins.cli.common import PATH, console, json_option, progress_display, unsafe_option, write_file


@click.group()
def tasks() -> None:
    """Look after tasks: prompts, trees and hidden tests."""


@tasks.command()
@click.argument("folder", type=PATH)
@click.option("--repeat", type=click.IntRange(1), default=2, show_default=True, help="Times that each is judged.")
@click.option("--workers", type=click.IntRange(1), help="Judged at a time; by default one a processor.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order.")
@unsafe_option
@json_option
def check(
    folder: Path, repeat: int, workers: int | None, seed: int, unsafe_local: bool, json_path: Path | None
) -> None:
    """Check that hidden tests tell right from wrong.

    Of each task in FOLDER, the reference must pass its hidden tests, and every wrong change kept beside it, and the
    unchanged tree, must fail them.
    """
    from krins.pipeline.task_check import check_tasks, n_changes
    from krins.pipeline.tasks import load_folder, runnable
    from krins.pipeline.verifiers import hidden_tests
    from krins.quality.sandbox import choose_sandbox
    from krins.reports.task_list import TaskReport, render_tasks

    loaded, left_out = runnable(load_folder(folder))
    verifier_of, at_once = hidden_tests(choose_sandbox(unsafe_local)), workers or os.cpu_count() or 1
    with progress_display() as progress:
        progress.begin("changes judged", repeat * n_changes(folder, loaded))
        checked = [
            one
            for i in range(repeat)
            for one in check_tasks(folder, loaded, verifier_of, at_once, seed + i, progress.advance)
        ]
    report = TaskReport(changes=tuple(checked), left_out=left_out)
    if json_path is not None:
        write_file(json_path.resolve(), report.model_dump_json(indent=2) + "\n")
    render_tasks(report, console())
    if report.wrong:
        raise click.exceptions.Exit(1)
