"""The figures of a judge, with what they mean.

Left out: the measuring (`krins.runs.judge_report`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from krins.reports.notation import UNKNOWN

if TYPE_CHECKING:
    from krins.runs.judge_figures import JudgeFigures, JudgeReport, PassRate
    from krins.runs.result import Share


def render_judge(report: JudgeReport, console: Console) -> None:
    """The figures, one column for the kept changes and one for models' answers where there are any."""
    at = f"a score of {report.threshold:g} or more is a yes"
    cost = "an unknown price" if report.cost_usd is None else f"${report.cost_usd:.6f}"
    console.print(f"judge {report.judge}: {at}; a judgement costs {cost}", highlight=False)
    console.print()
    sets = [report.kept, *([report.answers] if report.answers else [])]
    table = Table(box=None, pad_edge=False)
    table.add_column("", style="bold")
    for heading in ("kept changes", "models' answers")[: len(sets)]:
        table.add_column(heading, no_wrap=True)
    table.add_column("", overflow="fold")
    for name, write, meaning in _ROWS:
        table.add_row(name, *map(write, sets), meaning)
    console.print(table, highlight=False)
    if report.pass_rate is not None:
        console.print()
        for line in _pass_rate(report.pass_rate):
            console.print(line, highlight=False)
    if not report.is_probability:
        console.print("note: not every score is a probability: the model tells none, so shares of checkpoints stand in")


def _pass_rate(found: PassRate) -> Iterator[str]:
    yield f"models' changes that are right, by hidden tests: {_share(found.by_hidden_tests)}"
    yield f"that gates and judge accept: {_share(found.accepted)}"
    if found.adjusted is None:
        yield "less their errors on the kept changes: not to be had, for there they are no better than a coin"
    else:
        yield f"less their errors on the kept changes: {_share(found.adjusted)}"


def _share(share: Share | None) -> str:
    if share is None:
        return UNKNOWN
    limits = "" if share.low is None or share.high is None else f" [{share.low:.3f}, {share.high:.3f}]"
    return f"{share.mean:.3f}{limits}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


_ROWS: list[tuple[str, Callable[[JudgeFigures], str], str]] = [
    ("right", lambda found: f"{found.n_right:,}", "changes that pass the hidden tests"),
    ("wrong", lambda found: f"{found.n_wrong:,}", ""),
    ("tasks", lambda found: f"{found.n_tasks:,}", "clusters of the 95% intervals"),
    ("sensitivity", lambda found: _share(found.sensitivity), "right changes that the judge accepts"),
    ("specificity", lambda found: _share(found.specificity), "wrong changes that it does not"),
    ("balanced accuracy", lambda found: _share(found.balanced_accuracy), "mean of the two; guessing gives 0.5"),
    ("area under curve", lambda found: _share(found.area_under_curve), "a right change has the higher score"),
    ("sensitivity, with gates", lambda found: _share(found.sensitivity_with_gates), "red gates refuse too"),
    ("specificity, with gates", lambda found: _share(found.specificity_with_gates), ""),
    ("Brier score", lambda found: _number(found.brier_score), "0 at best, 0.25 for a score of one half everywhere"),
    ("calibration error", lambda found: _number(found.calibration_error), "expected, in bins of equal numbers"),
    ("order effect", lambda found: _number(found.order_effect), "mean move of the score when no is offered first"),
    ("order flips", lambda found: _number(found.order_flips), "share of changes accepted in one order alone"),
    ("length correlation", lambda found: _number(found.length_correlation), "ranks of score and length, within truth"),
]
