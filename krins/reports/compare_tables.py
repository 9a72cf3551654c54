"""The tables of a comparison's page, raw: `krins.reports.page` writes them for people and for programs.

Invariants: differences of quality are shares in the CSV and points on the page; a table is narrow enough for a page's
column of text. Left out: words around them, and the tests' separate p-values at further margins (`--json` has them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from krins.reports.page import Cell, Column, Kind, Table
from krins.runs.result import BreakEven, Figure, RouterResult, Share
from krins.studies.claim import write_points
from krins.studies.comparison import (
    AgainstReference,
    ComparedRouter,
    Comparison,
    Difference,
    Drift,
    Group,
    GroupRow,
    Period,
    Verdict,
)

Criterion = Literal["reward", "saving"]
_CRITERIA: dict[Criterion, dict[str, str]] = {
    "reward": {"better_reward": "more reward", "surely_better_reward": "more reward, for certain"},
    "saving": {"saving": "a saving", "sure_saving": "a saving, for certain"},
}
_VERDICTS: dict[Verdict, str] = {
    "saving": "yes",
    "unadjusted": "no: only if it had been the only one",
    "not cheaper": "no: not cheaper",
    "may not be cheaper": "no: may not be cheaper",
    "quality is lower": "no: quality is lower",
    "quality may be lower": "no: quality may be lower",
    "unknown": "not known",
}
_Row = dict[str, Cell]


def places_table(found: Comparison) -> Table:
    """Routers, and the fixed models at the frontier's corners."""
    rows = [*map(_router_place, found.routers), *_model_places(found)]
    columns = [
        Column("name", "router or model"),
        Column("kind", "kind"),
        _with_interval("quality", "quality", "share"),
        _with_interval("cost_usd", "USD a task", "usd"),
    ]
    return _table("cost_quality", columns, rows)


def rewards_table(found: Comparison) -> Table:
    columns = [
        Column("name", "router"),
        _with_interval("reward", "reward a task", "number"),
        _with_interval("difference", "against the reference", "number"),
    ]
    rows: list[_Row] = []
    for one in found.routers:
        against = one.against_reference
        rows.append(_router_place(one) | _ends("difference", None if against is None else against.reward))
    return _table("rewards", columns, rows)


def frontier_table(found: Comparison) -> Table:
    """Routers against mixing fixed models, and over orders of the tasks."""
    columns = [
        Column("name", "router"),
        _with_interval("hull_quality_gain", "points above the frontier", "points"),
        _with_interval("hull_cost_saving", "share cheaper than the frontier", "share"),
        Column("quality_replication_low", "quality over orders: from", "share"),
        Column("quality_replication_high", "to", "share"),
    ]
    return _table("frontier", columns, [_router_place(router) for router in found.routers])


def _router_place(router: ComparedRouter) -> _Row:
    row: _Row = {"name": router.label, "kind": "router, SIMULATED" if router.is_simulated else "router"}
    for key in ("quality", "cost_usd", "reward", "hull_quality_gain", "hull_cost_saving"):
        row |= _ends(key, getattr(router, key))
    low, high = router.quality.replication_low, router.quality.replication_high
    return row | {"quality_replication_low": low, "quality_replication_high": high}


def _model_places(found: Comparison) -> Iterator[_Row]:
    models = [] if found.frontier is None else found.frontier.models
    for model in models:
        yield {
            "name": model.model,
            "kind": "model, frontier",
            **_ends("quality", model.quality),
            **_ends("cost_usd", model.cost_usd),
        }
    reference = found.reference
    if reference.is_model and reference.label not in {model.model for model in models}:
        row: _Row = {"name": reference.label, "kind": "model, reference"}
        for key in ("quality", "cost_usd", "reward"):
            row |= _ends(key, getattr(reference, key))
        yield row


def quality_table(found: Comparison) -> Table:
    rows = [_quality(label, against) for label, against in _rivals(found)]
    columns = [
        Column("router", "router"),
        _with_interval("quality", "quality, points", "points"),
        Column("quality_simultaneous_low", "all at once: from", "points"),
        Column("quality_simultaneous_high", "to", "points"),
        Column("detectable_points", "detectable, points", "number"),
    ]
    return _table("differences", columns, rows)


def _quality(label: str, against: AgainstReference) -> _Row:
    quality = against.quality
    return {
        "router": label,
        **_ends("quality", quality),
        "quality_simultaneous_low": quality.simultaneous_low,
        "quality_simultaneous_high": quality.simultaneous_high,
        "detectable_points": _hundredfold(quality.detectable),
    }


def savings_table(found: Comparison) -> Table:
    rows = [_saving(label, against, found.margin) for label, against in _rivals(found)]
    columns = [
        Column("router", "router"),
        _with_interval("saving", "share cheaper", "share"),
        Column("p", "p", "number"),
        Column("p_adjusted", "adjusted p", "number"),
        Column("verdict", "may be called a saving"),
    ]
    return _table("savings", columns, rows)


