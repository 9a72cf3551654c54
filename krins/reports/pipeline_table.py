"""What became of models' answers in a pipeline, as a table.

Left out: the counting (`krins.runs.pipelines`).
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from krins.reports.columns import definitions
from krins.reports.notation import UNKNOWN
from krins.runs.result import PipelineFigures, Share

_LEGEND = (
    ("no change", "share of the answers out of which no change could be read"),
    ("accepted", "share of the attempts that submitted what gates and judge had accepted; right: by the hidden tests"),
    ("tests", "share of the attempts with own tests that fail beforehand; agree: with the hidden ones, in the end"),
)


def render_pipeline(rows: Sequence[PipelineFigures], console: Console) -> None:
    """Nothing where there are no rows."""
    if not rows:
        return
    has_tests = any(row.tests_written is not None for row in rows)
    headings = ("answers", "no change", "accepted", "accepted\nand right", *(("tests", "tests\nagree") * has_tests))
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        shares = [row.unusable, row.accepted, row.accepted_right]
        shares += [row.tests_written, row.tests_agree] if has_tests else []
        table.add_row(escape(row.model), f"{row.n_answers:,}\nin {row.n_attempts:,} attempts", *map(_write, shares))
    console.print("\nOn the way to what was submitted\n")
    console.print(table, highlight=False)
    console.print()
    console.print(definitions(_LEGEND[: 3 if has_tests else 2], console))


def _write(share: Share | None) -> str:
    if share is None:
        return UNKNOWN
    limits = "" if share.low is None or share.high is None else f"\n[{share.low:.2f}, {share.high:.2f}]"
    return f"{share.mean:.2f}{limits}"
