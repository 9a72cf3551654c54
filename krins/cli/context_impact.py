"""What `krins-context impact` prints."""

from __future__ import annotations

from collections.abc import Sequence

import click

from krins.context.edits import Edit, edited_bodies
from krins.context.graph import CodeGraph
from krins.context.impact import Edge, impact
from krins.context.tests_for import TestSelection


def print_tests(selection: TestSelection) -> None:
    for reason in selection.reasons:
        click.echo(f"because: {reason}", err=True)
    for test in selection.ids:
        click.echo(test)
    share = f"{selection.share_skipped:.1%} skipped"
    click.echo(f"{selection.n_selected} of {selection.n_tests} tests, {share}", err=True)


def edited_symbols(graph: CodeGraph, edits: Sequence[Edit]) -> list[str]:
    """Functions whose bodies changed, and files that changed otherwise; nothing depends on files that are new."""
    found: list[str] = []
    for edit in edits:
        bodies = edited_bodies(edit)
        if edit.path in graph.file_ids:
            names = [f"{edit.path}::{function.name}" for function in bodies.functions]
            found += [edit.path] if bodies.beyond else names
        else:
            click.echo(f"note: {edit.path} is not in the graph", err=True)
    return found


def print_impact(graph: CodeGraph, symbols: Sequence[str], limit: int) -> None:
    found = impact(graph, symbols)
    rows = zip(found.distances, found.edges, found.units, found.sources, strict=True)
    for distance, edge, unit, source in list(rows)[:limit]:
        click.echo(f"{distance}\t{Edge(edge).name.lower()}\t{graph.symbol(unit)}\tfrom {graph.symbol(source)}")
    left = len(found.units) - limit
    if left > 0:
        click.echo(f"{left} more that are not nearer; --limit shows them", err=True)


__all__ = ["edited_symbols", "print_impact", "print_tests"]
