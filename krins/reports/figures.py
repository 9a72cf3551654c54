"""The figures of a run, as files: `learning_curves`, `cost_quality` and, for cascades, `break_even`, each as PNG and as
a page for a browser.

Left out: what they show (modules of the same names).
"""

from __future__ import annotations

from pathlib import Path

from krins.errors import StorageFault, boundary
from krins.reports.break_even import break_even_figure
from krins.reports.cost_quality import cost_quality
from krins.reports.learning_curves import learning_curves
from krins.reports.picture import write
from krins.runs.result import RunResult


def draw(result: RunResult, folder: Path) -> list[Path]:
    """Write the figures that the result has numbers for into the folder, made if need be; returns their paths.

    Raises:
        StorageFault: they cannot be written.
    """
    with boundary(StorageFault, f"{folder}: cannot be made", "choose a folder that you can write to", catch=OSError):
        folder.mkdir(parents=True, exist_ok=True)
    paths = write(learning_curves(result), folder, "learning_curves", f"{result.run_id}: learning curves")
    for chart, name, heading in (
        (cost_quality(result), "cost_quality", "cost and quality"),
        (break_even_figure(result), "break_even", "what a verifier must be able to do"),
    ):
        if chart is not None:
            paths += write(chart, folder, name, f"{result.run_id}: {heading}")
    return paths
