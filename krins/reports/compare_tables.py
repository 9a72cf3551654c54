"""The tables of a comparison's page, raw: `krins.reports.page` writes them for people and for programs.

Invariants: differences of quality are shares in the CSV and points on the page. Left out: words around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from krins.reports.page import Cell, Column, Kind, Table
from krins.runs.result import BreakEven, Figure, RouterResult, Share
from krins.studies.comparison import (
    AgainstReference,
    ComparedRouter,
    Comparison,
    Difference,
    Drift,
    Group,
    GroupRow,
    MarginTest,
    Period,
    Verdict,
)

_CRITERIA = {
    "better_reward": "more reward",
    "surely_better_reward": "more reward, for certain",
    "saving": "a saving",
    "sure_saving": "a saving, for certain",
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
        Column("kind", "what it is"),
        _with_interval("quality", "quality", "share"),
        _with_interval("cost_usd", "USD a task", "usd"),
        _with_interval("reward", "reward a task", "number"),
        _with_interval("hull_quality_gain", "points above the frontier", "points"),
        _with_interval("hull_cost_saving", "share cheaper than the frontier", "share"),
        Column("quality_replication_low", "over orders: from", "share"),
        Column("quality_replication_high", "to", "share"),
    ]
    return _table("cost_quality", columns, rows)


def _router_place(router: ComparedRouter) -> _Row:
    row: _Row = {"name": router.label, "kind": "router, SIMULATED verifier" if router.is_simulated else "router"}
    for key in ("quality", "cost_usd", "reward", "hull_quality_gain", "hull_cost_saving"):
        row |= _ends(key, getattr(router, key))
    low, high = router.quality.replication_low, router.quality.replication_high
    return row | {"quality_replication_low": low, "quality_replication_high": high}


def _model_places(found: Comparison) -> Iterator[_Row]:
    models = [] if found.frontier is None else found.frontier.models
    for model in models:
        yield {
            "name": model.model,
            "kind": "model at the frontier",
            **_ends("quality", model.quality),
            **_ends("cost_usd", model.cost_usd),
        }
    reference = found.reference
    if reference.is_model and reference.label not in {model.model for model in models}:
        row: _Row = {"name": reference.label, "kind": "model, the reference"}
        for key in ("quality", "cost_usd", "reward"):
            row |= _ends(key, getattr(reference, key))
        yield row


def differences_table(found: Comparison) -> Table:
    rows = [_difference(label, against, found.margin) for label, against in _rivals(found)]
    columns = [
        Column("router", "router"),
        _with_interval("quality", "quality, points", "points"),
        Column("quality_simultaneous_low", "all at once: from", "points"),
        Column("quality_simultaneous_high", "to", "points"),
        _with_interval("saving", "share cheaper", "share"),
        _with_interval("reward", "reward a task", "number"),
        Column("p", "p", "number"),
        Column("p_adjusted", "adjusted p", "number"),
        Column("smallest_margin_points", "smallest margin, points", "number"),
        Column("detectable_points", "detectable, points", "number"),
        Column("verdict", "may be called a saving"),
    ]
    return _table("differences", columns, rows)


def _difference(label: str, against: AgainstReference, margin: float) -> _Row:
    test = next(test for test in against.tests if test.margin == margin)
    quality = against.quality
    return {
        "router": label,
        **_ends("quality", quality),
        "quality_simultaneous_low": quality.simultaneous_low,
        "quality_simultaneous_high": quality.simultaneous_high,
        **_ends("saving", against.saving),
        **_ends("reward", against.reward),
        "p": test.p,
        "p_adjusted": test.p_adjusted,
        "smallest_margin_points": _hundredfold(against.smallest_margin),
        "detectable_points": _hundredfold(quality.detectable),
        "verdict": _VERDICTS[against.verdict],
    }


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def margins_table(found: Comparison) -> Table:
    """A row for each router and margin."""
    rows = [_margin(label, test) for label, against in _rivals(found) for test in against.tests]
    columns = [
        Column("router", "router"),
        Column("margin_points", "margin, points", "number"),
        Column("p_quality", "p: quality", "number"),
        Column("p_saving", "p: cheaper", "number"),
        Column("p", "p: both", "number"),
        Column("p_adjusted", "adjusted p", "number"),
        Column("is_shown", "shown"),
    ]
    return _table("margins", columns, rows)


def _margin(label: str, test: MarginTest) -> _Row:
    row: _Row = test.model_dump(exclude={"margin"})
    return {"router": label, "margin_points": 100 * test.margin, **row}


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


def verifier_table(cascades: Mapping[str, BreakEven]) -> Table:
    """A row for each cascade and sensitivity; a specificity above the greatest no longer pays."""
    columns = [Column("cascade", "cascade"), Column("sensitivity", "sensitivity", "share")]
    for field, words in _CRITERIA.items():
        columns.append(Column(f"{field}_least", f"least specificity for {words}", "share"))
        columns.append(Column(f"{field}_greatest", "greatest", "share"))
    rows = [
        {"cascade": label, "sensitivity": sensitivity, **_specificities(curve, i)}
        for label, curve in cascades.items()
        for i, sensitivity in enumerate(curve.sensitivity)
    ]
    return _table("break_even", columns, rows)


def _specificities(curve: BreakEven, i: int) -> _Row:
    row: _Row = {}
    for field in _CRITERIA:
        row[f"{field}_least"], row[f"{field}_greatest"] = getattr(curve, field)[i] or (None, None)
    return row


def groups_table(groups: Sequence[Group], kind: str) -> Table:
    rows = [{"part": group.name, **_sizes(group), **_part(row)} for group in groups for row in group.rows]
    return _table(f"by_{kind}", [Column("part", kind), *_PART_COLUMNS], rows)


def periods_table(drift: Drift) -> Table:
    rows = [{"part": period.name, **_sizes(period), **_part(row)} for period in drift.periods for row in period.rows]
    return _table("by_period", [Column("part", "period"), *_PART_COLUMNS], rows)


def _sizes(part: Group | Period) -> _Row:
    return {"n_tasks": part.n_tasks, "n_clusters": part.n_clusters}


def _part(row: GroupRow) -> _Row:
    return {
        "router": row.label,
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
        Column("suite", "suite"),
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


_PART_COLUMNS = (
    Column("router", "router"),
    Column("n_tasks", "tasks", "count"),
    Column("n_clusters", "clusters", "count"),
    _with_interval("quality", "quality", "share"),
    _with_interval("cost_usd", "USD a task", "usd"),
    _with_interval("difference", "points against the reference", "points"),
)


def _table(name: str, columns: Sequence[Column], rows: Sequence[_Row]) -> Table:
    """Without the columns of which nothing is known."""
    return Table(name, [c for c in columns if any(row.get(c.key) is not None for row in rows) or not rows], rows)
