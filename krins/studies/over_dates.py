"""Drift: quality by period, and whether a router's distance to the reference changes over the dates of tasks.

Invariants: a task without a date has no part in it; periods are calendar months, quarters or years, the finest of which
there are at most eight, and those without tasks are left out. Left out: the order in which a run's routers met the
tasks, which is drawn anew in each replication and has nothing to do with dates.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np

from krins.interfaces import BoolArray
from krins.statistics.drift import clustered_trend
from krins.statistics.multiplicity import holm
from krins.studies.comparison import Drift, DriftTrend, Period
from krins.studies.entrants import Field, recoded

MOST_PERIODS = 8
_DAYS_A_YEAR = 365.25
_UNITS: list[Callable[[dt.date], str]] = [
    lambda date: f"{date:%Y-%m}",
    lambda date: f"{date.year}-Q{(date.month + 2) // 3}",
    lambda date: f"{date.year}",
]
"""What the period of a date is called, from the finest unit to the coarsest."""


def drift(field: Field) -> tuple[Drift | None, list[str]]:
    """Drift, and what a reader must know of it; None where tasks have no two different dates."""
    dates = [task.date for task in field.runs[0].table.tasks]
    known = [date for date in dates if date is not None]
    if len(set(known)) < 2:
        return None, []
    is_dated = np.array([date is not None for date in dates])
    trends = _trends(field, known, is_dated)
    notes = [] if trends else ["No trend over dates can be told: it takes dated tasks of several repositories."]
    return Drift(n_dated=len(known), periods=_periods(field, dates), trends=trends), notes


def _trends(field: Field, dates: Sequence[dt.date], is_dated: BoolArray) -> list[DriftTrend]:
    years = np.array([date.toordinal() for date in dates]) / _DAYS_A_YEAR
    clusters = recoded(field.clusters[is_dated])
    found = {
        router.label: clustered_trend((router.quality.tasks - field.reference.quality)[is_dated], years, clusters)
        for router in field.rivals
    }
    told = {label: trend for label, trend in found.items() if trend is not None}
    adjusted = holm({label: trend.p for label, trend in told.items()})
    return [
        DriftTrend(
            label=label, slope=trend.slope, low=trend.low, high=trend.high, p=trend.p, p_adjusted=adjusted[label]
        )
        for label, trend in told.items()
    ]


def _periods(field: Field, dates: Sequence[dt.date | None]) -> list[Period]:
    unit = _finest_unit([date for date in dates if date is not None])
    names = [None if date is None else unit(date) for date in dates]
    periods = []
    for name in sorted({name for name in names if name is not None}):
        tasks = np.array([own == name for own in names])
        within = [date for date in dates if date is not None and unit(date) == name]
        periods.append(
            Period(
                name=name,
                first=min(within),
                last=max(within),
                n_tasks=len(within),
                n_clusters=len(np.unique(field.clusters[tasks])),
                rows=field.rows(tasks),
            )
        )
    return periods


def _finest_unit(dates: Sequence[dt.date]) -> Callable[[dt.date], str]:
    """Of those with few enough periods; years, if none is."""
    return next((unit for unit in _UNITS if len(set(map(unit, dates))) <= MOST_PERIODS), _UNITS[-1])
