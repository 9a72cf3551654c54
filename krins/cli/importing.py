"""The commands `import`: what other tools recorded, as an outcome table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from krins.cli.common import NEW_FILE, PATH

if TYPE_CHECKING:
    from krins.environments.imports.common import Row

_output_option = click.option(
    "--output", type=NEW_FILE, required=True, metavar="TABLE", help="Outcome table to write (.parquet)."
)


@click.group("import")
def importing() -> None:
    """Make an outcome table from what another tool recorded.

    `describe` and `run` take the table. Null is unknown: nothing is imputed, and what is left out is counted.
    """


@importing.command("inspect")
@click.argument("logs", type=PATH, nargs=-1, required=True, metavar="LOG...")
@click.option("--scorer", metavar="NAME", help="Which score is the quality; NAME.KEY where it is a dictionary.")
@_output_option
def inspect(logs: tuple[Path, ...], scorer: str | None, output: Path) -> None:
    """Import LOGs of Inspect (.eval or .json): a sample of an epoch is an answer."""
    from krins.environments.imports.inspect_ai import inspect_rows

    _write(logs[0], output, lambda notes: inspect_rows(logs, scorer, notes))


@importing.command("litellm")
@click.argument("spend_logs", type=PATH)
@click.option(
    "--task-key", default="task_id", show_default=True, metavar="KEY", help="Metadata or tag that names the task."
)
@click.option("--quality", type=PATH, metavar="FILE", help="CSV, Parquet or JSON lines: quality by request or session.")
@_output_option
def litellm(spend_logs: Path, task_key: str, quality: Path | None, output: Path) -> None:
    """Import SPEND_LOGS of a LiteLLM proxy (.json, .jsonl or .csv): calls of a session are an answer."""
    from krins.environments.imports.litellm import litellm_rows

    _write(spend_logs, output, lambda notes: litellm_rows(spend_logs, task_key, quality, notes), ("provider",))


@importing.command("openhands")
@click.argument("clone", type=PATH)
@_output_option
def openhands(clone: Path, output: Path) -> None:
    """Import a CLONE of OpenHands/openhands-index-results: four coding benchmarks."""
    from krins.environments.imports.openhands import commit_of, openhands_rows

    _write(clone, output, lambda notes: openhands_rows(clone, notes), ("scaffold",))
    if commit := commit_of(clone):
        click.echo(f"commit: {commit}")


@importing.command("routellm")
@click.argument("clone", type=PATH)
@click.option("--benchmark", type=click.Choice(["gsm8k", "mmlu", "mt-bench"]), required=True)
@_output_option
def routellm(clone: Path, benchmark: Any, output: Path) -> None:
    """Import a benchmark of a CLONE of lm-sys/RouteLLM."""
    from krins.environments.imports.routellm import routellm_rows

    _write(clone, output, lambda notes: routellm_rows(clone, benchmark, notes), ("contaminated",))


def _write(what: Path, output: Path, rows: Callable[[Counter[str]], Iterator[Row]], extra: Sequence[str] = ()) -> None:
    from krins.environments.imports.common import summary, write_table
    from krins.runs.store import published

    if output.suffix != ".parquet":
        raise click.UsageError(f"{output}: an import is written as Parquet; give a path that ends in .parquet")
    notes: Counter[str] = Counter()
    with published(output) as draft:
        done = write_table(rows(notes), draft, notes, extra, str(what))
    for line in summary(done):
        click.echo(line)
