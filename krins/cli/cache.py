"""Commands about the answer cache: `cache show | clear`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from krins.cli.common import home_option


@click.group()
def cache() -> None:
    """Answers of models kept on disk: show what there is, or remove it."""


@cache.command()
@home_option
def show(home: Path) -> None:
    """Say how many answers are kept, and since when."""
    from krins.models.cache import AnswerStore
    from krins.runs.store import Store
    from krins.suite import AnswerCache

    store = AnswerStore(Store(home).cache, AnswerCache())
    try:
        stats = store.stats()
    finally:
        store.close()
    oldest = stats.oldest_at_seconds
    since = "" if oldest is None else f", the oldest from {time.strftime('%Y-%m-%d %H:%M', time.gmtime(oldest))} UTC"
    click.echo(f"{stats.entries:,} answers, {stats.stored_bytes / 2**20:.1f} MiB{since}")


@cache.command()
@home_option
def clear(home: Path) -> None:
    """Remove all answers; what they cost is paid again when they are asked for."""
    import shutil

    from krins.errors import StorageFault, boundary
    from krins.runs.store import Store

    folder = Store(home).cache
    with boundary(StorageFault, f"{folder}: cannot be removed", "check the folder's rights", catch=OSError):
        if folder.exists():
            shutil.rmtree(folder)
    click.echo(f"{folder}: empty")