def _saving(label: str, against: AgainstReference, margin: float) -> _Row:
    test = next(test for test in against.tests if test.margin == margin)
    return {
        "router": label,
        **_ends("saving", against.saving),
        "p": test.p,
        "p_adjusted": test.p_adjusted,
        "verdict": _VERDICTS[against.verdict],
    }


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def margins_table(found: Comparison) -> Table:
    """A row for each router, with its adjusted p-value at each margin."""
    rivals = _rivals(found)
    rows: list[_Row] = [
        {
            "router": label,
            **{_margin_key(test.margin): test.p_adjusted for test in against.tests},
            "smallest_margin_points": _hundredfold(against.smallest_margin),
        }
        for label, against in rivals
    ]
    margins = [test.margin for test in rivals[0][1].tests]
    columns = [
        Column("router", "router"),
        *(Column(_margin_key(margin), f"adjusted p at {write_points(margin)}", "number") for margin in margins),
        Column("smallest_margin_points", "smallest margin, points", "number"),
    ]
    return _table("margins", columns, rows)


def _margin_key(margin: float) -> str:
    return f"p_adjusted_at_{100 * margin:g}"


def learning_table(routers: Mapping[str, RouterResult]) -> Table:
    rows: list[_Row] = []
    for label, router in routers.items():
        regret = router.regret_vs_best_fixed
        rows.append(
            {
                "router": label,
                "n_decisions": router.n_decisions,
                **_ends("regret", regret),
                "regret_replication_low": None if regret is None else regret.replication_low,
                "regret_replication_high": None if regret is None else regret.replication_high,
                **_ends("regret_vs_oracle", router.regret_vs_oracle),
            }
        )
    columns = [
        Column("router", "router"),
        Column("n_decisions", "decisions, all orders", "count"),
        _with_interval("regret", "missed against the best fixed model", "number"),
        Column("regret_replication_low", "over orders: from", "number"),
        Column("regret_replication_high", "to", "number"),
        _with_interval("regret_vs_oracle", "missed against the oracle", "number"),
    ]
    return _table("regret", columns, rows)


def verifier_table(cascades: Mapping[str, BreakEven], criterion: Criterion) -> Table:
    """A row for each cascade and sensitivity; a specificity above the greatest no longer pays."""
    columns = [Column("cascade", "cascade"), Column("sensitivity", "sensitivity", "share")]
    for field, words in _CRITERIA[criterion].items():
        columns.append(Column(f"{field}_least", f"least specificity for {words}", "share"))
        columns.append(Column(f"{field}_greatest", "greatest", "share"))
    rows = [
        {"cascade": label, "sensitivity": sensitivity, **_specificities(curve, i, criterion)}
        for label, curve in cascades.items()
        for i, sensitivity in enumerate(curve.sensitivity)
    ]
    return _table(f"break_even_{criterion}", columns, rows)


def _specificities(curve: BreakEven, i: int, criterion: Criterion) -> _Row:
    row: _Row = {}
    for field in _CRITERIA[criterion]:
        row[f"{field}_least"], row[f"{field}_greatest"] = getattr(curve, field)[i] or (None, None)
    return row


def parts_table(parts: Sequence[Group] | Sequence[Period], kind: str) -> Table:
    columns = [
        _with_interval("quality", "quality", "share"),
        _with_interval("difference", "points against the reference", "points"),
    ]
    return _by(parts, kind, f"by_{kind}", columns)


def part_costs_table(parts: Sequence[Group] | Sequence[Period], kind: str) -> Table:
    columns = [
        Column("n_tasks", "tasks", "count"),
        _with_interval("cost_usd", "USD a task", "usd"),
    ]
    return _by(parts, kind, f"by_{kind}_costs", columns)


def _by(parts: Sequence[Group] | Sequence[Period], kind: str, name: str, columns: Sequence[Column]) -> Table:
    rows = [_part(part, row) for part in parts for row in part.rows]
    return _table(name, [Column("part", kind), Column("router", "router"), *columns], rows)


def _part(part: Group | Period, row: GroupRow) -> _Row:
    return {
        "part": part.name,
        "router": row.label,
        "n_tasks": part.n_tasks,
        **_ends("quality", row.quality),
        **_ends("cost_usd", row.cost_usd),
        **_ends("difference", row.difference),
    }


def trends_table(drift: Drift) -> Table:
    columns = [
        Column("label", "router"),
        _with_interval("slope", "points a year", "points"),
        Column("p", "p", "number"),
        Column("p_adjusted", "adjusted p", "number"),
    ]
    rows: list[_Row] = [
        {
            "label": t.label,
            "slope": t.slope,
            "slope_low": t.low,
            "slope_high": t.high,
            "p": t.p,
            "p_adjusted": t.p_adjusted,
        }
        for t in drift.trends
    ]
    return _table("trends", columns, rows)


def runs_table(found: Comparison) -> Table:
    columns = [
        Column("run_id", "run"),
        Column("environment", "outcomes"),
        Column("seed", "seed"),
        Column("n_replications", "orders", "count"),
        Column("passes", "passes", "count"),
    ]
    return _table("runs", columns, [run.model_dump() for run in found.runs])


def _rivals(found: Comparison) -> list[tuple[str, AgainstReference]]:
    return [(one.label, one.against_reference) for one in found.routers if one.against_reference is not None]


def _ends(key: str, figure: Share | Figure | Difference | None) -> _Row:
    """A figure and its 95% interval over tasks, under three keys."""
    if figure is None:
        return {}
    return {key: figure.mean, f"{key}_low": figure.low, f"{key}_high": figure.high}


def _with_interval(key: str, heading: str, kind: Kind) -> Column:
    return Column(key, heading, kind, (f"{key}_low", f"{key}_high"))


def _table(name: str, columns: Sequence[Column], rows: Sequence[_Row]) -> Table:
    """Without the columns of which nothing is known."""
    return Table(name, [c for c in columns if any(row.get(c.key) is not None for row in rows) or not rows], rows)
