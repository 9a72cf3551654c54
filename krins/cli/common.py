"""What all commands share: the group that turns errors into exit codes, common options, and the console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from krins import __version__
from krins.errors import KrinsError

if TYPE_CHECKING:
    from rich.console import Console

    from krins.runs.progress import Progress
    from krins.runs.result import RunResult

PATH = click.Path(path_type=Path)
PLAIN_WIDTH = 160
"""Columns where there is no terminal to ask."""

home_option = click.option(
    "--home", type=PATH, envvar="KRINS_HOME", default=".krins", show_default=True, help="Where state lives."
)
unsafe_option = click.option(
    "--unsafe-local", is_flag=True, help="Run candidate code unsandboxed where this machine has no sandbox."
)
tracking_option = click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server; by default a database file under --home."
)


class _NewFile(click.ParamType[Path]):
    """A file to write; that it can be is found out before the work, not after."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
            self.fail(f"{path}: no file can be written there", param, ctx)
        return path


NEW_FILE = _NewFile()
json_option = click.option("--json", "json_path", type=NEW_FILE, help="Write the result there as JSON.")


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KrinsError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="krins-eval")
def main() -> None:
    """Find, for each coding task, the cheapest way to a result that passes."""


def console() -> Console:
    from rich.console import Console

    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=PLAIN_WIDTH)


@contextmanager
def progress_display() -> Iterator[Progress]:
    from rich.console import Console

    from krins.clock import SystemClock
    from krins.reports.progress import RunProgress

    with RunProgress(Console(stderr=True), SystemClock()) as progress:
        yield progress


def show_result(result: RunResult, json_path: Path | None) -> None:
    from krins.reports.run_table import render
    from krins.runs.store import published

    render(result, console())
    if json_path is not None:
        with published(json_path.absolute()) as draft:
            draft.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
