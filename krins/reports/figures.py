"""The figures of a run, as files: `learning_curves` and `cost_quality`, each as PNG and as a page for a browser.

Left out: what they show (modules of the same names).
"""

from __future__ import annotations

from pathlib import Path

from krins.errors import StorageFault, boundary
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
    chart = cost_quality(result)
    if chart is not None:
        paths += write(chart, folder, "cost_quality", f"{result.run_id}: cost and quality")
    return paths
