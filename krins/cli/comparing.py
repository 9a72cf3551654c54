"""The command `compare`: which router does better, and what may be claimed of it."""

from __future__ import annotations

from pathlib import Path

import click

from krins.cli.common import FiniteRange, console, home_option, json_option, report_option, write_file, write_report


@click.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("--reference", metavar="LABEL", help="Router or model to compare with; by default the best single model.")
@click.option("--margin", type=FiniteRange(0, 1), help="Quality that a saving may lose, instead of the suite's.")
@report_option
@json_option
@home_option
def compare(
    names: tuple[str, ...],
    reference: str | None,
    margin: float | None,
    report_folder: Path | None,
    json_path: Path | None,
    home: Path,
) -> None:
    """Compare the routers of finished RUNs of the same tasks, task by task, and say what may be claimed."""
    from krins.reports.compare import render_comparison
    from krins.studies.compare import compare as compare_runs

    found = compare_runs(home, names, reference, margin)
    if json_path is not None:
        write_file(json_path.resolve(), found.model_dump_json(indent=2) + "\n")
    if report_folder is not None:
        from krins.reports.compare_page import comparison_page
        from krins.runs.session import finished_result
        from krins.runs.store import Store

        results = [finished_result(Store(home), run.run_id) for run in found.runs]
        write_report(comparison_page(found, results), report_folder)
    render_comparison(found, console())
