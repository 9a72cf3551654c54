"""A tuning study as a report page: what to use, how sure that is on unseen tasks, and what was tried.

Left out: tuning (`krins.studies.tune`), and the words of the verdict (`krins.reports.tune`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from krins.reports.page import Cell, Column, Page, Section, Table
from krins.reports.page_charts import axis_title, named_rows
from krins.reports.picture import FAINT, Row, inline, layered
from krins.reports.tune import verdict
from krins.runs.result import Share
from krins.studies.tune_result import Fixed, TuneResult, UnseenRow, Versus

if TYPE_CHECKING:
    import altair as alt

_BAR = "#0072b2"
_WINNER = "#d55e00"
_ROW_PIXELS = 22


def tune_page(found: TuneResult) -> Page:
    split = found.split
    sections = [
        Section(
            "On tasks that nobody chose on",
            [
                f"{split.unseen.n_tasks} unseen tasks of {split.unseen.n_repositories} repositories. Each router met "
                "them with what it had learnt on the tuning tasks, and went on learning. Lines are 95% intervals over "
                "tasks, clustered by repository.",
                f"Reward a task, less that of always {found.chosen_fixed.model}, the model with the highest reward on "
                "the tuning tasks.",
            ],
            lambda width: _rewards(found, width),
            _unseen_table(found),
        ),
        Section(
            "Against the best single model",
            [
                f"Chosen: {found.chosen_single.model}, the best by quality on the tuning tasks. Hindsight: "
                f"{found.hindsight_single.model}, the best on the unseen ones, which nobody could know.",
            ],
            table=_versus_table(found),
        ),
        Section(
            "The search",
            [
                f"{len(found.trials)} candidates on {split.tuning.n_tasks} tuning tasks of "
                f"{split.tuning.n_repositories} repositories, in {split.n_folds} folds that keep them whole, by "
                "successive halving. These figures flatter whoever is best.",
            ],
            table=_trials_table(found),
        ),
    ]
    return Page(
        f"{found.suite}, tuned",
        verdict(found),
        sections,
        found.notes,
        f"krins-eval tune --resume {found.study_id}",
    )


def _ends(key: str, share: Share | None) -> dict[str, Cell]:
    if share is None:
        return {key: None, f"{key}_low": None, f"{key}_high": None}
    return {key: share.mean, f"{key}_low": share.low, f"{key}_high": share.high}


def _interval(key: str) -> tuple[str, str]:
    return f"{key}_low", f"{key}_high"


def _unseen_table(found: TuneResult) -> Table:
    columns = [
        Column("router", "router"),
        Column("quality", "quality", "share", _interval("quality")),
        Column("cost_usd", "USD a task", "usd", _interval("cost_usd")),
        Column("reward", "reward", "share", _interval("reward")),
        Column("reward_difference", "reward less best fixed's", "share", _interval("reward_difference")),
        Column("hull_gain", "points above hull, chosen", "points", _interval("hull_gain")),
        Column("hull_gain_hindsight", "points above hull, hindsight", "points", _interval("hull_gain_hindsight")),
    ]
    fixed = {
        "most reward, tuning": found.chosen_fixed,
        "best quality, tuning": found.chosen_single,
        "best quality, hindsight": found.hindsight_single,
    }
    rows = [_unseen_cells(row) for row in found.unseen]
    rows += [{"router": f"always {one.model} ({what})", **_reached(one)} for what, one in fixed.items()]
    return Table("unseen", columns, rows)


def _unseen_cells(row: UnseenRow) -> Mapping[str, Cell]:
    return {
        "router": f"{row.router}{' (winner)' if 'winner' in row.roles else ''}",
        **_reached(row),
        **_ends("reward_difference", row.reward_difference),
        **_ends("hull_gain", row.chosen_hull.gain if row.chosen_hull else None),
        **_ends("hull_gain_hindsight", row.hindsight_hull.gain if row.hindsight_hull else None),
    }


def _reached(one: UnseenRow | Fixed) -> dict[str, Cell]:
    return {**_ends("quality", one.quality), **_ends("cost_usd", one.cost_usd), **_ends("reward", one.reward)}


def _versus_table(found: TuneResult) -> Table:
    columns = [
        Column("router", "router"),
        Column("model", "against"),
        Column("quality_difference", "points of quality", "points", _interval("quality_difference")),
        Column("saving", "cheaper by", "share", _interval("saving")),
        *(Column(f"non_inferior_{margin:g}", f"non-inferior at {100 * margin:g} points") for margin in found.margins),
        Column("smallest_margin", "smallest margin shown", "points"),
    ]
    pairs = [(row.router, one) for row in found.unseen for one in (row.chosen, row.hindsight)]
    return Table("versus", columns, [_versus_cells(router, one, found.margins) for router, one in pairs])


def _versus_cells(router: str, one: Versus, margins: list[float]) -> Mapping[str, Cell]:
    shown = {
        f"non_inferior_{margin:g}": None if is_shown is None else "yes" if is_shown else "no"
        for margin, is_shown in zip(margins, one.is_non_inferior, strict=True)
    }
    return {
        "router": router,
        "model": one.model,
        **_ends("quality_difference", one.quality_difference),
        **_ends("saving", one.saving),
        **shown,
        "smallest_margin": one.smallest_margin,
    }


def _trials_table(found: TuneResult) -> Table:
    columns = [
        Column("router", "candidate"),
        Column("reward", "reward", "share", ("low", "high")),
        Column("quality", "quality", "share"),
        Column("cost_usd", "USD a task", "usd"),
        Column("n_replications", "replications", "count"),
    ]
    rows = [
        {
            **trial.model_dump(include={"router", "reward", "quality", "cost_usd", "n_replications"}),
            "low": trial.reward - 1.96 * trial.reward_error,
            "high": trial.reward + 1.96 * trial.reward_error,
        }
        for trial in found.trials
    ]
    return Table("trials", columns, rows)


def _rewards(found: TuneResult, width: int) -> alt.LayerChart:
    import altair as alt

    rows: list[Row] = [
        {
            "name": row.router,
            "at": row.reward_difference.mean,
            "low": row.reward_difference.low,
            "high": row.reward_difference.high,
            "colour": _WINNER if "winner" in row.roles else _BAR,
        }
        for row in found.unseen
    ]
    names, height = named_rows([row.router for row in found.unseen], width, _ROW_PIXELS)
    base = alt.Chart(inline(rows)).encode(y=names, color=alt.Color("colour:N", scale=None))
    title = f"reward a task, less always {found.chosen_fixed.model}"
    lines = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=axis_title(title, width)), x2="high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x="at:Q")
    zero = alt.Chart(inline([{"at": 0}])).mark_rule(color=FAINT, strokeDash=[4, 3]).encode(x="at:Q")
    return layered(zero, lines, points).properties(width=width, height=height)
