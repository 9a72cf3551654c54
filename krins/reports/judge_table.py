"""The figures of a judge, with what they mean.

Left out: the measuring (`krins.runs.judge_report`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from krins.runs.judge_report import JudgeReport, Share


def render_judge(report: JudgeReport, console: Console) -> None:
    console.print(
        f"judge {report.judge}: {report.n_right} right and {report.n_wrong} wrong changes of {report.n_tasks} tasks",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in _rows(report):
        table.add_row(*row)
    console.print(table, highlight=False)
    if not report.is_probability:
        console.print("note: not every score is a probability: the model tells none, so shares of checkpoints stand in")


def _rows(report: JudgeReport) -> Iterator[tuple[str, str, str]]:
    at = f"with a score of {report.threshold:g} or more"
    yield "sensitivity", _write(report.sensitivity), f"right changes that are accepted, {at}"
    yield "specificity", _write(report.specificity), "wrong changes that are not"
    yield "balanced accuracy", _write(report.balanced_accuracy), "mean of the two; guessing gives 0.5"
    yield "area under curve", _write(report.area_under_curve), "how often a right change has the higher score"
    yield "sensitivity, with gates", _write(report.sensitivity_with_gates), "what a gate turns down counts as refused"
    yield "specificity, with gates", _write(report.specificity_with_gates), ""
    yield "Brier score", f"{report.brier_score:.3f}", "0 at best, 0.25 for a score of one half everywhere"
    yield "calibration error", f"{report.calibration_error:.3f}", "expected, in bins of equal numbers"
    yield "order effect", _number(report.order_effect), "mean move of the score when no is offered before yes"
    yield "order flips", _number(report.order_flips), "share of changes accepted in one order alone"
    yield "length correlation", _number(report.length_correlation), "ranks of score and diff length, within truth"
    cost = "unknown" if report.cost_usd is None else f"${report.cost_usd:.6f}"
    yield "cost a judgement", cost, "both orders and the checkpoints"


def _write(share: Share | None) -> str:
    if share is None:
        return "-"
    limits = "" if share.low is None or share.high is None else f" [{share.low:.3f}, {share.high:.3f}]"
    return f"{share.mean:.3f}{limits}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
