"""What all commands share: the group that turns errors into exit codes, common options, and the console."""

from __future__ import annotations

import math
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from krins import __version__
from krins.errors import Interrupted, KrinsError, StorageFault, boundary

if TYPE_CHECKING:
    from rich.console import Console

    from krins.reports.page import Page
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


class FiniteRange(click.FloatRange):
    """A number within limits; what is no number, or has no end, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class _NewFile(click.ParamType[Path]):
    """A file to write; that it can be is found out before the work, not after."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
            self.fail(f"{path}: no file can be written there", param, ctx)
        return path


NEW_FILE = _NewFile()
report_option = click.option(
    "--report", "report_folder", type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write the report to: a page, a PDF, and tables as CSV.",
)  # fmt: skip
json_option = click.option("--json", "json_path", type=NEW_FILE, help="Write the result there as JSON.")


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _interrupt)
        _ensure_home()
        try:
            return super().invoke(ctx)
        except Interrupted as error:
            click.echo(f"error: {error}", err=True)
            os._exit(error.exit_code)  # everything is on disk; Ray, interrupted too, may crash while it shuts down
        except KrinsError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)


def _interrupt(number: int, frame: object) -> None:
    """SIGTERM ends a run as Ctrl-C does."""
    raise KeyboardInterrupt


def _ensure_home() -> None:
    """Libraries for figures and tracking want a home folder, which a container's user may not have."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="krins-eval")
def main() -> None:
    """Find, for each coding task, the cheapest way to a result that passes."""


def console() -> Console:
    from rich.console import Console

    terminal = Console()
    return terminal if terminal.is_terminal or "COLUMNS" in os.environ else Console(width=PLAIN_WIDTH)


@contextmanager
def progress_display() -> Iterator[Progress]:
    from rich.console import Console

    from krins.clock import SystemClock
    from krins.reports.progress import RunProgress

    with RunProgress(Console(stderr=True), SystemClock()) as progress:
        yield progress


def show_result(result: RunResult, json_path: Path | None) -> None:
    """JSON first: a reader who closes the pipe early must not cost the user the file."""
    from krins.reports.run_table import render

    if json_path is not None:
        write_file(json_path.resolve(), result.model_dump_json(indent=2) + "\n")
    try:
        render(result, console())
    except SystemExit:  # how rich ends on a closed pipe; what comes after the table is still to be done
        return
    except OSError as failure:
        raise StorageFault(f"standard output cannot be written: {failure}", "the run itself is kept") from failure


def write_file(path: Path, text: str) -> None:
    from krins.runs.store import published

    if path.exists() and not path.is_file():  # a pipe or a device is written through, not replaced
        with boundary(StorageFault, f"{path}: cannot be written", catch=OSError):
            path.write_text(text, encoding="utf-8")
        return
    with published(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_report(page: Page, folder: Path) -> None:
    """Write the report of a study, and say where it is."""
    from krins.reports.page import write_page

    write_page(page, folder)
    click.echo(f"report: {folder / 'index.html'}", err=True)
