"""The command `models`: which models suites can name, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from krins.cli.common import console, json_option, write_file

if TYPE_CHECKING:
    from krins.models.prices import Vendor


@click.command()
@click.option("--provider", type=click.Choice(["anthropic", "openai", "google"]), help="Models of this provider alone.")
@click.option(
    "--all", "everything", is_flag=True, help="Also models outside the pool, to be named with their provider."
)
@json_option
def models(provider: Vendor | None, everything: bool, json_path: Path | None) -> None:
    """List the default pool of models, with prices, context windows and whether their keys are set."""
    from krins.clock import SystemClock
    from krins.reports.model_list import list_models, render_models

    listing = list_models(SystemClock().now_seconds(), provider, everything)
    if json_path is not None:
        write_file(json_path.resolve(), listing.model_dump_json(indent=2) + "\n")
    render_models(listing, console())
